//! The files by which phones learn which apps may use passkeys of this provider.

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};

use super::extract::Anyone;
use crate::app::App;

/// `/.well-known/apple-app-site-association`.
pub(super) async fn get_apple(_: Anyone, State(app): State<App>) -> Response {
    file(app.phone_app_files.apple.clone())
}

/// `/.well-known/assetlinks.json`.
pub(super) async fn get_android(_: Anyone, State(app): State<App>) -> Response {
    file(app.phone_app_files.android.clone())
}

fn file(body: Bytes) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")),
    ];
    (headers, body).into_response()
}
