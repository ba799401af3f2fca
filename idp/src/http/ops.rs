//! The ops listener: liveness, readiness and metrics.

use std::sync::atomic::Ordering;

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderName, StatusCode, header},
    routing::get,
};
use serde_json::{Value, json};

use super::error::Failure;
use crate::app::App;

/// The content type of metrics (OpenMetrics 1.0, section "Overall structure").
const OPEN_METRICS: [(HeaderName, &str); 1] =
    [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")];

/// The router of the ops listener.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(app)
}

/// Whether this replica accepts requests; if not, why: it is stopping, or a dependency is unavailable.
async fn ready(State(app): State<App>) -> (StatusCode, Json<Value>) {
    let report = app.health.report().await;
    let database = report.check_database().err().unwrap_or_else(|| "ok".to_owned());
    let redis = match &report.redis {
        Some(Err(why)) => why,
        Some(Ok(_)) | None => "ok",
    };
    let stopping = app.is_stopping.load(Ordering::Relaxed);
    let ready = report.is_ready() && !stopping;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "database": database, "ephemeral": redis, "stopping": stopping })))
}

/// Every metric, for Prometheus.
async fn metrics(
    State(app): State<App>,
) -> Result<([(HeaderName, &'static str); 1], String), Failure> {
    match app.metrics.scrape(&app).await {
        Ok(text) => Ok((OPEN_METRICS, text)),
        Err(error) => Err(Failure::Internal(format!("metrics: {error}"))),
    }
}
