//! The token endpoint (RFC 6749, section 3.2): one registry of grant types over shared steps.

mod code;
pub(crate) mod issue;

pub use issue::Tokens;

use crate::{
    Cx, Result,
    client_auth::{self, Credentials},
    oauth_error::TokenError,
    refusal,
    request::Params,
};

/// `grant_types_supported`.
pub const GRANT_TYPES: [&str; 1] = ["authorization_code"];

/// Answers a token request.
pub async fn exchange(
    cx: &Cx,
    credentials: Credentials,
    params: &Params,
) -> Result<Result<Tokens, TokenError>> {
    if params.repeated().is_some() {
        let error = TokenError::request("a parameter came more than once");
        refusal::log_alone(cx, &error);
        return Ok(Err(error));
    }
    let client = match client_auth::authenticate(cx, credentials, params).await? {
        Ok(client) => client,
        Err(error) => return Ok(Err(error)),
    };
    let error = match params.get("grant_type") {
        Some("authorization_code") => return code::redeem(cx, &client, params).await,
        Some(_) => TokenError::new(
            "unsupported_grant_type",
            "only grant_type=authorization_code is supported".into(),
        ),
        None => TokenError::request("grant_type is missing"),
    };
    refusal::record(cx, &client.id, None, &error).await?;
    Ok(Err(error))
}
