//! Style sheet and icon, compiled in. Their names change with their content.

use axum::{
    extract::{Path, rejection::PathRejection},
    http::header,
    response::{IntoResponse, Response},
};

use super::{error::Failure, extract::Anyone};
use crate::view;

const FOREVER: &str = "public, max-age=31536000, immutable";

pub(super) async fn asset(
    _: Anyone,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, Failure> {
    let Path(name) = name.map_err(|_| Failure::NotFound)?;
    let asset = view::find_asset(&format!("/assets/{name}")).ok_or(Failure::NotFound)?;
    let headers = [(header::CONTENT_TYPE, asset.content_type), (header::CACHE_CONTROL, FOREVER)];
    Ok((headers, asset.bytes).into_response())
}
