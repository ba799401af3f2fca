//! Clients that run in a browser call the token endpoint and userinfo from their own origin (Fetch, "CORS protocol"). Only
//! registered origins may, and only there: no other site learns who is signed in here.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{app::App, http::route::Origins};

/// What a client in a browser may send: what these endpoints read, and what tools of its page add to each of its requests
/// (W3C Trace Context and Baggage, error reports, libraries of protocols on top of OAuth), which is ignored.
const CLIENT_HEADERS: [&str; 15] = [
    "authorization",
    "content-type",
    "traceparent",
    "tracestate",
    "baggage",
    "b3",
    "sentry-trace",
    "newrelic",
    "elastic-apm-traceparent",
    "x-datadog-origin",
    "x-datadog-parent-id",
    "x-datadog-sampling-priority",
    "x-datadog-trace-id",
    "mcp-protocol-version",
    "x-requested-with",
];

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

/// Whether a request is a CORS preflight from an origin that may read the answers.
pub(super) fn is_preflight(
    request: &Request,
    origins: Origins,
    origin: Option<&HeaderValue>,
) -> bool {
    let may_read = match origins {
        Origins::Any => request.headers().contains_key(header::ORIGIN),
        Origins::Clients => origin.is_some(),
        Origins::SameOrigin => false,
    };
    may_read
        && request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The response to a preflight: what a client may send, and for how many seconds the browser may cache this.
pub(super) fn preflight(request: &Request, origins: Origins) -> Response {
    let (methods, allowed) = match origins {
        Origins::Any => ("GET, HEAD", requested_headers(request.headers())),
        Origins::Clients | Origins::SameOrigin => ("GET, POST", CLIENT_HEADERS.join(", ")),
    };
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    if !allowed.is_empty()
        && let Ok(allowed) = HeaderValue::try_from(allowed)
    {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
    }
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}

/// The header names that a preflight asks for. A document reads none of them, and is the same for every caller.
fn requested_headers(headers: &HeaderMap) -> String {
    headers
        .get_all(header::ACCESS_CONTROL_REQUEST_HEADERS)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::try_from(name.trim()).ok())
        .map(|name| name.as_str().to_owned())
        .collect::<Vec<_>>()
        .join(", ")
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
