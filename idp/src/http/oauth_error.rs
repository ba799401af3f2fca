//! Refusals in the words of OAuth: status, `WWW-Authenticate` and body of an answer to a client.

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use flows::token::TokenError;
use serde_json::json;

/// RFC 6749, section 5.1, and the same for errors.
pub(super) const UNCACHED: [(HeaderName, HeaderValue); 2] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::PRAGMA, HeaderValue::from_static("no-cache")),
];

/// Why a call of a client is refused.
#[derive(Clone, Copy, Debug)]
pub(super) enum OAuthError {
    /// A token request (RFC 6749, section 5.2).
    TokenRequest(TokenError),
    /// A call with an access token.
    AccessToken(BearerError),
}

/// Why an access token opens nothing (RFC 6750, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BearerError {
    /// There is none. A caller that has not tried gets no error code.
    Missing,
    /// It is presented in two ways at once.
    Repeated,
    /// It is not a token of ours, has expired, or what it rests on has ended.
    Invalid,
    /// It was not issued for the scope of the route.
    InsufficientScope(&'static str),
}

impl OAuthError {
    /// The status. A client that is not the one it says is answered by 401.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::TokenRequest(error) if error.error == "invalid_client" => {
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
            Self::TokenRequest(error) => Some(error.error),
            Self::AccessToken(_) => None,
        }
    }

    /// What is wrong, for the client.
    pub(super) const fn description(&self) -> &'static str {
        match self {
            Self::TokenRequest(error) => error.description,
            Self::AccessToken(BearerError::Missing) => "there is no access token",
            Self::AccessToken(BearerError::Repeated) => "there are two access tokens",
            Self::AccessToken(BearerError::Invalid) => "the access token is not good",
            Self::AccessToken(BearerError::InsufficientScope(_)) => "the scope is missing",
        }
    }

    /// `WWW-Authenticate`: how a caller authenticates for `realm` (RFC 9110, section 11.6.1).
    fn challenge(&self, realm: &str) -> Option<HeaderValue> {
        let text = match self {
            Self::TokenRequest(error) if error.error == "invalid_client" => {
                format!("Basic realm=\"{realm}\"")
            }
            Self::TokenRequest(_) => return None,
            Self::AccessToken(error) => match error {
                BearerError::Missing => format!("Bearer realm=\"{realm}\""),
                BearerError::Repeated => {
                    format!("Bearer realm=\"{realm}\", error=\"invalid_request\"")
                }
                BearerError::Invalid => {
                    format!("Bearer realm=\"{realm}\", error=\"invalid_token\"")
                }
                BearerError::InsufficientScope(scope) => {
                    format!(
                        "Bearer realm=\"{realm}\", error=\"insufficient_scope\", scope=\"{scope}\""
                    )
                }
            },
        };
        HeaderValue::try_from(text).ok()
    }

    /// The answer.
    pub(super) fn response(&self, realm: &str) -> Response {
        let mut response = match self {
            Self::TokenRequest(TokenError { error, description }) => {
                let body = json!({ "error": error, "error_description": description });
                (self.status(), UNCACHED, Json(body)).into_response()
            }
            Self::AccessToken(_) => self.status().into_response(),
        };
        if let Some(challenge) = self.challenge(realm) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
