//! `/oauth2/token`.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use flows::{
    client_auth::Credentials,
    token::{self, TokenError},
};
use serde_json::json;

use crate::{
    app::App,
    http::{
        error::Failure,
        extract::{BrowserRequest, Form},
    },
};

/// RFC 6749, section 5.1, and the same for errors.
const UNCACHED: [(HeaderName, &str); 2] =
    [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")];

pub(in crate::http) async fn post(
    State(app): State<App>,
    headers: HeaderMap,
    mut request: BrowserRequest,
    Form(params): Form,
) -> Result<Response, Failure> {
    "client".clone_into(&mut request.cx.trace.actor);
    let authorization =
        headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or(""));
    let credentials = Credentials::parse(authorization);
    Ok(match token::exchange(&request.cx, credentials, &params).await? {
        Ok(tokens) => {
            let body = json!({
                "access_token": tokens.access_token,
                "token_type": "Bearer",
                "expires_in": tokens.expires_in,
                "id_token": tokens.id_token,
            });
            (UNCACHED, Json(body)).into_response()
        }
        Err(error) => {
            app.metrics.refused(error.error);
            refused(&error)
        }
    })
}

/// RFC 6749, section 5.2: 400, or 401 with a challenge when the client is not who it says.
fn refused(error: &TokenError) -> Response {
    let body = Json(json!({ "error": error.error, "error_description": error.description }));
    if error.error == "invalid_client" {
        let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"token\"")];
        (StatusCode::UNAUTHORIZED, UNCACHED, challenge, body).into_response()
    } else {
        (StatusCode::BAD_REQUEST, UNCACHED, body).into_response()
    }
}
