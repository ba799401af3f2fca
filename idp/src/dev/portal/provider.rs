//! The protocol of a relying party: discovery, authorization request, code exchange, verification,
//! userinfo, logout. The `openidconnect` crate does everything but the transport, so that the portal
//! tests our provider without sharing its code.

use std::error::Error;
use std::time::Duration;

use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreGenderClaim, CoreIdToken, CoreJwsSigningAlgorithm,
    CoreTokenResponse,
};
use openidconnect::{
    AccessToken, AccessTokenHash, AuthType, AuthorizationCode, ClaimsVerificationError, ClientId,
    ClientSecret, CsrfToken, EmptyAdditionalClaims, EndSessionUrl, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, IssuerUrl, LogoutRequest, Nonce, OAuth2TokenResponse,
    PkceCodeChallenge, PkceCodeVerifier, PostLogoutRedirectUrl, ProviderMetadataWithLogout,
    RedirectUrl, RequestTokenError, Scope, SignatureVerificationError, SubjectIdentifier,
    TokenResponse, UserInfoClaims,
};
use url::Url;

use super::Portal;
use crate::clock::{Clock, system_time};
use crate::fetch::Fetch;

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// A discovered provider.
#[derive(Debug)]
pub(super) struct Provider {
    client: Client,
    issuer: IssuerUrl,
    end_session: Option<EndSessionUrl>,
}

/// An authorization request under way. Each value is used once.
#[derive(Debug)]
pub(super) struct PendingSignIn {
    pub(super) state: CsrfToken,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
}

/// The answer of the token endpoint, not yet verified.
#[derive(Debug)]
pub(super) struct UnverifiedTokens {
    tokens: CoreTokenResponse,
    nonce: Nonce,
}

/// Verified tokens.
#[derive(Debug)]
pub(super) struct VerifiedTokens {
    pub(super) id_token: CoreIdToken,
    pub(super) access_lifetime: Option<Duration>,
    subject: SubjectIdentifier,
    access_token: AccessToken,
}

/// Why a sign-in failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProviderError {
    #[error("the sign-in service cannot be reached")]
    Unreachable(#[source] Box<dyn Error + Send + Sync>),
    #[error("the sign-in service refused the code: {code}")]
    Refused { code: String, description: String },
    #[error("the ID token is signed with a key that is not published")]
    UnknownKey,
    #[error("the answer of the sign-in service is not to be trusted: {0}")]
    Untrusted(String),
}

impl Provider {
    /// Reads the provider's metadata and keys (OpenID Connect Discovery 1.0, section 4).
    pub(super) async fn discover(portal: &Portal, http: &Fetch) -> Result<Self, ProviderError> {
        let issuer = IssuerUrl::new(portal.issuer.as_str().trim_end_matches('/').to_owned())
            .map_err(unreachable)?;
        let metadata = ProviderMetadataWithLogout::discover_async(issuer.clone(), http).await;
        Self::new(portal, issuer, metadata.map_err(unreachable)?)
    }

    fn new(
        portal: &Portal,
        issuer: IssuerUrl,
        metadata: ProviderMetadataWithLogout,
    ) -> Result<Self, ProviderError> {
        let end_session = metadata.additional_metadata().end_session_endpoint.clone();
        let secret = ClientSecret::new(portal.client_secret.reveal().to_owned());
        let id = ClientId::new(portal.client_id.clone());
        let redirect = RedirectUrl::new(portal.redirect_uri()).map_err(unreachable)?;
        let client = CoreClient::from_provider_metadata(metadata, id, Some(secret))
            .set_auth_type(AuthType::BasicAuth)
            .set_redirect_uri(redirect);
        Ok(Self { client, issuer, end_session })
    }

    /// Whether the `iss` of a callback is this provider (RFC 9207, section 2.4).
    pub(super) fn is_issuer(&self, iss: &str) -> bool {
        self.issuer.as_str() == iss
    }

    /// The authorization URL, and the values to check in the callback (RFC 7636; OpenID Connect Core, 3.1.2.1).
    pub(super) fn authorize(&self) -> (Url, PendingSignIn) {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let (url, state, nonce) = self
            .client
            .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
            .add_scope(Scope::new("profile".to_owned()))
            .add_scope(Scope::new("email".to_owned()))
            .set_pkce_challenge(challenge)
            .url();
        (url, PendingSignIn { state, nonce, verifier })
    }

    /// Exchanges the code, once.
    pub(super) async fn exchange(
        &self,
        http: &Fetch,
        pending: PendingSignIn,
        code: String,
    ) -> Result<UnverifiedTokens, ProviderError> {
        let request = self
            .client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| ProviderError::Untrusted(error.to_string()))?;
        let answer = request.set_pkce_verifier(pending.verifier).request_async(http).await;
        let tokens = answer.map_err(|error| match error {
            RequestTokenError::ServerResponse(refused) => ProviderError::Refused {
                code: refused.error().to_string(),
                description: refused.error_description().cloned().unwrap_or_default(),
            },
            RequestTokenError::Request(error) => unreachable(error),
            // The body is left out: it may contain tokens.
            RequestTokenError::Parse(error, _) => ProviderError::Untrusted(error.to_string()),
            RequestTokenError::Other(text) => ProviderError::Untrusted(text),
        })?;
        Ok(UnverifiedTokens { tokens, nonce: pending.nonce })
    }

    /// Verifies the ID token: signature, issuer, audience, expiry, nonce and the hash of the access
    /// token (OpenID Connect Core, 3.1.3.7 and 3.1.3.8).
    pub(super) fn verify(
        &self,
        clock: &Clock,
        answer: &UnverifiedTokens,
    ) -> Result<VerifiedTokens, ProviderError> {
        let untrusted = |error: &dyn Error| ProviderError::Untrusted(error.to_string());
        let id_token = answer
            .tokens
            .id_token()
            .ok_or_else(|| ProviderError::Untrusted("there is no ID token".to_owned()))?;
        let asymmetric = [
            CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
            CoreJwsSigningAlgorithm::EcdsaP256Sha256,
            CoreJwsSigningAlgorithm::EdDsa,
        ];
        let verifier = self
            .client
            .id_token_verifier()
            .set_allowed_algs(asymmetric)
            .set_time_fn(|| system_time(clock.now()).into());
        let claims = id_token.claims(&verifier, &answer.nonce).map_err(|error| match error {
            ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::NoMatchingKey,
            ) => ProviderError::UnknownKey,
            other => untrusted(&other),
        })?;
        if let Some(expected) = claims.access_token_hash() {
            let algorithm = id_token.signing_alg().map_err(|error| untrusted(&error))?;
            let key = id_token.signing_key(&verifier).map_err(|error| untrusted(&error))?;
            let actual = AccessTokenHash::from_token(answer.tokens.access_token(), algorithm, key)
                .map_err(|error| untrusted(&error))?;
            if actual != *expected {
                return Err(ProviderError::Untrusted("at_hash does not fit".to_owned()));
            }
        }
        Ok(VerifiedTokens {
            id_token: id_token.clone(),
            subject: claims.subject().clone(),
            access_token: answer.tokens.access_token().clone(),
            access_lifetime: answer.tokens.expires_in(),
        })
    }

    /// Requests userinfo. A subject other than the ID token's is refused (OpenID Connect Core, 5.3.2).
    pub(super) async fn userinfo(
        &self,
        http: &Fetch,
        verified: &VerifiedTokens,
    ) -> Result<UserInfoClaims<EmptyAdditionalClaims, CoreGenderClaim>, ProviderError> {
        let request = self
            .client
            .user_info(verified.access_token.clone(), Some(verified.subject.clone()))
            .map_err(|error| ProviderError::Untrusted(error.to_string()))?;
        request
            .request_async(http)
            .await
            .map_err(|error| ProviderError::Untrusted(error.to_string()))
    }

    /// The URL at which the browser ends its session at the provider (RP-Initiated Logout 1.0, section 2).
    pub(super) fn logout_url(
        &self,
        hint: &CoreIdToken,
        portal: &Portal,
        state: CsrfToken,
    ) -> Option<Url> {
        let back = PostLogoutRedirectUrl::new(portal.post_logout_redirect_uri()).ok()?;
        let request = LogoutRequest::from(self.end_session.clone()?)
            .set_id_token_hint(hint)
            .set_client_id(ClientId::new(portal.client_id.clone()))
            .set_post_logout_redirect_uri(back)
            .set_state(state);
        Some(request.http_get_url())
    }
}

fn unreachable(error: impl Error + Send + Sync + 'static) -> ProviderError {
    ProviderError::Unreachable(Box::new(error))
}
