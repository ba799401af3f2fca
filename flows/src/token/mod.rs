//! The token endpoint (RFC 6749, section 3.2): one registry of grant types over shared steps; and the verification of access
//! tokens.

mod authorization_code;
pub(crate) mod issue;
mod principal;

use std::{borrow::Cow, pin::Pin, sync::Arc};

pub use issue::Tokens;
pub use principal::{Principal, verify_access_token};

use crate::{
    Cx, Result,
    client::{Client, GrantType},
    client_auth::AuthenticatedClient,
    client_refusal,
    oauth_error::{TokenError, TokenErrorCode},
    request::Params,
};

/// The answer to a token request: tokens, or a refusal.
pub type TokenResult = Result<Result<Tokens, TokenError>>;

type TokenFuture<'a> = Pin<Box<dyn Future<Output = TokenResult> + Send + 'a>>;

/// A grant type and its handler.
#[derive(Debug)]
pub struct GrantHandler {
    /// `grant_type`, and its name in `grant_types_supported`.
    pub name: GrantType,
    /// Answers the request of an authenticated client.
    handler: for<'a> fn(&'a Cx, &'a Arc<Client>, &'a Params) -> TokenFuture<'a>,
}

/// The one list of grant types: the token endpoint accepts these and no others, and the metadata lists them.
pub const GRANT_TYPES: &[GrantHandler] = &[authorization_code::HANDLER];

const UNAUTHORIZED: TokenError = TokenError::new(
    TokenErrorCode::UnauthorizedClient,
    Cow::Borrowed("the client is not registered for this grant type"),
);

/// Answers the token request of an authenticated client.
pub async fn exchange(cx: &Cx, client: &AuthenticatedClient, params: &Params) -> TokenResult {
    let client = client.client();
    let error = match params.get("grant_type") {
        Some(name) => match GRANT_TYPES.iter().find(|known| known.name.as_str() == name) {
            Some(known) if client.has_grant_type(known.name) => {
                return (known.handler)(cx, client, params).await;
            }
            Some(_) => UNAUTHORIZED,
            None => unsupported(),
        },
        None => TokenError::invalid_request("grant_type is missing"),
    };
    client_refusal::record(cx, &client.id, None, &error).await?;
    Ok(Err(error))
}

fn unsupported() -> TokenError {
    let names: Vec<&str> = GRANT_TYPES.iter().map(|known| known.name.as_str()).collect();
    let description = format!("only grant_type={} is supported", names.join(", "));
    TokenError::new(TokenErrorCode::UnsupportedGrantType, Cow::Owned(description))
}
