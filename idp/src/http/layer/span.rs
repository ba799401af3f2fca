//! The span of a request, for traces: its route and its result, and none of its contents.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request};
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::{Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::{app::App, http::route::Route, metrics::known_method};

/// A span; a child of the caller's span (W3C Trace Context) if the caller is a trusted proxy. Otherwise any client could
/// choose which requests are traced, and under which name.
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

/// Records the status.
pub(super) fn record_status(span: &Span, status: u16) {
    span.record("http.response.status_code", status);
    if status >= 500 {
        span.record("otel.status_code", "ERROR");
    }
}

/// Records the reference, which log and audit trail have too, and the client of the request.
pub(super) fn record_identity(reference: &str, client: Option<&str>) {
    let span = Span::current();
    span.record("vestibule.reference", reference);
    if let Some(client) = client {
        span.record("vestibule.client", client);
    }
}
