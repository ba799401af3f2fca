//! Form bodies and query strings, read by our own rule: a field without a value is absent, and a duplicate is recorded, so
//! that each endpoint refuses it in its own way.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, header, request::Parts},
};
use flows::request::Params;

use crate::{app::App, http::error::Failure, serve::BodyFailure};

/// Fields of a form body.
#[derive(Debug)]
pub(in crate::http) struct Form(pub(in crate::http) Params);

/// Parameters of a query string.
#[derive(Debug)]
pub(in crate::http) struct Query(pub(in crate::http) Params);

impl Form {
    /// A field's text, empty if it is absent.
    pub(in crate::http) fn text(&self, name: &str) -> &str {
        self.0.get(name).unwrap_or_default()
    }
}

impl FromRequest<App> for Form {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &App) -> Result<Self, Failure> {
        if !is_form(request.headers()) {
            return Err(Failure::NotAForm);
        }
        if let Some(failure) = request.extensions().get::<BodyFailure>() {
            return Err((*failure).into());
        }
        let body = Bytes::from_request(request, app).await.map_err(|_| Failure::TooLarge)?;
        Ok(Self(Params::parse(&body)))
    }
}

impl FromRequestParts<App> for Query {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Self::Rejection> {
        Ok(Self(Params::parse(parts.uri.query().unwrap_or_default().as_bytes())))
    }
}

impl From<BodyFailure> for Failure {
    fn from(failure: BodyFailure) -> Self {
        match failure {
            BodyFailure::TooSlow => Self::TooSlow,
            BodyFailure::TooLarge => Self::TooLarge,
            BodyFailure::Broken => Self::UntrustedRequest("the body broke off"),
            BodyFailure::Stopped => {
                Self::Unavailable("cancelled: this replica stops at once".to_owned())
            }
        }
    }
}

/// Whether a request has a form.
pub(in crate::http) fn is_form(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"))
}
