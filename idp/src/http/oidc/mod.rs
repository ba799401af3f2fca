//! The protocol endpoints.

pub(super) mod authorize;
pub(super) mod logout;
pub(super) mod token;
pub(super) mod userinfo;

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};

use crate::app::App;

/// How long clients may keep metadata and keys (decision 7 counts on it).
const KEEP: &str = "public, max-age=300";

/// `/.well-known/openid-configuration`, made once at the start.
pub(super) async fn discovery(State(app): State<App>) -> Response {
    json(app.metadata.clone(), "application/json")
}

/// The JWK Set (RFC 7517, section 5).
pub(super) async fn jwks(State(app): State<App>) -> Response {
    json(app.live.snapshot().ring.jwks().to_owned(), "application/jwk-set+json")
}

fn json(body: String, kind: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, KEEP)], body).into_response()
}
