//! The outermost layer: Host, reference, limits, headers, the failure's page, and one line in the log.

use std::net::{IpAddr, SocketAddr};

use axum::{
    Json,
    extract::{ConnectInfo, Request, State},
    http::{HeaderValue, Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use flows::Trace;

use super::{headers, limit};
use crate::{
    app::App,
    http::{
        error::Failure,
        extract::{Traced, client_address},
        page,
        routes::Class,
    },
};

/// Runs around every request of a route.
pub(in crate::http) async fn around(
    State((app, class)): State<(App, Class)>,
    request: Request,
    next: Next,
) -> Response {
    let address = address(&app, &request);
    let line = Line::of(&app, &request);
    if class == Class::Document {
        return document(&app, request, next, address, line).await;
    }
    let trace = trace(&app, address);
    let admitted = match check(&app, class, &request) {
        Ok(Counted::Yes) => limit::posts(&app, address, &trace).await,
        Ok(Counted::No) => Ok(()),
        Err(failure) => Err(failure),
    };
    let response = match admitted {
        Ok(()) => {
            let mut request = request;
            request.extensions_mut().insert(Traced(trace.clone()));
            next.run(request).await
        }
        Err(failure) => failure.into_response(),
    };
    finish(&app, class, &trace, &line, response)
}

/// Discovery, keys and style sheets: no trace and no line unless it is refused, as little work as can be.
async fn document(
    app: &App,
    request: Request,
    next: Next,
    address: Option<IpAddr>,
    line: Line,
) -> Response {
    let mut response = if is_our_host(app, &request) {
        next.run(request).await
    } else {
        Failure::Misdirected.into_response()
    };
    if response.extensions().get::<Failure>().is_some() {
        return finish(app, Class::Document, &trace(app, address), &line, response);
    }
    headers::secure(response.headers_mut(), Class::Document, app.issuer.is_https());
    response
}

/// Answers what no route does.
pub(in crate::http) async fn fallback(State(app): State<App>, request: Request) -> Response {
    let trace = trace(&app, address(&app, &request));
    // A path that is none of ours is a stranger's text, and not for the log.
    let line = Line { path: String::new(), ..Line::of(&app, &request) };
    let ours = is_our_host(&app, &request);
    let failure = if ours { Failure::NotFound } else { Failure::Misdirected };
    finish(&app, Class::Page, &trace, &line, failure.into_response())
}

fn trace(app: &App, address: Option<IpAddr>) -> Trace {
    Trace {
        reference: flows::cx::reference(&app.rng),
        network: address.map(|ip| ip.to_string()),
        actor: "person".to_owned(),
    }
}

/// Whether a request counts against its network.
enum Counted {
    Yes,
    No,
}

fn check(app: &App, class: Class, request: &Request) -> Result<Counted, Failure> {
    if !is_our_host(app, request) {
        return Err(Failure::Misdirected);
    }
    if app.live.clock_is_off() {
        return Err(Failure::Away("the clock of this replica is off".to_owned()));
    }
    if class != Class::Page || request.method() != Method::POST {
        return Ok(Counted::No);
    }
    if is_cross_site(app, request) { Err(Failure::Forbidden) } else { Ok(Counted::Yes) }
}

/// Absolute addresses come from configuration alone, and a request for another Host is refused (misuse case 50), as is one
/// with two of them, which two servers would read differently (RFC 9112, section 3.2).
fn is_our_host(app: &App, request: &Request) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (host, another) = (hosts.next().and_then(|value| value.to_str().ok()), hosts.next());
    let asked = request.uri().authority().map(axum::http::uri::Authority::as_str).or(host);
    another.is_none()
        && asked.is_some_and(|asked| asked.eq_ignore_ascii_case(app.issuer.authority()))
}

/// Fetch metadata first, Origin for browsers without it, and neither for what is no browser (the scheme of Go 1.25).
fn is_cross_site(app: &App, request: &Request) -> bool {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    match (header("sec-fetch-site"), header("origin")) {
        (Some(site), _) => !matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => !origin.eq_ignore_ascii_case(app.issuer.as_str()),
        (None, None) => false,
    }
}

fn address(app: &App, request: &Request) -> Option<IpAddr> {
    let ConnectInfo(peer) = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
    client_address(peer.ip(), request.headers(), &app.proxies)
}

/// What the log says about a request, besides how it ended.
struct Line {
    method: Method,
    path: String,
    started: store::Timestamp,
}

impl Line {
    fn of(app: &App, request: &Request) -> Self {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        Self { method, path, started: app.clock.now() }
    }
}

fn finish(app: &App, class: Class, trace: &Trace, line: &Line, response: Response) -> Response {
    let failure = response.extensions().get::<Failure>().cloned();
    let mut response = match &failure {
        Some(failure) => rendered(app, class, trace, failure),
        None => response,
    };
    headers::secure(response.headers_mut(), class, app.issuer.is_https());
    let status = response.status().as_u16();
    let millis = app.clock.now().since(line.started).as_millis();
    let Line { method, path, .. } = line;
    let network = trace.network.as_deref().unwrap_or("unknown");
    let reference = &trace.reference;
    match &failure {
        Some(failure) if failure.is_ours() => tracing::error!(
            %method, path, status, millis, reference, network, error = failure.detail(), "request failed"
        ),
        Some(failure) => tracing::info!(
            %method, path, status, millis, reference, network, why = failure.detail(), "request refused"
        ),
        None => tracing::info!(%method, path, status, millis, reference, network, "request"),
    }
    response
}

fn rendered(app: &App, class: Class, trace: &Trace, failure: &Failure) -> Response {
    let mut response = if class.is_for_people() {
        page::failure(app, trace, failure)
    } else {
        let body = serde_json::json!({
            "error": failure.code(),
            "error_description": format!("{} (reference {})", failure.status(), trace.reference),
        });
        (failure.status(), Json(body)).into_response()
    };
    // Whatever the class: nobody keeps a refusal.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(after) = failure.retry_after() {
        let seconds = after.as_secs().max(1);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
