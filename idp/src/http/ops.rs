//! The ops listener: alive, and ready.

use std::sync::atomic::Ordering;

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use serde_json::{Value, json};

use crate::app::App;

/// The router of the ops listener.
pub fn router(app: App) -> Router {
    Router::new().route("/healthz", get(async || "ok")).route("/readyz", get(ready)).with_state(app)
}

/// Ready: it was not asked to stop, the database answers, is migrated, and its clock is ours. Redis away is told, but
/// limits fall back, so it is no
/// reason to send nobody here.
async fn ready(State(app): State<App>) -> (StatusCode, Json<Value>) {
    let database = match database(&app).await {
        Ok(()) => "ok".to_owned(),
        Err(why) => why,
    };
    let redis = match app.ephemeral.probe().await {
        Ok(()) => "ok".to_owned(),
        Err(error) => error.to_string(),
    };
    let stopping = app.leaving.load(Ordering::Relaxed);
    let good = database == "ok" && !stopping;
    let status = if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "database": database, "ephemeral": redis, "stopping": stopping })))
}

async fn database(app: &App) -> Result<(), String> {
    let wrong = |error: store::Error| error.to_string();
    if !app.db.migrated().await.map_err(wrong)? {
        return Err("the schema is older than this build: run `idp migrate`".to_owned());
    }
    let skew = crate::skew::skew(&app.db, || app.clock.now()).await.map_err(wrong)?;
    if let Some(skew) = skew {
        return Err(format!("the clock of the database differs by {} ms", skew.as_millis()));
    }
    Ok(())
}
