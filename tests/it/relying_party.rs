//! Client libraries that others wrote, one of them not in Rust, against the running provider: with each algorithm.

use std::path::PathBuf;

use idp::fetch::Fetch;
use keys::Algorithm;
use openidconnect::{
    AuthorizationCode, ClientId, ClientSecret, CsrfToken, IssuerUrl, Nonce, OAuth2TokenResponse,
    PkceCodeChallenge, ProviderMetadataWithLogout, RedirectUrl, Scope, TokenResponse,
    core::{CoreAuthenticationFlow, CoreClient, CoreJwsSigningAlgorithm, CoreUserInfoClaims},
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use url::Url;
use vestibule_tests::{
    app::{Options, TestApp},
    client::{Landed, Pending},
    on_both_engines,
};

/// The Python that `scripts/prepare` has put the library into.
fn python() -> PathBuf {
    let python = vestibule_tests::root().join("target/tools/python/bin/python");
    assert!(python.exists(), "scripts/prepare installs the Python client library");
    python
}

on_both_engines! {
    async fn authlib_signs_a_person_in(engine) {
        signs_a_person_in(&TestApp::start(engine).await).await;
    }

    async fn authlib_signs_a_person_in_over_tls(engine) {
        signs_a_person_in(&TestApp::with(engine, Options { tls: true, ..Options::default() }).await).await;
    }

    async fn openidconnect_signs_a_person_in(engine) {
        let app = TestApp::start(engine).await;
        let patient = app.patient("Mere").await;
        let http = Fetch::loopback().unwrap();
        let issuer = IssuerUrl::new(app.issuer().to_owned()).unwrap();
        for algorithm in Algorithm::ALL {
            let id = format!("rust-{}", algorithm.as_str().to_lowercase());
            let registered = app.client_with(&id, |new| new.id_token_alg = algorithm).await;
            let metadata = ProviderMetadataWithLogout::discover_async(issuer.clone(), &http).await.unwrap();
            let wanted: CoreJwsSigningAlgorithm =
                serde_json::from_value(algorithm.as_str().into()).unwrap();
            assert!(metadata.id_token_signing_alg_values_supported().contains(&wanted));
            let secret = ClientSecret::new(registered.secret.clone().unwrap());
            let client = CoreClient::from_provider_metadata(metadata, ClientId::new(id), Some(secret))
                .set_redirect_uri(RedirectUrl::new(registered.redirect_uri.clone()).unwrap());
            let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
            let flow = CoreAuthenticationFlow::AuthorizationCode;
            let (url, state, nonce) = client
                .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
                .add_scope(Scope::new("email".to_owned()))
                .set_pkce_challenge(challenge)
                .url();
            let browser = app.browser();
            let page = browser.follow(browser.get(url.as_str()).await).await;
            let mails = app.mail.codes_to(&patient.email).len();
            let page = browser.password(&page, &patient).await;
            let code = app.mail.code(&patient.email, mails + 1).await;
            let landed = browser.code(&page, &code).await.landed(Pending::new(&registered));
            assert_eq!(landed.param("state").as_deref(), Some(state.secret().as_str()));
            let tokens = client.exchange_code(AuthorizationCode::new(landed.code())).unwrap();
            let tokens = tokens.set_pkce_verifier(verifier).request_async(&http).await.unwrap();
            let verifier = client.id_token_verifier().set_allowed_algs([wanted.clone()]);
            let id_token = tokens.id_token().expect("an ID token");
            assert_eq!(id_token.signing_alg().unwrap(), &wanted);
            let claims = id_token.claims(&verifier, &nonce).unwrap();
            assert_eq!(claims.auth_context_ref().map(|acr| acr.as_str()), Some("urn:vestibule:two-step"));
            assert!(id_token.claims(&verifier, &Nonce::new_random()).is_err(), "another's nonce");
            let access = tokens.access_token().to_owned();
            let info = client.user_info(access, Some(claims.subject().clone())).unwrap();
            let info: CoreUserInfoClaims = info.request_async(&http).await.unwrap();
            assert_eq!(info.email().map(|email| email.as_str()), Some(patient.email.as_str()));
        }
    }
}

/// With every algorithm. Over TLS the library trusts the authority of the test alone.
async fn signs_a_person_in(app: &TestApp) {
    let patient = app.patient("Mere").await;
    for algorithm in Algorithm::ALL {
        let id = format!("python-{}", algorithm.as_str().to_lowercase());
        let client = app.client_with(&id, |new| new.id_token_alg = algorithm).await;
        let mut process = tokio::process::Command::new(python())
            .arg(vestibule_tests::root().join("tests/clients/relying_party.py"))
            .args([
                app.issuer(),
                &client.id,
                client.secret.as_deref().unwrap(),
                &client.redirect_uri,
            ])
            .args(app.issuer().starts_with("https").then(|| app.authority().file()))
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let url: Url = lines.next_line().await.unwrap().expect("an address").parse().unwrap();
        let browser = app.browser();
        let page = browser.follow(browser.get(url.as_str()).await).await;
        let mails = app.mail.codes_to(&patient.email).len();
        let page = browser.password(&page, &patient).await;
        let code = app.mail.code(&patient.email, mails + 1).await;
        let Landed { url, .. } = browser.code(&page, &code).await.landed(Pending::new(&client));
        let mut stdin = process.stdin.take().unwrap();
        stdin.write_all(format!("{url}\n").as_bytes()).await.unwrap();
        let told = lines.next_line().await.unwrap().expect("what it verified");
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        assert_eq!(told["alg"], algorithm.as_str());
        assert_eq!(told["claims"]["acr"], "urn:vestibule:two-step");
        assert_eq!(told["userinfo"]["email"], patient.email);
        assert!(process.wait().await.unwrap().success());
    }
}
