//! `/oauth2/token`.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use flows::token;

use crate::http::{error::Failure, extract::ClientCall, oauth_error::UNCACHED};

pub(in crate::http) async fn post(call: ClientCall) -> Result<Response, Failure> {
    let tokens = token::exchange(&call.cx, &call.client, &call.params).await??;
    Ok((UNCACHED, Json(tokens)).into_response())
}
