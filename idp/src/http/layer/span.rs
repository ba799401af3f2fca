//! The span of a request, for traces: what it was and how it ended, and nothing of what was in it.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request};
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::{Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::{app::App, http::route::Route, metrics::known_method};

/// A span, the child of the caller's (W3C Trace Context) when that is a trusted proxy. Otherwise any client could choose
/// which requests are traced, and under which name.
pub(super) fn request_span(app: &App, route: &Route, request: &Request) -> Span {
    let span = tracing::info_span!(
        target: "spans",
        "request",
        otel.name = route.path,
        otel.kind = "server",
        otel.status_code = Empty,
        http.route = route.path,
        http.request.method = known_method(request.method()),
        http.response.status_code = Empty,
        vestibule.reference = Empty,
        vestibule.client = Empty,
    );
    if !span.is_disabled() && is_trusted(app, request) {
        let caller = TraceContextPropagator::new().extract(&HeaderExtractor(request.headers()));
        // Fails only where nothing is traced.
        let _ = span.set_parent(caller);
    }
    span
}

fn is_trusted(app: &App, request: &Request) -> bool {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    peer.is_some_and(|ConnectInfo(peer)| app.proxies.trusts(peer.ip().to_canonical()))
}

/// How it ended.
pub(super) fn record_status(span: &Span, status: u16) {
    span.record("http.response.status_code", status);
    if status >= 500 {
        span.record("otel.status_code", "ERROR");
    }
}

/// Its reference in log and trail, and the client that it turned out to be about.
pub(super) fn record_identity(reference: &str, client: Option<&str>) {
    let span = Span::current();
    span.record("vestibule.reference", reference);
    if let Some(client) = client {
        span.record("vestibule.client", client);
    }
}
