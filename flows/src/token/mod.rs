//! The token endpoint (RFC 6749, section 3.2): one registry of grant types over shared steps.

mod code;
pub(crate) mod issue;
pub(crate) mod refused;

pub use issue::Tokens;

use crate::{Cx, Result, client_auth::AuthenticatedClient, request::Params};

/// A refusal of the token endpoint (RFC 6749, section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenError {
    /// `error`.
    pub error: &'static str,
    /// `error_description`.
    pub description: &'static str,
}

impl TokenError {
    pub(crate) const fn grant(description: &'static str) -> Self {
        Self { error: "invalid_grant", description }
    }

    pub(crate) const fn request(description: &'static str) -> Self {
        Self { error: "invalid_request", description }
    }

    pub(crate) const fn client(description: &'static str) -> Self {
        Self { error: "invalid_client", description }
    }
}

/// `grant_types_supported`.
pub const GRANT_TYPES: [&str; 1] = ["authorization_code"];

/// Answers the token request of an authenticated client.
pub async fn exchange(
    cx: &Cx,
    client: &AuthenticatedClient,
    params: &Params,
) -> Result<Result<Tokens, TokenError>> {
    let client = client.client();
    let error = match params.get("grant_type") {
        Some("authorization_code") => return code::redeem(cx, client, params).await,
        Some(_) => TokenError {
            error: "unsupported_grant_type",
            description: "only grant_type=authorization_code is supported",
        },
        None => TokenError::request("grant_type is missing"),
    };
    refused::record(cx, &client.id, None, error).await?;
    Ok(Err(error))
}
