//! Client authentication (RFC 6749, section 2.3): by the secret, sent by either method unless one is pinned, or by none.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use subtle::ConstantTimeEq;

use crate::{
    Cx, Result,
    client::{AuthMethod, Client},
    client_refusal,
    oauth_error::TokenError,
    request::Params,
};

/// The `Authorization` header of a token request.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// No header.
    None,
    /// A header with id and secret.
    Basic {
        /// `client_id`.
        id: String,
        /// `client_secret`; an empty one counts as absent, as in a body (RFC 6749, section 3.1). Libraries send the header
        /// for public clients, too.
        secret: Option<ClientSecret>,
    },
    /// A header that cannot be parsed.
    Unreadable,
}

/// A presented client secret, not yet compared.
#[derive(Clone)]
pub struct ClientSecret(String);

impl std::fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Credentials {
    /// Parses an `Authorization` header: id and secret are form-encoded before base64 (RFC 6749, section 2.3.1).
    #[must_use]
    pub fn parse(header: Option<&str>) -> Self {
        let Some(header) = header else { return Self::None };
        Self::basic(header).unwrap_or(Self::Unreadable)
    }

    fn basic(header: &str) -> Option<Self> {
        let (scheme, encoded) = header.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = String::from_utf8(BASE64_STANDARD.decode(encoded.trim()).ok()?).ok()?;
        let (id, secret) = decoded.split_once(':')?;
        let secret = Some(form_decoded(secret)?).filter(|secret| !secret.is_empty());
        Some(Self::Basic { id: form_decoded(id)?, secret: secret.map(ClientSecret) })
    }
}

fn form_decoded(text: &str) -> Option<String> {
    let pair = format!("v={}", text.replace('&', "%26"));
    url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned())
}

/// A client that has authenticated. Only [`authenticate`] constructs it.
#[derive(Clone, Debug)]
pub struct AuthenticatedClient {
    client: Arc<Client>,
}

impl AuthenticatedClient {
    /// The client.
    pub(crate) const fn client(&self) -> &Arc<Client> {
        &self.client
    }
}

/// Authenticates the client of a request. A refusal is recorded in the trail if the request names a registered client.
pub async fn authenticate(
    cx: &Cx,
    credentials: &Credentials,
    params: &Params,
) -> Result<Result<AuthenticatedClient, TokenError>> {
    if params.duplicate().is_some() {
        let error = TokenError::invalid_request("a parameter came more than once");
        client_refusal::log_unattributed(cx, &error);
        return Ok(Err(error));
    }
    let outcome = check(cx, credentials, params);
    if let Err(error) = &outcome {
        let claimed = match credentials {
            Credentials::Basic { id, .. } => Some(id.as_str()),
            _ => params.get("client_id"),
        };
        // Only a registered name is recorded in the trail: any other is text that the caller chose.
        match claimed.filter(|id| cx.find_client(id).is_some()) {
            Some(id) => client_refusal::record(cx, id, None, error).await?,
            None => client_refusal::log_unattributed(cx, error),
        }
    }
    Ok(outcome.map(|client| AuthenticatedClient { client }))
}

/// What is said depends on the request alone, so that a stranger learns neither which clients there
/// are nor which of them have a secret.
fn unknown_client(secret: Option<&str>) -> TokenError {
    TokenError::invalid_client(match secret {
        Some(_) => "the client is unknown or its secret is wrong",
        None => "the request has no secret, and the client is unknown or has one",
    })
}

fn check(cx: &Cx, credentials: &Credentials, params: &Params) -> Result<Arc<Client>, TokenError> {
    let in_body = params.get("client_secret");
    let (id, secret, method) = match credentials {
        Credentials::Unreadable => {
            return Err(TokenError::invalid_client("the Authorization header cannot be read"));
        }
        Credentials::Basic { .. } if in_body.is_some() => {
            return Err(TokenError::invalid_request("two ways of client authentication at once"));
        }
        Credentials::Basic { id, secret } => {
            if params.get("client_id").is_some_and(|other| other != id) {
                return Err(TokenError::invalid_request("client_id is not the one of the header"));
            }
            let method = secret.as_ref().map_or(AuthMethod::None, |_| AuthMethod::Basic);
            (id.as_str(), secret.as_ref().map(|secret| secret.0.as_str()), method)
        }
        Credentials::None => {
            let id = params
                .get("client_id")
                .ok_or_else(|| TokenError::invalid_client("client authentication is missing"))?;
            (id, in_body, in_body.map_or(AuthMethod::None, |_| AuthMethod::Post))
        }
    };
    let client = cx.find_client(id).ok_or_else(|| unknown_client(secret))?;
    let right = match (&client.secret, secret) {
        (Some(stored), Some(given)) => {
            bool::from(stored.as_bytes().ct_eq(keys::hash_text(given).as_bytes()))
        }
        (None, None) => true,
        _ => false,
    };
    if !right {
        return Err(unknown_client(secret));
    }
    if client.accepts_auth_method(method) {
        return Ok(client.clone());
    }
    // Only the holder of the secret learns how the client is registered.
    Err(match client.metadata.token_endpoint_auth_method {
        AuthMethod::Basic => TokenError::invalid_client(
            "the secret is right, but this client authenticates by client_secret_basic alone",
        ),
        AuthMethod::Post => TokenError::invalid_client(
            "the secret is right, but this client authenticates by client_secret_post alone",
        ),
        AuthMethod::None => unknown_client(secret),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials_are_form_encoded() {
        // "portal" and "a b:c" (RFC 6749, section 2.3.1)
        let header = format!("basic {}", BASE64_STANDARD.encode("portal:a+b%3Ac"));
        let Credentials::Basic { id, secret } = Credentials::parse(Some(&header)) else {
            unreachable!()
        };
        let secret = secret.map(|secret| secret.0);
        assert_eq!((id.as_str(), secret.as_deref()), ("portal", Some("a b:c")));
        assert!(matches!(Credentials::parse(Some("Bearer x")), Credentials::Unreadable));
        assert!(matches!(Credentials::parse(Some("Basic !!")), Credentials::Unreadable));
        assert!(matches!(Credentials::parse(None), Credentials::None));
    }

    #[test]
    fn empty_basic_secret_is_absent() {
        let header = format!("Basic {}", BASE64_STANDARD.encode("app:"));
        let Credentials::Basic { id, secret } = Credentials::parse(Some(&header)) else {
            unreachable!()
        };
        assert!(id == "app" && secret.is_none());
        let without_colon = format!("Basic {}", BASE64_STANDARD.encode("app"));
        assert!(matches!(Credentials::parse(Some(&without_colon)), Credentials::Unreadable));
    }
}
