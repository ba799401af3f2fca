//! Style sheet, script, icon and logo. Their names change with their content.

use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};

use super::{error::Failure, extract::Anyone};
use crate::app::App;

const FOREVER: &str = "public, max-age=31536000, immutable";

pub(super) async fn asset(
    State(app): State<App>,
    _: Anyone,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, Failure> {
    let Path(name) = name.map_err(|_| Failure::NotFound)?;
    let asset = app.brand.find_asset(&format!("/assets/{name}")).ok_or(Failure::NotFound)?;
    let headers = [(header::CONTENT_TYPE, asset.content_type), (header::CACHE_CONTROL, FOREVER)];
    let mut response = (headers, asset.bytes.clone()).into_response();
    if let Some(policy) = asset.policy {
        let policy = HeaderValue::from_static(policy);
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    Ok(response)
}
