//! Keys: which key signs, how it is replaced, and what the root key decrypts.

mod algorithms;
mod commands;
mod lock_order;
mod root_key_loss;
mod root_key_rotation;
mod signing_key_rotation;

use openidconnect::{
    ClientId, ClientSecret, IssuerUrl, Nonce,
    core::{CoreIdToken, CoreIdTokenVerifier, CoreJsonWebKeySet, CoreJwsSigningAlgorithm},
};
use serde_json::Value;
use vestibule_tests::{
    client::{AuthorizationResponse, Client, PendingRequest},
    http::HttpBrowser,
};

/// The key set as a client caches it.
async fn key_set(browser: &HttpBrowser) -> CoreJsonWebKeySet {
    let answer = browser.get("/oauth2/jwks").await;
    serde_json::from_str(&answer.body).expect("a key set")
}

/// Verifies an ID token with nothing but a key set, by a library that shares no code with the provider.
fn verify(
    keys: &CoreJsonWebKeySet,
    issuer: &str,
    client: &Client,
    (token, nonce): (&Value, &str),
) -> Result<CoreJwsSigningAlgorithm, String> {
    let token: CoreIdToken = serde_json::from_value(token.clone()).expect("an ID token");
    let verifier = CoreIdTokenVerifier::new_confidential_client(
        ClientId::new(client.id.clone()),
        ClientSecret::new(client.secret.clone().expect("a confidential client")),
        IssuerUrl::new(issuer.to_owned()).expect("an issuer"),
        keys.clone(),
    )
    // The test's clock is ahead of the library's clock: other tests check the times.
    .set_time_fn(|| std::time::UNIX_EPOCH.into())
    .set_issue_time_verifier_fn(|_| Ok(()))
    .set_allowed_algs([
        CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
        CoreJwsSigningAlgorithm::EcdsaP256Sha256,
        CoreJwsSigningAlgorithm::EdDsa,
    ]);
    token.claims(&verifier, &Nonce::new(nonce.to_owned())).map_err(|error| error.to_string())?;
    token.signing_alg().cloned().map_err(|error| error.to_string())
}

/// A silent sign-in of a browser with a session.
async fn silent_sign_in(
    browser: &HttpBrowser,
    issuer: &str,
    client: &Client,
) -> AuthorizationResponse {
    let quiet = PendingRequest::new(client);
    browser.get(quiet.url(issuer, &[("prompt", "none")])).await.authorization_response(quiet)
}

/// The header of a token, unverified.
fn header(token: &Value) -> Value {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    let first = token.as_str().expect("text").split('.').next().expect("three parts");
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(first).expect("base64")).expect("JSON")
}
