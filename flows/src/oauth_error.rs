//! Errors that clients receive (RFC 6749, sections 4.1.2.1 and 5.2).

use std::borrow::Cow;

use crate::audit::outcome::outcomes;

/// An error that is returned to a client by redirect (RFC 6749, section 4.1.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuthError {
    /// `error`.
    pub error: &'static str,
    /// `error_description`: printable ASCII without quotation mark and backslash.
    pub description: &'static str,
}

impl OAuthError {
    /// An error with its description.
    #[must_use]
    pub const fn new(error: &'static str, description: &'static str) -> Self {
        Self { error, description }
    }
}

outcomes! {
    /// `error` of a refusal (RFC 6749, section 5.2), which is its outcome in the trail as well.
    TokenErrorCode {
        InvalidGrant = "invalid_grant", InvalidClient = "invalid_client", InvalidRequest = "invalid_request",
        UnsupportedGrantType = "unsupported_grant_type", UnauthorizedClient = "unauthorized_client",
    }
}

/// An error of an endpoint that clients call themselves (RFC 6749, section 5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenError {
    /// `error`.
    pub error: TokenErrorCode,
    /// `error_description`: printable ASCII without quotation mark and backslash.
    pub description: Cow<'static, str>,
    /// Header fields that this error adds to the response: lower-case name, value.
    pub headers: Vec<(&'static str, String)>,
}

impl TokenError {
    /// An error with its description.
    #[must_use]
    pub(crate) const fn new(error: TokenErrorCode, description: Cow<'static, str>) -> Self {
        Self { error, description, headers: Vec::new() }
    }

    /// The grant that was presented is not valid: `invalid_grant`.
    pub(crate) const fn invalid_grant(description: &'static str) -> Self {
        Self::new(TokenErrorCode::InvalidGrant, Cow::Borrowed(description))
    }

    /// The request cannot be understood: `invalid_request`.
    pub(crate) const fn invalid_request(description: &'static str) -> Self {
        Self::new(TokenErrorCode::InvalidRequest, Cow::Borrowed(description))
    }

    /// Client authentication failed: `invalid_client`, with the challenge that the response must have.
    pub(crate) fn invalid_client(description: &'static str) -> Self {
        let challenge = ("www-authenticate", "Basic realm=\"token\"".to_owned());
        Self {
            headers: vec![challenge],
            ..Self::new(TokenErrorCode::InvalidClient, Cow::Borrowed(description))
        }
    }
}
