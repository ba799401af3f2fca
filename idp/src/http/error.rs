//! The one place that turns errors into responses.
//!
//! A [`Failure`] has a status and a cause. The layer around the routes renders it for the route's audience, as a page for
//! people or as JSON for programs, with the request's reference. An OAuth error is rendered as the protocol requires
//! (`oauth_error.rs`). A failure has two texts: one for the reader, one for the log.

use std::time::Duration;

use axum::{
    http::{HeaderName, StatusCode},
    response::{IntoResponse, Response},
};
use flows::{network::RateLimited, oauth_error::TokenError};

use super::oauth_error::{BearerError, OAuthError};

/// `Retry-After` of a failure that is due to an unavailable dependency.
const RETRY_SOON: Duration = Duration::from_secs(2);

/// Has the reason of a refusal, as metrics name it: for programs such as `doctor`, which do not read pages.
pub(crate) const REFUSAL_HEADER: HeaderName = HeaderName::from_static("x-refusal");
/// The reason [`Failure::UnknownNetwork`].
pub(crate) const UNKNOWN_NETWORK: &str = "unknown_network";

/// Why a request failed.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// An authorization request whose redirect URI is not trusted; for the developers of the client.
    UntrustedRequest(&'static str),
    /// An OAuth error in a call of a client.
    OAuth(OAuthError),
    /// An attempt that is gone, too old or of another browser.
    StartAgain,
    /// No such path.
    NotFound,
    /// A method that the route does not have.
    MethodNotAllowed,
    /// A form from another site, or without its token.
    Forbidden,
    /// A form from a browser that sends no cookie.
    CookiesBlocked,
    /// The body is not a form.
    NotAForm,
    /// The body is too large.
    TooLarge,
    /// The body did not arrive in time.
    TooSlow,
    /// A browser that loads ahead, without a person's click.
    Speculative,
    /// A Host that is not ours (misuse case 50).
    Misdirected,
    /// Too many posts from one network; worth trying again after this time.
    RateLimited(RateLimited, Duration),
    /// The network of the request is unknown, and it must be known.
    UnknownNetwork,
    /// The hashing queue is full; worth trying again after this time.
    Busy(Duration),
    /// A dependency is unavailable or does not answer, or our clock cannot be trusted. Nothing was done, and it is worth
    /// trying again soon.
    Unavailable(String),
    /// An internal error.
    Internal(String),
    /// It is unknown whether the database did what was requested. Trying again is safe.
    OutcomeUnknown(String),
}

impl Failure {
    /// The status.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::OAuth(error) => error.status(),
            Self::UntrustedRequest(_) | Self::StartAgain | Self::CookiesBlocked => {
                StatusCode::BAD_REQUEST
            }
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Forbidden | Self::UnknownNetwork => StatusCode::FORBIDDEN,
            Self::NotAForm => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::RateLimited(..) => StatusCode::TOO_MANY_REQUESTS,
            Self::Speculative | Self::Busy(_) | Self::Unavailable(_) | Self::OutcomeUnknown(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// After which time it is worth trying again (`Retry-After`).
    pub(super) const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited(_, after) | Self::Busy(after) => Some(*after),
            Self::Unavailable(_) | Self::OutcomeUnknown(_) => Some(RETRY_SOON),
            _ => None,
        }
    }

    /// The text for the log.
    pub(super) fn detail(&self) -> &str {
        match self {
            Self::UntrustedRequest(why) => why,
            Self::OAuth(error) => error.description(),
            Self::Internal(why) | Self::OutcomeUnknown(why) | Self::Unavailable(why) => why,
            Self::StartAgain => "the attempt is gone, too old or of another browser",
            Self::NotFound => "no such path",
            Self::MethodNotAllowed => "no such method",
            Self::Forbidden => "cross-site or without form token",
            Self::CookiesBlocked => "the browser sends no cookie",
            Self::NotAForm => "not a form",
            Self::TooLarge => "body too large",
            Self::TooSlow => "body too slow",
            Self::Speculative => "loaded ahead of a click",
            Self::Misdirected => "foreign Host",
            Self::RateLimited(..) => "too many posts from one network",
            Self::UnknownNetwork => {
                "a trusted proxy sent an X-Forwarded-For without a readable client address"
            }
            Self::Busy(_) => "the hashing queue is full",
        }
    }

    /// Name in metrics, if it is counted.
    pub(super) const fn reason(&self) -> Option<&'static str> {
        Some(match self {
            Self::UntrustedRequest(_) => "untrusted_request",
            Self::OAuth(error) => return error.reason(),
            Self::StartAgain => "start_again",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method",
            Self::Forbidden => "forbidden",
            Self::CookiesBlocked => "no_cookie",
            Self::NotAForm => "not_a_form",
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
            Self::Speculative => "speculative",
            Self::Misdirected => "misdirected",
            Self::RateLimited(..) => "too_many_posts",
            Self::UnknownNetwork => UNKNOWN_NETWORK,
            Self::Busy(_) => "busy",
            Self::Unavailable(_) => "away",
            Self::Internal(_) => "internal",
            Self::OutcomeUnknown(_) => "outcome_unknown",
        })
    }

    /// Whether the server is at fault.
    pub(super) const fn is_server_error(&self) -> bool {
        matches!(self, Self::Internal(_) | Self::OutcomeUnknown(_) | Self::Unavailable(_))
    }

    /// The error code for programs (RFC 6749, section 5.2, where it has one).
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::RateLimited(..)
            | Self::Busy(_)
            | Self::Unavailable(_)
            | Self::OutcomeUnknown(_) => "temporarily_unavailable",
            Self::Internal(_) => "server_error",
            _ => "invalid_request",
        }
    }
}

impl From<TokenError> for Failure {
    fn from(error: TokenError) -> Self {
        Self::OAuth(OAuthError::TokenRequest(error))
    }
}

impl From<BearerError> for Failure {
    fn from(error: BearerError) -> Self {
        Self::OAuth(OAuthError::AccessToken(error))
    }
}

impl From<flows::Error> for Failure {
    fn from(error: flows::Error) -> Self {
        match error {
            flows::Error::Busy { retry_after } => Self::Busy(retry_after),
            flows::Error::Store(store::Error::CommitUnknown(_)) | flows::Error::Conflict => {
                Self::OutcomeUnknown(error.to_string())
            }
            flows::Error::Store(store::Error::Unavailable(_)) => {
                Self::Unavailable(error.to_string())
            }
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        flows::Error::from(error).into()
    }
}

impl From<askama::Error> for Failure {
    fn from(error: askama::Error) -> Self {
        Self::Internal(format!("page: {error}"))
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}
