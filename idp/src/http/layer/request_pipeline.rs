//! The outermost layer: Host, reference, limits, headers, the failure's page, and one line in the log.
//!
//! ```text
//! Host ─▶ clock ─▶ cross-site post? ─▶ limit of the network ─▶ handler ─▶ failure rendered ─▶ headers ─▶ log, metrics
//!   └────────┴───────────┴──────────────────┴── refused ──────────────▶
//! ```

use std::{
    borrow::Cow,
    net::{IpAddr, SocketAddr},
};

use axum::{
    Json,
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use flows::{Trace, actor::Actor};
use tracing::Instrument;

use super::{
    cancellation, cors, headers, post_limit,
    request_log::{RequestLog, clean_path},
    span,
};
use crate::{
    app::App,
    http::{
        error::{Failure, REFUSAL_HEADER},
        extract::{RequestContext, client_address, request_locale},
        page,
        retry_after::set_retry_after,
        route::{Audience, Class, Policy, Posts, Route},
    },
    locale::Locale,
    metrics::AnsweredRequest,
};

/// Handles a request of a route.
pub(in crate::http) async fn handle(
    State((app, route)): State<(App, &'static Route)>,
    request: Request,
    next: Next,
) -> Response {
    let (watch, method) = (app.clock.stopwatch(), request.method().clone());
    let span = span::request_span(&app, route, &request);
    let response = process(&app, route, request, next).instrument(span.clone()).await;
    span::record_status(&span, response.status().as_u16());
    app.metrics.record_request(&AnsweredRequest {
        route: route.path,
        class: route.class.as_str(),
        method: &method,
        status: response.status(),
        took: watch.elapsed(),
    });
    response
}

async fn process(app: &App, route: &'static Route, mut request: Request, next: Next) -> Response {
    let policy = route.class.policy();
    let exchange = Exchange::new(app, route.path.into(), policy.is_constant, &request);
    let origin = cors::allowed_origin(app, policy.origins, &request);
    let admitted = match check_request(app, route, &request) {
        Ok(CountsAgainstNetwork::Yes) => {
            post_limit::count_post(app, route, &exchange.trace).await.map(Some)
        }
        Ok(CountsAgainstNetwork::No) => Ok(None),
        Err(failure) => Err(failure),
    };
    let response = match admitted {
        Ok(_) if cors::is_preflight(&request, policy.origins, origin.as_ref()) => {
            cors::preflight(&request, policy.origins)
        }
        Ok(post_count) => {
            let (trace, client_slot) = (exchange.trace.clone(), exchange.log.client_slot.clone());
            request.extensions_mut().insert(RequestContext {
                route,
                trace,
                client_slot,
                post_count,
            });
            cancellation::unless_hard_stopped(app, next.run(request)).await
        }
        Err(failure) => failure.into_response(),
    };
    let mut response = exchange.finish(app, policy, route.realm(), response);
    cors::set_headers(response.headers_mut(), policy.origins, origin);
    if response.status() == StatusCode::METHOD_NOT_ALLOWED
        && let Ok(methods) = HeaderValue::try_from(route.allowed_methods())
    {
        response.headers_mut().insert(header::ALLOW, methods);
    }
    response
}

/// Answers a request that no route matches.
pub(in crate::http) async fn fallback(State(app): State<App>, request: Request) -> Response {
    let (watch, method) = (app.clock.stopwatch(), request.method().clone());
    // An unknown path is text of the client.
    let path = clean_path(request.uri().path());
    let exchange = Exchange::new(&app, path.into(), false, &request);
    let ours = is_our_host(&app, &request);
    let failure = if ours { Failure::NotFound } else { Failure::Misdirected };
    let response = exchange.finish(&app, Class::Page.policy(), "", failure.into_response());
    app.metrics.record_request(&AnsweredRequest {
        route: "none",
        class: "none",
        method: &method,
        status: response.status(),
        took: watch.elapsed(),
    });
    response
}

/// Whether a request counts against its network.
enum CountsAgainstNetwork {
    Yes,
    No,
}

/// Whether a request may reach its handler, judged by the request alone. Only a person's navigation, a post or a call
/// of a program acts: HEAD asks about a page, and a browser may load one ahead of a click (misuse case 19).
fn check_request(
    app: &App,
    route: &Route,
    request: &Request,
) -> Result<CountsAgainstNetwork, Failure> {
    let policy = route.class.policy();
    if !is_our_host(app, request) {
        return Err(Failure::Misdirected);
    }
    if request.method() == Method::HEAD && !route.answers_head() {
        return Err(Failure::MethodNotAllowed);
    }
    // A browser that loads ahead shows the answer to no one.
    if !policy.is_constant && is_speculative(request.headers()) {
        return Err(Failure::Speculative);
    }
    if !policy.is_constant && app.live.clock_is_off() {
        return Err(Failure::Unavailable("the clock of this replica is off".to_owned()));
    }
    if policy.posts == Posts::FromAnySite || request.method() != Method::POST {
        return Ok(CountsAgainstNetwork::No);
    }
    if is_cross_site(app, request) {
        Err(Failure::Forbidden)
    } else {
        Ok(CountsAgainstNetwork::Yes)
    }
}

/// Whether a browser loads a page ahead of the person's click (Fetch, "`Sec-Purpose`"; the other names, and `preview`, are
/// older).
/// After a 503 it asks again, without the header, at the click.
fn is_speculative(headers: &HeaderMap) -> bool {
    let values = ["sec-purpose", "purpose", "x-purpose", "x-moz"].map(|name| headers.get_all(name));
    values.iter().flatten().any(|value| {
        let value = value.to_str().unwrap_or_default().to_ascii_lowercase();
        value.contains("prefetch") || value.contains("preview")
    })
}

/// Absolute addresses come from configuration alone, and a request for another Host is refused (misuse case 50). So is one
/// with two Host headers, which two servers could read differently (RFC 9112, section 3.2).
fn is_our_host(app: &App, request: &Request) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (host, another) = (hosts.next().and_then(|value| value.to_str().ok()), hosts.next());
    let requested_host = request.uri().authority().map(axum::http::uri::Authority::as_str).or(host);
    another.is_none() && requested_host.is_some_and(|asked| app.issuer.has_authority(asked))
}

/// By Fetch metadata, or by Origin for browsers without it. A request with neither is not from a browser (the scheme of Go
/// 1.25).
fn is_cross_site(app: &App, request: &Request) -> bool {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    match (header("sec-fetch-site"), header("origin")) {
        (Some(site), _) => !matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => !app.issuer.has_origin(origin),
        (None, None) => false,
    }
}

fn client_ip(app: &App, request: &Request) -> Option<IpAddr> {
    let ConnectInfo(peer) = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
    client_address(peer.ip(), request.headers(), &app.proxies)
}

/// What is known of a request before it is handled, for its answer and its line in the log.
struct Exchange {
    trace: Trace,
    log: RequestLog,
    /// The language of the page, if it ends in a failure.
    locale: Locale,
}

impl Exchange {
    fn new(app: &App, path: Cow<'static, str>, is_constant: bool, request: &Request) -> Self {
        let trace = Trace {
            reference: flows::cx::generate_reference(&app.rng),
            client_address: client_ip(app, request),
            actor: Actor::Person,
        };
        let log = RequestLog::begin(path, is_constant, request.method(), app.clock.now());
        Self { trace, log, locale: request_locale(app, request.headers()) }
    }

    /// Renders a failure, adds the headers of every answer, and logs the request.
    fn finish(&self, app: &App, policy: Policy, realm: &str, response: Response) -> Response {
        let failure = response.extensions().get::<Failure>().cloned();
        let mut response = match &failure {
            Some(failure) => self.render_failure(app, policy.audience, realm, failure),
            None => response,
        };
        headers::set_request_id(response.headers_mut(), &self.trace.reference);
        headers::set_security_headers(response.headers_mut(), policy, app.issuer.is_https());
        if let Some(reason) = failure.as_ref().and_then(Failure::reason) {
            app.metrics.record_refusal(reason);
            response.headers_mut().insert(REFUSAL_HEADER, HeaderValue::from_static(reason));
        }
        self.log.end(app.clock.now(), &self.trace, response.status(), failure.as_ref());
        response
    }

    fn render_failure(
        &self,
        app: &App,
        audience: Audience,
        realm: &str,
        failure: &Failure,
    ) -> Response {
        let mut response = match (failure, audience) {
            (Failure::OAuth(error), _) => error.response(realm),
            (_, Audience::People) => page::render_failure(app, &self.trace, self.locale, failure),
            (_, Audience::Programs) => self.failure_json(failure),
        };
        // For every class: a failure is never cached.
        let no_store = HeaderValue::from_static("no-store");
        response.headers_mut().insert(header::CACHE_CONTROL, no_store);
        if let Some(after) = failure.retry_after() {
            set_retry_after(response.headers_mut(), after);
        }
        response
    }

    fn failure_json(&self, failure: &Failure) -> Response {
        let (status, reference) = (failure.status(), &self.trace.reference);
        let advice = match failure {
            Failure::NotAForm => ": send a form, application/x-www-form-urlencoded",
            _ => "",
        };
        let body = serde_json::json!({
            "error": failure.code(),
            "error_description": format!("{status}{advice} (reference {reference})"),
        });
        (status, Json(body)).into_response()
    }
}
