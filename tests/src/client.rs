//! A client from its own point of view: its registration, its requests, and the answers.

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use flows::client::AuthMethod;
use reqwest::Method;
use serde_json::Value;
use url::Url;

use crate::{
    app::TestApp,
    http::{HttpBrowser, Response},
};

/// A registered client.
#[derive(Clone, Debug)]
pub struct Client {
    /// `client_id`.
    pub id: String,
    /// `client_secret`.
    pub secret: Option<String>,
    /// Its first redirect URI.
    pub redirect_uri: String,
    /// How it authenticates.
    pub auth_method: AuthMethod,
}

/// A pending authorization request.
#[derive(Clone, Debug)]
pub struct PendingRequest {
    /// `client_id`.
    pub client_id: String,
    /// `redirect_uri`.
    pub redirect_uri: String,
    /// `state`.
    pub state: String,
    /// `nonce`.
    pub nonce: String,
    /// PKCE verifier.
    pub verifier: String,
    /// `scope`.
    pub scope: String,
}

/// The answer with which the browser came back to the client.
#[derive(Clone, Debug)]
pub struct AuthorizationResponse {
    /// The whole address.
    pub url: Url,
    /// The request that it answers.
    pub pending: PendingRequest,
}

impl PendingRequest {
    /// A new request.
    pub fn new(client: &Client) -> Self {
        let random = || keys::OpaqueToken::generate(&keys::Rng::system()).reveal().to_owned();
        Self {
            client_id: client.id.clone(),
            redirect_uri: client.redirect_uri.clone(),
            state: random(),
            nonce: random(),
            verifier: random(),
            scope: "openid profile email".to_owned(),
        }
    }

    /// PKCE challenge, S256.
    pub fn challenge(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(keys::hash_text(&self.verifier).as_bytes())
    }

    /// The parameters, with some changed, added, or (empty) left out.
    pub fn params(&self, changes: &[(&str, &str)]) -> Vec<(String, String)> {
        let challenge = self.challenge();
        let mut params = vec![
            ("client_id", self.client_id.as_str()),
            ("redirect_uri", &self.redirect_uri),
            ("response_type", "code"),
            ("scope", &self.scope),
            ("state", &self.state),
            ("nonce", &self.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        params.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        params.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
        params.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// The address to send the browser to.
    pub fn url(&self, issuer: &str, changes: &[(&str, &str)]) -> String {
        let mut url = Url::parse(&format!("{issuer}/oauth2/authorize")).expect("an address");
        url.query_pairs_mut().extend_pairs(self.params(changes));
        url.into()
    }
}

impl AuthorizationResponse {
    /// A parameter of the answer.
    pub fn param(&self, name: &str) -> Option<String> {
        self.url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// The authorization code.
    pub fn code(&self) -> String {
        self.param("code").unwrap_or_else(|| panic!("no code: {}", self.url))
    }

    /// The error.
    pub fn error(&self) -> String {
        self.param("error").unwrap_or_else(|| panic!("no error: {}", self.url))
    }
}

impl Client {
    /// Redeems the code of an answer.
    pub async fn redeem(&self, app: &TestApp, landed: &AuthorizationResponse) -> Response {
        self.token_request(app, landed, &[]).await
    }

    /// A token request for an answer, with some parameters changed, added, or (empty) left out.
    pub async fn token_request(
        &self,
        app: &TestApp,
        landed: &AuthorizationResponse,
        changes: &[(&str, &str)],
    ) -> Response {
        let code = landed.code();
        let mut params = vec![
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", &landed.pending.redirect_uri),
            ("code_verifier", &landed.pending.verifier),
        ];
        params.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        params.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
        self.call_token(app, &params).await
    }

    /// Redeems the code of an answer at the provider of a browser.
    pub async fn redeem_at(
        &self,
        browser: &HttpBrowser,
        landed: &AuthorizationResponse,
    ) -> Response {
        self.try_redeem(browser, landed).await.expect("the provider answers")
    }

    /// Redeems a code at a provider that may not answer.
    pub async fn try_redeem(
        &self,
        browser: &HttpBrowser,
        landed: &AuthorizationResponse,
    ) -> Option<Response> {
        let params = [
            ("grant_type", "authorization_code"),
            ("code", &landed.code()),
            ("redirect_uri", &landed.pending.redirect_uri),
            ("code_verifier", &landed.pending.verifier),
        ];
        self.try_call_token(browser, &params).await
    }

    /// Calls the token endpoint with the client's authentication.
    pub async fn call_token(&self, app: &TestApp, params: &[(&str, &str)]) -> Response {
        self.call_token_at(&app.browser(), params).await
    }

    /// The same at the provider of a browser.
    pub async fn call_token_at(&self, browser: &HttpBrowser, params: &[(&str, &str)]) -> Response {
        self.try_call_token(browser, params).await.expect("the provider answers")
    }

    async fn try_call_token(
        &self,
        browser: &HttpBrowser,
        params: &[(&str, &str)],
    ) -> Option<Response> {
        let mut params: Vec<(String, String)> =
            params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let secret = self.secret.as_deref().unwrap_or_default();
        let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{}:{secret}", self.id)));
        let mut headers = Vec::new();
        match self.auth_method {
            AuthMethod::Basic => headers.push(("authorization", basic.as_str())),
            AuthMethod::Post => {
                params.push(("client_id".to_owned(), self.id.clone()));
                params.push(("client_secret".to_owned(), secret.to_owned()));
            }
            AuthMethod::None => params.push(("client_id".to_owned(), self.id.clone())),
        }
        browser.try_send(Method::POST, "/oauth2/token", &headers, Some(&params)).await
    }

    /// Redeems a code and returns the tokens.
    pub async fn redeem_tokens(&self, app: &TestApp, landed: &AuthorizationResponse) -> Value {
        let answer = self.redeem(app, landed).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }
}

/// Calls userinfo with an access token.
pub async fn get_userinfo(app: &TestApp, token: &str) -> Response {
    let bearer = format!("Bearer {token}");
    app.browser().send(Method::GET, "/oauth2/userinfo", &[("authorization", &bearer)], None).await
}

/// The claims of a token, unverified: for tests where something else verifies it.
pub fn decode_claims(token: &str) -> Value {
    let part = token.split('.').nth(1).expect("three parts");
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).expect("base64")).expect("JSON")
}
