//! `/oauth2/token`.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use flows::{client_auth::Credentials, oauth_error::TokenError, token};
use serde_json::json;

use crate::{
    app::App,
    http::{
        error::Failure,
        extract::{Ask, Form},
    },
};

/// RFC 6749, section 5.1, and the same for errors.
const UNCACHED: [(HeaderName, &str); 2] =
    [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")];

pub(in crate::http) async fn post(
    State(app): State<App>,
    headers: HeaderMap,
    mut ask: Ask,
    Form(params): Form,
) -> Result<Response, Failure> {
    "client".clone_into(&mut ask.cx.trace.actor);
    let authorization =
        headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or(""));
    let credentials = Credentials::parse(authorization);
    Ok(match token::exchange(&ask.cx, credentials, &params).await? {
        Ok(tokens) => (UNCACHED, Json(tokens)).into_response(),
        Err(error) => {
            app.metrics.refused(error.error);
            refused(&error)
        }
    })
}

/// RFC 6749, section 5.2: 400, or 401 when the client is not who it says.
fn refused(error: &TokenError) -> Response {
    let status = match error.error {
        "invalid_client" => StatusCode::UNAUTHORIZED,
        _ => StatusCode::BAD_REQUEST,
    };
    let body = Json(json!({ "error": error.error, "error_description": error.description }));
    let mut response = (status, UNCACHED, body).into_response();
    for (name, value) in &error.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(*name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
