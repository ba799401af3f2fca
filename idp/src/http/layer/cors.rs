//! Clients that run in a browser call the token endpoint and userinfo from their own origin (Fetch, "CORS protocol"). Only
//! registered origins may, and only there: no other site learns who is signed in here.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{app::App, http::route::Origins};

/// The origin of a request, if it belongs to a public client that runs in a browser and the route is for those.
pub(super) fn allowed_origin(
    app: &App,
    origins: Origins,
    request: &Request,
) -> Option<HeaderValue> {
    if origins != Origins::Clients {
        return None;
    }
    let origin = request.headers().get(header::ORIGIN)?;
    let known = app.live.snapshot().clients.has_browser_origin(origin.to_str().ok()?);
    known.then(|| origin.clone())
}

/// Whether a request is a CORS preflight from an allowed origin.
pub(super) fn is_preflight(request: &Request, origin: Option<&HeaderValue>) -> bool {
    origin.is_some()
        && request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The response to a preflight: what a client may send, and for how many seconds the browser may cache this.
pub(super) fn preflight() -> Response {
    let allowed = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type"),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ];
    (StatusCode::NO_CONTENT, allowed).into_response()
}

/// Lets pages of other origins read the answer. No credentials: such a route reads no cookie.
pub(super) fn set_headers(headers: &mut HeaderMap, origins: Origins, origin: Option<HeaderValue>) {
    match origins {
        // Metadata and keys are read by programs of any origin (OpenID Connect Discovery 1.0, section 4).
        Origins::Any => {
            let any = HeaderValue::from_static("*");
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
        }
        Origins::Clients => {
            headers.append(header::VARY, HeaderValue::from_static("Origin"));
            if let Some(origin) = origin {
                headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
                let readable = HeaderValue::from_static("WWW-Authenticate, Retry-After");
                headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, readable);
            }
        }
        Origins::SameOrigin => {}
    }
}
