//! `/oauth2/userinfo`.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use vestibule_tests::{
    app::TestApp,
    client::{PendingRequest, get_userinfo},
    db::Engine,
};

use crate::engines::{apply, both_engines};

#[apply(both_engines)]
async fn scopes_select_userinfo_claims(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    browser.sign_in(&app, &client, &patient).await;
    for (scope, names) in [
        ("openid", &["sub"][..]),
        ("openid email", &["email", "email_verified", "sub"]),
        ("openid phone", &["phone_number", "sub"]),
        ("openid address", &["address", "sub"]),
        ("openid profile", &["given_name", "name", "sub", "updated_at"]),
    ] {
        let pending = PendingRequest { scope: scope.to_owned(), ..PendingRequest::new(&client) };
        let landed =
            browser.get(pending.url(app.issuer(), &[])).await.authorization_response(pending);
        let tokens = client.redeem_tokens(&app, &landed).await;
        let answer = get_userinfo(&app, tokens["access_token"].as_str().unwrap()).await;
        let claims = answer.json();
        let found: Vec<_> = claims.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(found, names, "{scope}");
    }
}

#[apply(both_engines)]
async fn expiry_and_reset_end_token(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let token = async || {
        let landed = app.browser().sign_in(&app, &client, &patient).await;
        client.redeem_tokens(&app, &landed).await["access_token"].as_str().unwrap().to_owned()
    };
    let first = token().await;
    assert_eq!(get_userinfo(&app, &first).await.status, 200);
    app.clock.advance(Duration::from_mins(5));
    let expired = get_userinfo(&app, &first).await;
    assert_eq!(expired.status, 401);
    assert_eq!(
        expired.header("www-authenticate"),
        "Bearer realm=\"userinfo\", error=\"invalid_token\""
    );
    let second = token().await;
    app.force_reset(&patient).await;
    assert_eq!(get_userinfo(&app, &second).await.status, 401, "a forced reset is in force at once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn token_in_header_or_body_only() {
    let app = TestApp::start(Engine::Sqlite).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let landed = app.browser().sign_in(&app, &client, &patient).await;
    let tokens = client.redeem_tokens(&app, &landed).await;
    let token = tokens["access_token"].as_str().unwrap();
    let bearer = format!("Bearer {token}");
    let header = [("authorization", bearer.as_str())];
    let body = [("access_token".to_owned(), token.to_owned())];
    let browser = app.browser();
    let call = async |method, headers: &[(&str, &str)], body: Option<&[(String, String)]>| {
        browser.send(method, "/oauth2/userinfo", headers, body).await
    };
    let by_get = call(Method::GET, &header, None).await.json();
    assert_eq!(by_get["email"], patient.email);
    assert_eq!(call(Method::POST, &header, None).await.json(), by_get);
    assert_eq!(call(Method::POST, &[], Some(&body)).await.json(), by_get);
    assert_eq!(call(Method::POST, &header, Some(&body)).await.status, 400, "RFC 6750, section 2");
    let twice = [body[0].clone(), body[0].clone()];
    assert_eq!(call(Method::POST, &[], Some(&twice)).await.status, 400, "RFC 6750, section 3.1");
    let query = format!("/oauth2/userinfo?access_token={token}");
    assert_eq!(
        browser.send(Method::GET, &query, &[], None).await.status,
        401,
        "never in the query"
    );
    // An ID token is not an access token, and neither is other text.
    for text in [tokens["id_token"].as_str().unwrap(), "x", ""] {
        let bearer = format!("Bearer {text}");
        let answer = call(Method::GET, &[("authorization", &bearer)], None).await;
        assert_eq!(answer.status, 401);
    }
    assert_ne!(by_get["sub"], Value::Null);
    assert_eq!(by_get["email_verified"], json!(true));
}
