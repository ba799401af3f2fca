//! `/oauth2/token`.

use flows::{
    client::{AuthMethod, Pkce},
    token::GRANT_TYPES,
};
use keys::Algorithm;
use reqwest::Method;
use serde_json::json;
use vestibule_tests::{
    app::TestApp,
    client::{Client, PendingRequest, decode_claims},
    db::Engine,
};

use crate::engines::{apply, both_engines};

#[apply(both_engines)]
async fn token_claims_match_proven_steps(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let landed = app.browser().sign_in(&app, &client, &patient).await;
    let answer = client.redeem(&app, &landed).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("cache-control"), "no-store");
    let tokens = answer.json();
    assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(300)));
    let id = decode_claims(tokens["id_token"].as_str().unwrap());
    let access = decode_claims(tokens["access_token"].as_str().unwrap());
    for token in [&id, &access] {
        assert_eq!(token["iss"], app.issuer());
        assert_eq!(token["acr"], "urn:vestibule:two-step");
        assert_eq!(
            token["amr"],
            json!(["pwd", "mca"]),
            "a mailed code is no second factor (decision 1)"
        );
        assert_eq!(token["exp"].as_i64().unwrap() - token["iat"].as_i64().unwrap(), 300);
    }
    assert_eq!(id["aud"], json!(["portal"]));
    assert_eq!(id["nonce"], landed.pending.nonce);
    assert!(id["sid"].as_str().unwrap().len() >= 22 && id["sub"].as_str().unwrap().len() >= 22);
    assert_eq!(
        (&access["client_id"], &access["scope"]),
        (&json!("portal"), &json!("openid profile email"))
    );
    assert!(id.get("email").is_none() && id.get("name").is_none(), "claims come from userinfo");
    let header = tokens["access_token"].as_str().unwrap().split('.').next().unwrap();
    let header = base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, header).unwrap();
    assert!(String::from_utf8(header).unwrap().contains("at+jwt"), "RFC 9068, section 2.1");
}

/// RFC 6749, section 5.1: `scope` is required when less was granted than asked, and is always said.
#[apply(both_engines)]
async fn token_response_says_granted_scope(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (portal, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    browser.sign_in(&app, &portal, &patient).await;
    for (asked, granted) in [
        ("openid profile", "openid profile"),
        ("openid offline_access patient/*.read email", "openid email"),
    ] {
        let pending = PendingRequest::new(&portal);
        let answer = browser.get(pending.url(app.issuer(), &[("scope", asked)])).await;
        let landed = answer.authorization_response(pending);
        let tokens = portal.redeem_tokens(&app, &landed).await;
        assert_eq!(tokens["scope"], granted, "{asked}");
    }
}

#[apply(both_engines)]
async fn client_authentication_must_match_registration(engine: Engine) {
    let app = TestApp::start(engine).await;
    let patient = app.patient("Mere").await;
    for (id, method) in
        [("basic", AuthMethod::Basic), ("post", AuthMethod::Post), ("public", AuthMethod::None)]
    {
        let client = app
            .client_with(id, |new| {
                new.metadata.token_endpoint_auth_method = method;
                new.operator.auth_method_pinned = method != AuthMethod::None;
                new.metadata.id_token_signed_response_alg = Algorithm::ES256;
            })
            .await;
        let landed = app.browser().sign_in(&app, &client, &patient).await;
        // With another authentication method than the pinned one: refused, and the code stays valid.
        let other = if method == AuthMethod::Basic { AuthMethod::Post } else { AuthMethod::Basic };
        // An empty secret would be none, which is right for a public client.
        let secret = client.secret.clone().or_else(|| Some("made-up".to_owned()));
        let wrong = Client { auth_method: other, secret, ..client.clone() };
        let answer = wrong.redeem(&app, &landed).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["error"]),
            (401, &json!("invalid_client")),
            "{id}"
        );
        assert!(client.redeem_tokens(&app, &landed).await["id_token"].is_string(), "{id}");
    }
}

/// Libraries send a public client as `Basic id:`; an empty secret is absent, as in a body. `resource` may come twice (RFC
/// 8707, section 2).
#[apply(both_engines)]
async fn empty_basic_secret_is_absent(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (patient, browser) = (app.patient("Mere").await, app.browser());
    for (id, method, status) in [
        ("app", AuthMethod::None, 200),
        ("web", AuthMethod::Basic, 401),
        ("form", AuthMethod::Post, 401),
    ] {
        let client =
            app.client_with(id, |new| new.metadata.token_endpoint_auth_method = method).await;
        let landed = app.browser().sign_in(&app, &client, &patient).await;
        let basic = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, format!("{id}:"));
        let header = format!("Basic {basic}");
        let (code, resource) = (landed.code(), "https://api.example/");
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", &landed.pending.redirect_uri),
            ("code_verifier", &landed.pending.verifier),
            ("resource", resource),
            ("resource", "urn:other"),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let headers = [("authorization", header.as_str())];
        let answer = browser.send(Method::POST, "/oauth2/token", &headers, Some(&fields)).await;
        assert_eq!(answer.status, status, "{id}: {}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_requests_are_answered_in_json() {
    let app = TestApp::start(Engine::Sqlite).await;
    let client = app.client("portal").await;
    let wrong_secret = Client { secret: Some("wrong".to_owned()), ..client.clone() };
    let unknown = Client { id: "nobody".to_owned(), ..client.clone() };
    for (client, params, status, error) in [
        (&wrong_secret, &[("grant_type", "authorization_code")][..], 401, "invalid_client"),
        (&unknown, &[("grant_type", "authorization_code")], 401, "invalid_client"),
        (&client, &[], 400, "invalid_request"),
        (&client, &[("grant_type", "password")], 400, "unsupported_grant_type"),
        (&client, &[("grant_type", "refresh_token")], 400, "unsupported_grant_type"),
        (&client, &[("grant_type", "authorization_code")], 400, "invalid_request"),
        (&client, &[("grant_type", "authorization_code"), ("code", "x")], 400, "invalid_grant"),
        (&client, &[("grant_type", "a"), ("grant_type", "b")], 400, "invalid_request"),
        (&client, &[("client_secret", "x"), ("grant_type", "a")], 400, "invalid_request"),
        (&client, &[("client_id", "other"), ("grant_type", "a")], 400, "invalid_request"),
    ] {
        let answer = client.call_token(&app, params).await;
        assert_eq!(answer.status, status, "{params:?}: {}", answer.body);
        assert_eq!(answer.json()["error"], error, "{params:?}");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.headers.contains_key("www-authenticate"), status == 401);
    }
}

/// The metadata and the endpoint agree: every grant type in the metadata is supported, and no other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_announced_grant_types_are_answered() {
    let app = TestApp::start(Engine::Sqlite).await;
    let client = app.client("portal").await;
    let document = app.browser().get("/.well-known/openid-configuration").await.json();
    let announced: Vec<&str> = GRANT_TYPES.iter().map(|known| known.name.as_str()).collect();
    assert_eq!(document["grant_types_supported"], json!(announced));
    for grant_type in [
        "authorization_code",
        "refresh_token",
        "client_credentials",
        "password",
        "urn:ietf:params:oauth:grant-type:device_code",
        "Authorization_Code",
        "",
    ] {
        let answer = client.call_token(&app, &[("grant_type", grant_type)]).await;
        let is_known = answer.json()["error"] != "unsupported_grant_type";
        let is_announced = announced.contains(&grant_type);
        assert_eq!(
            is_known,
            is_announced || grant_type.is_empty(),
            "{grant_type}: {}",
            answer.body
        );
    }
    let answer = client.call_token(&app, &[("grant_type", "password")]).await;
    let described = "only grant_type=authorization_code is supported";
    assert_eq!(answer.json()["error_description"], described);
}

#[apply(both_engines)]
async fn pkce_is_optional_only_when_configured(engine: Engine) {
    let app = TestApp::start(engine).await;
    let patient = app.patient("Mere").await;
    let old = app.client_with("old", |new| new.operator.pkce = Pkce::Optional).await;
    let browser = app.browser();
    browser.sign_in(&app, &old, &patient).await;
    let pending = PendingRequest::new(&old);
    let without = [("code_challenge", ""), ("code_challenge_method", "")];
    let answer = browser.get(pending.url(app.issuer(), &without)).await;
    let landed = answer.authorization_response(pending);
    assert_eq!(
        old.token_request(&app, &landed, &[]).await.json()["error"],
        "invalid_grant",
        "a verifier without a challenge"
    );
    assert_eq!(old.token_request(&app, &landed, &[("code_verifier", "")]).await.status, 200);
}
