//! The protocol endpoints.

pub(super) mod authorize;
pub(super) mod logout;
pub(super) mod token;
pub(super) mod userinfo;

use std::sync::LazyLock;

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use flows::signing_keys::MAX_AGE;

use crate::{app::App, http::extract::Anyone, snapshot::KeySetDocument};

/// `/.well-known/openid-configuration`, made once at the start.
pub(super) async fn discovery(_: Anyone, State(app): State<App>) -> Response {
    let kind = HeaderValue::from_static("application/json");
    (
        [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, cache_control())],
        app.discovery_document.clone(),
    )
        .into_response()
}

/// The JWK Set (RFC 7517, section 5), or 304 if the client has the current one (RFC 9110, section 13.1.2).
pub(super) async fn jwks(_: Anyone, State(app): State<App>, headers: HeaderMap) -> Response {
    let snapshot = app.live.snapshot();
    let KeySetDocument { body, etag } = &snapshot.key_set;
    let if_none_match = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut response = if if_none_match.is_some_and(|kept| names_tag(kept, etag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("application/jwk-set+json"))];
        (kind, body.clone()).into_response()
    };
    response.headers_mut().insert(header::CACHE_CONTROL, cache_control());
    response.headers_mut().insert(header::ETAG, etag.clone());
    response
}

/// How long clients may cache metadata and keys. Decision 7 relies on it.
fn cache_control() -> HeaderValue {
    static KEEP: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
        HeaderValue::try_from(format!("public, max-age={}", MAX_AGE.as_secs())).ok()
    });
    KEEP.clone().unwrap_or(HeaderValue::from_static("no-cache"))
}

/// Whether `If-None-Match` names a tag, by weak comparison (RFC 9110, section 13.1.2).
fn names_tag(if_none_match: &str, tag: &HeaderValue) -> bool {
    if_none_match
        .split(',')
        .map(str::trim)
        .any(|one| one == "*" || tag == one.strip_prefix("W/").unwrap_or(one))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::names_tag;

    #[test]
    fn if_none_match_compares_weakly() {
        let tag = HeaderValue::from_static("\"a\"");
        for kept in ["\"a\"", "\"b\", W/\"a\"", "*", " \"a\" "] {
            assert!(names_tag(kept, &tag), "{kept}");
        }
        for kept in ["", "a", "\"b\"", "\"aa\"", "W/a"] {
            assert!(!names_tag(kept, &tag), "{kept}");
        }
    }
}
