//! Misuse cases 30 to 35 and 43: attacks on the protocol endpoints.

use std::time::Duration;

use serde_json::json;
use vestibule_tests::{
    app::TestApp,
    client::{Client, PendingRequest, get_userinfo},
    db::Engine,
};

use crate::engines::{apply, both_engines};

/// An intercepted code is worthless without the verifier.
#[apply(both_engines)]
async fn case_30_code_binds_pkce_client_redirect(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let other = app.client("records").await;
    let browser = app.browser();
    let landed = browser.sign_in(&app, &client, &patient).await;
    let long = "v".repeat(129);
    for changes in [
        &[("code_verifier", "")][..],
        &[("code_verifier", "short")],
        &[("code_verifier", &long)],
        &[("code_verifier", &landed.pending.challenge())],
        &[("redirect_uri", "")],
        &[("redirect_uri", "https://portal.example/callback/")],
    ] {
        let answer = client.token_request(&app, &landed, changes).await;
        assert_eq!(answer.json()["error"], "invalid_grant", "{changes:?}");
    }
    let answer = other.redeem(&app, &landed).await;
    assert_eq!(answer.json()["error"], "invalid_grant", "another client");
    // None of these requests used up the code.
    assert_eq!(client.redeem(&app, &landed).await.status, 200);
}

/// Exactly one success; the second use revokes what the first one issued.
#[apply(both_engines)]
async fn case_32_replayed_code_revokes_tokens(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let landed = app.browser().sign_in(&app, &client, &patient).await;
    let tokens = client.redeem_tokens(&app, &landed).await;
    let token = tokens["access_token"].as_str().unwrap();
    assert_eq!(get_userinfo(&app, token).await.status, 200);
    let again = client.redeem(&app, &landed).await;
    assert_eq!((again.status.as_u16(), &again.json()["error"]), (400, &json!("invalid_grant")));
    assert_eq!(get_userinfo(&app, token).await.status, 401, "revoked");
    assert_eq!(app.audit_outcomes("grant.code_reused").await, ["revoked"]);
}

#[apply(both_engines)]
async fn case_32_code_lives_sixty_seconds(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let landed = app.browser().sign_in(&app, &client, &patient).await;
    app.clock.advance(Duration::from_mins(1));
    assert_eq!(client.redeem(&app, &landed).await.json()["error"], "invalid_grant");
    // A late reuse of a redeemed code is detected, too.
    let landed = app.browser().sign_in(&app, &client, &patient).await;
    let tokens = client.redeem_tokens(&app, &landed).await;
    app.clock.advance(Duration::from_secs(90));
    assert_eq!(client.redeem(&app, &landed).await.json()["error"], "invalid_grant");
    assert_eq!(get_userinfo(&app, tokens["access_token"].as_str().unwrap()).await.status, 401);
}

/// A redirect URI that does not match a registered one exactly gets an error page, never a redirect.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_31_redirect_uri_matches_exactly() {
    let app = TestApp::start(Engine::Sqlite).await;
    let client = app.client("portal").await;
    for uri in [
        "https://portal.example/callback/",
        "https://portal.example/callback?x=1",
        "https://portal.example/callback#x",
        "https://portal.example/x/../callback",
        "https://portal.example/%63allback",
        "https://portal.example%2fcallback",
        "https://user@portal.example/callback",
        "https://portal.example@evil.example/callback",
        "https://PORTAL.example/callback",
        "https://portal.example./callback",
        "https://portal.example:443/callback",
        "https://sub.portal.example/callback",
        "https://p\u{043E}rtal.example/callback",
        "http://portal.example/callback",
        "javascript:alert(1)",
        "com.evil:/callback",
        "//portal.example/callback",
        "/callback",
        "",
    ] {
        let pending = PendingRequest::new(&client);
        let answer = app.browser().get(pending.url(app.issuer(), &[("redirect_uri", uri)])).await;
        assert_eq!(answer.status, 400, "{uri}");
        assert!(answer.location().is_none(), "{uri}");
        assert!(answer.has_text("This request cannot be completed"), "{uri}: {}", answer.text());
        assert!(!answer.body.contains("evil"), "{uri} is not shown");
    }
    for (parameter, value) in
        [("client_id", "portal"), ("redirect_uri", "https://evil.example"), ("state", "2")]
    {
        let url =
            format!("{}&{parameter}={value}", PendingRequest::new(&client).url(app.issuer(), &[]));
        let answer = app.browser().get(url).await;
        assert_eq!(answer.status, 400, "a second {parameter}");
    }
    let unknown = Client { id: "nobody".to_owned(), ..client };
    let answer = app.browser().get(PendingRequest::new(&unknown).url(app.issuer(), &[])).await;
    assert!(answer.status == 400 && answer.has_text("This request cannot be completed"));
}

/// `state` and `nonce` are returned unchanged, encoded for their place, and limited in length.
#[apply(both_engines)]
async fn case_35_state_and_nonce_return_unchanged(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    browser.sign_in(&app, &client, &patient).await;
    let html = "<script>alert('\"&#')</script> +%2B\u{0101}";
    for (state, nonce) in [(html, html), (&"s".repeat(2048), &"n".repeat(512)), ("", "")] {
        let pending = PendingRequest {
            state: state.to_owned(),
            nonce: nonce.to_owned(),
            ..PendingRequest::new(&client)
        };
        let landed =
            browser.get(pending.url(app.issuer(), &[])).await.authorization_response(pending);
        assert_eq!(landed.param("state").unwrap_or_default(), state);
        let tokens = client.redeem_tokens(&app, &landed).await;
        let id = vestibule_tests::client::decode_claims(tokens["id_token"].as_str().unwrap());
        assert_eq!(id["nonce"].as_str().unwrap_or_default(), nonce);
    }
    let long = "s".repeat(2049);
    let answer =
        browser.get(PendingRequest::new(&client).url(app.issuer(), &[("state", &long)])).await;
    assert_eq!(answer.status, 400);
    let hint = [("login_hint", html), ("prompt", "login"), ("ui_locales", html)];
    let page = browser.get(PendingRequest::new(&client).url(app.issuer(), &hint)).await;
    assert!(!page.body.contains("<script>"), "{}", page.body);
}

/// No parameter of ours redirects the browser.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_43_no_parameter_redirects() {
    let app = TestApp::start(Engine::Sqlite).await;
    let client = app.client("portal").await;
    let evil = "https://evil.example/";
    for parameter in [
        "return_to",
        "continue",
        "RelayState",
        "next",
        "url",
        "redirect",
        "target",
        "post_logout_redirect_uri",
    ] {
        for path in [
            "/login/password",
            "/login/code",
            "/login/new-password",
            "/login/consent",
            "/oauth2/logout",
        ] {
            let answer = app.browser().get(format!("{path}?{parameter}={evil}")).await;
            assert!(
                answer
                    .location()
                    .is_none_or(|to| to.origin().ascii_serialization() == app.issuer()),
                "{path} {parameter}"
            );
            assert!(!answer.body.contains("evil.example"), "{path} {parameter}");
        }
        let url =
            format!("{}&{parameter}={evil}", PendingRequest::new(&client).url(app.issuer(), &[]));
        assert!(!app.browser().get(url).await.body.contains("evil.example"), "{parameter}");
    }
}
