//! `/oauth2/token`.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use flows::token;
use serde_json::json;

use crate::http::{error::Failure, extract::ClientCall, oauth_error::UNCACHED};

pub(in crate::http) async fn post(call: ClientCall) -> Result<Response, Failure> {
    let tokens = token::exchange(&call.cx, &call.client, &call.params).await??;
    let body = json!({
        "access_token": tokens.access_token,
        "token_type": "Bearer",
        "expires_in": tokens.expires_in,
        "id_token": tokens.id_token,
    });
    Ok((UNCACHED, Json(body)).into_response())
}
