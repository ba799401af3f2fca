//! The outermost layer: Host, reference, limits, headers, the failure's page, and one line in the log.

use std::net::{IpAddr, SocketAddr};

use axum::{
    Json,
    extract::{ConnectInfo, Request, State},
    http::{HeaderValue, Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use flows::{Trace, observe::Named};
use tracing::Instrument;

use super::{cors, given_up, headers, limit, span};
use crate::{
    app::App,
    http::{
        error::Failure,
        extract::{Traced, client_address, locale},
        page,
        routes::{Class, Route},
    },
    locale::Locale,
    metrics::{Answered, known_method},
};

/// Runs around every request of a route.
pub(in crate::http) async fn around(
    State((app, route)): State<(App, &'static Route)>,
    request: Request,
    next: Next,
) -> Response {
    let (watch, method) = (app.clock.stopwatch(), request.method().clone());
    let span = span::of(&app, route, &request);
    let response = answer(&app, route, request, next).instrument(span.clone()).await;
    span::ended(&span, response.status().as_u16());
    app.metrics.answered(&Answered {
        route: route.path,
        class: route.class.as_str(),
        method: &method,
        status: response.status(),
        took: watch.elapsed(),
    });
    response
}

async fn answer(app: &App, route: &'static Route, request: Request, next: Next) -> Response {
    let class = route.class;
    let address = address(app, &request);
    let line = Line::of(app, route.path, &request);
    if class == Class::Document {
        return document(app, request, next, address, line).await;
    }
    let trace = trace(app, address);
    let origin = cors::origin(app, class, &request);
    let admitted = match check(app, class, &request) {
        Ok(Counts::Yes) => limit::posts(app, route, &trace).await.map(Some),
        Ok(Counts::No) => Ok(None),
        Err(failure) => Err(failure),
    };
    let response = match admitted {
        Ok(_) if cors::is_preflight(&request, origin.as_ref()) => cors::preflight(),
        Ok(counted) => {
            let mut request = request;
            request.extensions_mut().insert(Traced(trace.clone(), line.client.clone()));
            if let Some(counted) = counted {
                request.extensions_mut().insert(counted);
            }
            given_up::unless_done(app, next.run(request)).await
        }
        Err(failure) => failure.into_response(),
    };
    let mut response = finish(app, class, &trace, &line, response);
    cors::allow(response.headers_mut(), class, origin);
    response
}

/// Discovery, keys and style sheets: nothing is looked up for them, and they are answered whatever this replica's clock.
async fn document(
    app: &App,
    request: Request,
    next: Next,
    address: Option<IpAddr>,
    line: Line,
) -> Response {
    let response = if is_our_host(app, &request) {
        next.run(request).await
    } else {
        Failure::Misdirected.into_response()
    };
    finish(app, Class::Document, &trace(app, address), &line, response)
}

/// Answers what no route does.
pub(in crate::http) async fn fallback(State(app): State<App>, request: Request) -> Response {
    let (watch, method) = (app.clock.stopwatch(), request.method().clone());
    let trace = trace(&app, address(&app, &request));
    // A path that is none of ours is a stranger's text, and not for the log.
    let line = Line::of(&app, "", &request);
    let ours = is_our_host(&app, &request);
    let failure = if ours { Failure::NotFound } else { Failure::Misdirected };
    let response = finish(&app, Class::Page, &trace, &line, failure.into_response());
    app.metrics.answered(&Answered {
        route: "none",
        class: "none",
        method: &method,
        status: response.status(),
        took: watch.elapsed(),
    });
    response
}

fn trace(app: &App, address: Option<IpAddr>) -> Trace {
    Trace {
        reference: flows::cx::reference(&app.rng),
        network: address,
        actor: "person".to_owned(),
    }
}

/// Whether a request counts against its network.
enum Counts {
    Yes,
    No,
}

fn check(app: &App, class: Class, request: &Request) -> Result<Counts, Failure> {
    if !is_our_host(app, request) {
        return Err(Failure::Misdirected);
    }
    if app.live.clock_is_off() {
        return Err(Failure::Away("the clock of this replica is off".to_owned()));
    }
    if class != Class::Page || request.method() != Method::POST {
        return Ok(Counts::No);
    }
    if is_cross_site(app, request) { Err(Failure::Forbidden) } else { Ok(Counts::Yes) }
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
    /// One that we know, or `other`: what a stranger makes up is a stranger's text.
    method: &'static str,
    /// As it stands in the list of routes: what stands in its place is a stranger's text.
    path: &'static str,
    started: store::Timestamp,
    /// Told by the flow that finds out.
    client: Named,
    /// The language of the page, if it ends in a failure.
    locale: Locale,
}

impl Line {
    fn of(app: &App, path: &'static str, request: &Request) -> Self {
        let (method, client) = (known_method(request.method()), Named::default());
        let locale = locale(app, request.headers());
        Self { method, path, started: app.clock.now(), client, locale }
    }
}

fn finish(app: &App, class: Class, trace: &Trace, line: &Line, response: Response) -> Response {
    let failure = response.extensions().get::<Failure>().cloned();
    let mut response = match &failure {
        Some(failure) => rendered(app, class, (trace, line.locale), failure),
        None => response,
    };
    headers::identify(response.headers_mut(), &trace.reference);
    headers::secure(response.headers_mut(), class, app.issuer.is_https());
    if let Some(failure) = &failure {
        app.metrics.refused(failure.reason());
    }
    told(app, trace, line, (response.status().as_u16(), failure.as_ref()));
    response
}

/// The one line of a request.
fn told(app: &App, trace: &Trace, line: &Line, (status, failure): (u16, Option<&Failure>)) {
    let took = app.clock.now().since(line.started);
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let Line { method, path, .. } = line;
    let (reference, client) = (&trace.reference, line.client.get());
    span::told(reference, client);
    let network = &trace.network_text();
    match failure {
        Some(failure) if failure.is_ours() => {
            let error = failure.detail();
            tracing::error!(
                method,
                path,
                status,
                millis,
                reference,
                network,
                client,
                error,
                "request failed"
            );
        }
        Some(failure) => {
            let why = failure.detail();
            tracing::info!(
                method,
                path,
                status,
                millis,
                reference,
                network,
                client,
                why,
                "request refused"
            );
        }
        None => tracing::info!(method, path, status, millis, reference, network, client, "request"),
    }
}

fn rendered(
    app: &App,
    class: Class,
    (trace, locale): (&Trace, Locale),
    failure: &Failure,
) -> Response {
    let mut response = if class.is_for_people() {
        page::failure(app, trace, locale, failure)
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
