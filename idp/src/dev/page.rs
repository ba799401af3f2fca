//! The pages of `dev`: rendered, with a style sheet from their own origin and security headers.

use askama::Template;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, StatusCode};
use axum::response::{Html, IntoResponse, Response};

/// Headers of every answer: no caching, no content sniffing, no referrer to another site.
pub(super) const SECURITY_HEADERS: [(HeaderName, &str); 3] = [
    (CACHE_CONTROL, "no-store"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "same-origin"),
];

/// Renders a page. `form_action` lists the allowed targets of its forms, redirects included.
pub(super) fn html(page: &impl Template, form_action: &str) -> Response {
    match page.render() {
        Ok(text) => {
            let policy = format!(
                "default-src 'none'; style-src 'self'; form-action {form_action}; base-uri 'none'; \
                 frame-ancestors 'none'"
            );
            (SECURITY_HEADERS, [(CONTENT_SECURITY_POLICY, policy)], Html(text)).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "a page of dev does not render");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The one style sheet of these pages.
pub(super) async fn stylesheet() -> Response {
    let css = include_str!("../../templates/dev/dev.css");
    (SECURITY_HEADERS, [(CONTENT_TYPE, "text/css; charset=utf-8")], css).into_response()
}
