//! OAuth errors: status, `WWW-Authenticate` and body of the response to a client.

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use flows::oauth_error::{TokenError, TokenErrorCode};
use serde_json::json;

/// The headers of token responses (RFC 6749, section 5.1), also for errors.
pub(super) const UNCACHED: [(HeaderName, HeaderValue); 2] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::PRAGMA, HeaderValue::from_static("no-cache")),
];

/// Why a call of a client is refused.
#[derive(Clone, Debug)]
pub(super) enum OAuthError {
    /// A token request (RFC 6749, section 5.2).
    TokenRequest(TokenError),
    /// A call with an access token.
    AccessToken(BearerError),
}

/// Why an access token is rejected (RFC 6750, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BearerError {
    /// There is none. Then the challenge has no error code.
    Missing,
    /// It is presented twice, or in two ways.
    Repeated,
    /// It is not a token of ours, has expired, or its grant has ended.
    Invalid,
    /// It was not issued for the scope of the route.
    InsufficientScope(&'static str),
}

impl OAuthError {
    /// The status. Failed client authentication is 401.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::TokenRequest(error) if error.error == TokenErrorCode::InvalidClient => {
                StatusCode::UNAUTHORIZED
            }
            Self::TokenRequest(_) | Self::AccessToken(BearerError::Repeated) => {
                StatusCode::BAD_REQUEST
            }
            Self::AccessToken(BearerError::Missing | BearerError::Invalid) => {
                StatusCode::UNAUTHORIZED
            }
            Self::AccessToken(BearerError::InsufficientScope(_)) => StatusCode::FORBIDDEN,
        }
    }

    /// Name in metrics, for those that are counted.
    pub(super) const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::TokenRequest(error) => Some(error.error.as_str()),
            Self::AccessToken(_) => None,
        }
    }

    /// What is wrong, for the client.
    pub(super) fn description(&self) -> &str {
        match self {
            Self::TokenRequest(error) => &error.description,
            Self::AccessToken(BearerError::Missing) => "there is no access token",
            Self::AccessToken(BearerError::Repeated) => "there are two access tokens",
            Self::AccessToken(BearerError::Invalid) => "the access token is not valid",
            Self::AccessToken(BearerError::InsufficientScope(_)) => "the scope is missing",
        }
    }

    /// The response of a route that protects `realm`.
    pub(super) fn response(&self, realm: &str) -> Response {
        match self {
            Self::TokenRequest(error) => {
                let body = json!({ "error": error.error.as_str(), "error_description": error.description });
                let mut response = (self.status(), UNCACHED, Json(body)).into_response();
                for (name, value) in &error.headers {
                    if let (Ok(name), Ok(value)) =
                        (HeaderName::try_from(*name), HeaderValue::try_from(value))
                    {
                        response.headers_mut().insert(name, value);
                    }
                }
                response
            }
            Self::AccessToken(error) => {
                (self.status(), [(header::WWW_AUTHENTICATE, error.challenge(realm))])
                    .into_response()
            }
        }
    }
}

impl BearerError {
    /// `WWW-Authenticate`: what a caller of `realm` must present (RFC 6750, section 3).
    fn challenge(self, realm: &str) -> String {
        let error = match self {
            Self::Missing => return format!("Bearer realm=\"{realm}\""),
            Self::Repeated => "invalid_request",
            Self::Invalid => "invalid_token",
            Self::InsufficientScope(scope) => {
                return format!(
                    "Bearer realm=\"{realm}\", error=\"insufficient_scope\", scope=\"{scope}\""
                );
            }
        };
        format!("Bearer realm=\"{realm}\", error=\"{error}\"")
    }
}
