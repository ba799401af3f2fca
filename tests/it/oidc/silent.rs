//! A second client, with a session: what happens without a page, and what needs consent (decision 15).

use std::time::Duration;

use vestibule_tests::{
    app::TestApp,
    client::{AuthorizationResponse, Client, PendingRequest, decode_claims},
    db::Engine,
    http::{HttpBrowser, Response},
};

use crate::engines::{apply, both_engines};

async fn authorize(
    app: &TestApp,
    browser: &HttpBrowser,
    pending: &PendingRequest,
    changes: &[(&str, &str)],
) -> Response {
    browser.follow(browser.get(pending.url(app.issuer(), changes)).await).await
}

#[apply(both_engines)]
async fn second_first_party_client_is_silent(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (portal, records) = (app.client("portal").await, app.client("records").await);
    let patient = app.patient("Mere").await;
    let browser = app.browser();
    let first = portal.redeem_tokens(&app, &browser.sign_in(&app, &portal, &patient).await).await;
    let pending = PendingRequest::new(&records);
    let landed = authorize(&app, &browser, &pending, &[("prompt", "none")])
        .await
        .authorization_response(pending);
    let second = records.redeem_tokens(&app, &landed).await;
    let claims = |tokens: &serde_json::Value| decode_claims(tokens["id_token"].as_str().unwrap());
    let (first, second) = (claims(&first), claims(&second));
    for same in ["sub", "sid", "auth_time", "acr"] {
        assert_eq!(first[same], second[same], "{same}");
    }
    assert_eq!(second["nonce"], landed.pending.nonce);
    assert_eq!(second["aud"], serde_json::json!(["records"]));
}

#[apply(both_engines)]
async fn consent_is_remembered_per_scope(engine: Engine) {
    let app = TestApp::start(engine).await;
    let patient = app.patient("Mere").await;
    let other = app.client_with("lab", |new| new.operator.first_party = false).await;
    let browser = app.browser();
    let (page, code, pending) = browser.sign_in_to_code_page(&app, &other, &patient).await;
    let page = browser.submit_code(&page, &code).await;
    assert!(page.has_text("The lab"), "the page asks for consent: {}", page.text());
    let landed = browser.post(&page.form(), "allow").await.authorization_response(pending);
    let tokens = other.redeem_tokens(&app, &landed).await;
    // Consent is remembered for each person and client.
    let again = PendingRequest::new(&other);
    let landed = authorize(&app, &browser, &again, &[("prompt", "none")])
        .await
        .authorization_response(again);
    let silent = other.redeem_tokens(&app, &landed).await;
    let sub = |tokens: &serde_json::Value| {
        decode_claims(tokens["id_token"].as_str().unwrap())["sub"].clone()
    };
    assert_eq!(sub(&tokens), sub(&silent));
    // The request wants more scopes than the person allowed (misuse case 44).
    let wider = PendingRequest::new(&other);
    let changes = [("prompt", "none"), ("scope", "openid phone")];
    let landed = authorize(&app, &browser, &wider, &changes).await.authorization_response(wider);
    assert_eq!(landed.error(), "consent_required");
    let wider = PendingRequest::new(&other);
    let page = authorize(&app, &browser, &wider, &[("scope", "openid phone")]).await;
    let landed = browser.post(&page.form(), "deny").await.authorization_response(wider);
    assert_eq!(landed.error(), "access_denied");
    // Another client gets another subject for the same person.
    let portal = app.client("portal").await;
    let pending = PendingRequest::new(&portal);
    let landed = authorize(&app, &browser, &pending, &[]).await.authorization_response(pending);
    assert_ne!(sub(&portal.redeem_tokens(&app, &landed).await), sub(&tokens));
}

#[apply(both_engines)]
async fn native_client_is_always_confirmed(engine: Engine) {
    let app = TestApp::start(engine).await;
    let patient = app.patient("Mere").await;
    let native = app
        .client_with("phone", |new| {
            new.profile = flows::client::Profile::Native;
            new.metadata.token_endpoint_auth_method = flows::client::AuthMethod::None;
            new.metadata.redirect_uris = vec!["http://127.0.0.1/callback".to_owned()];
        })
        .await;
    let browser = app.browser();
    let portal = app.client("portal").await;
    browser.sign_in(&app, &portal, &patient).await;
    let pending = PendingRequest::new(&native);
    let port = [("redirect_uri", "http://127.0.0.1:51004/callback")];
    let landed = |answer: Response, mut pending: PendingRequest| {
        port[0].1.clone_into(&mut pending.redirect_uri);
        answer.authorization_response(pending)
    };
    let quiet = [port[0], ("prompt", "none")];
    let answer = authorize(&app, &browser, &pending, &quiet).await;
    assert_eq!(landed(answer, pending.clone()).error(), "interaction_required");
    let page = authorize(&app, &browser, &pending, &port).await;
    assert!(page.has_text("The phone") && page.has_text("Mere"), "{}", page.text());
    let answer = browser.post(&page.form(), "continue").await;
    let tokens = native.redeem_tokens(&app, &landed(answer, pending)).await;
    assert!(tokens["id_token"].is_string());
}

#[apply(both_engines)]
async fn max_age_and_prompt_are_honoured(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (portal, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let first = portal.redeem_tokens(&app, &browser.sign_in(&app, &portal, &patient).await).await;
    app.clock.advance(Duration::from_mins(2));
    for (changes, silent) in [
        (&[("max_age", "100")][..], false),
        (&[("max_age", "1000")], true),
        (&[("max_age", "0")], false),
        (&[("prompt", "login")], false),
        (&[("prompt", "")], true),
    ] {
        let answer = authorize(&app, &browser, &PendingRequest::new(&portal), changes).await;
        assert_eq!(answer.has_field("password"), !silent, "{changes:?}");
    }
    // The sign-in that `max_age` required satisfies it, steps the session up and keeps its `sid`.
    let pending = PendingRequest::new(&portal);
    let page = authorize(&app, &browser, &pending, &[("max_age", "100")]).await;
    let session = browser.cookie("session");
    let mails = app.mail.codes_to(&patient.email).len();
    let page = browser.submit_password(&page, &patient).await;
    let code = app.mail.wait_for_code(&patient.email, mails + 1).await;
    let landed = browser.submit_code(&page, &code).await.authorization_response(pending);
    assert_ne!(browser.cookie("session"), session);
    let second = portal.redeem_tokens(&app, &landed).await;
    let claims = |tokens: &serde_json::Value| decode_claims(tokens["id_token"].as_str().unwrap());
    let (first, second) = (claims(&first), claims(&second));
    assert_eq!(first["sid"], second["sid"]);
    assert!(second["auth_time"].as_i64() >= first["auth_time"].as_i64().map(|t| t + 120));
}

#[apply(both_engines)]
async fn foreign_id_token_hint_requires_login(engine: Engine) {
    let app = TestApp::start(engine).await;
    let portal = app.client("portal").await;
    let (mere, hemi) = (app.patient("Mere").await, app.patient("Hemi").await);
    let (hers, his) = (app.browser(), app.browser());
    let hint = portal.redeem_tokens(&app, &hers.sign_in(&app, &portal, &mere).await).await;
    his.sign_in(&app, &portal, &hemi).await;
    let hint = hint["id_token"].as_str().unwrap();
    let pending = PendingRequest::new(&portal);
    let quiet = [("id_token_hint", hint), ("prompt", "none")];
    let landed = authorize(&app, &his, &pending, &quiet).await.authorization_response(pending);
    assert_eq!(landed.error(), "login_required");
    let pending = PendingRequest::new(&portal);
    authorize(&app, &hers, &pending, &quiet).await.authorization_response(pending).code();
}

/// A completed attempt answers its own request for a few minutes, and until a code of it was redeemed. Afterwards
/// "Continue" for a request with `prompt=login` needs another sign-in.
#[apply(both_engines)]
async fn completed_attempt_answers_only_briefly(engine: Engine) {
    let app = TestApp::start(engine).await;
    let patient = app.patient("Mere").await;
    let lab = app.client_with("lab", |new| new.operator.first_party = false).await;
    for (redeemed, minutes) in [(true, 0), (true, 2), (false, 6)] {
        let browser = app.browser();
        let pending = PendingRequest::new(&lab);
        let changes = [("prompt", "login consent"), ("max_age", "0")];
        let page = authorize(&app, &browser, &pending, &changes).await;
        let mails = app.mail.codes_to(&patient.email).len();
        let page = browser.submit_password(&page, &patient).await;
        let code = app.mail.wait_for_code(&patient.email, mails + 1).await;
        let question = browser.submit_code(&page, &code).await;
        let at = format!("/login/consent?attempt={}", question.form().value("attempt"));
        let answer = browser.post(&question.form(), "allow").await;
        let landed = answer.authorization_response(pending);
        // Gone back to at once: the first answer may have been lost, and the new code voids that of it.
        let again = browser.get(&at).await;
        let answer = browser.post(&again.form(), "continue").await;
        let second = answer.authorization_response(landed.pending.clone());
        assert_ne!(second.code(), landed.code());
        if redeemed {
            lab.redeem_tokens(&app, &second).await;
        }
        app.clock.advance(Duration::from_mins(minutes));
        let codes = app.count("SELECT COUNT(*) FROM auth_codes").await;
        let posted = browser.follow(browser.post(&again.form(), "continue").await).await;
        assert!(posted.has_field("password"), "{redeemed} {minutes}: {}", posted.text());
        let opened = browser.follow(browser.get(&at).await).await;
        assert!(opened.has_field("password"), "{redeemed} {minutes}: {}", opened.text());
        assert_eq!(app.count("SELECT COUNT(*) FROM auth_codes").await, codes);
        app.clock.advance(Duration::from_mins(10));
    }
}

/// Redeems what an authorization request was answered with; returns the error, or none.
async fn redeem_error(client: &Client, app: &TestApp, landed: &AuthorizationResponse) -> String {
    let answer = client.redeem(app, landed).await;
    answer.json()["error"].as_str().unwrap_or_default().to_owned()
}

/// The page that too many silent requests lead to gives no more codes than they.
#[apply(both_engines)]
async fn confirmed_codes_of_session_are_limited(engine: Engine) {
    let app = TestApp::start(engine).await;
    let lab = app.client_with("lab", |new| new.operator.first_party = false).await;
    let (patient, browser) = (app.patient("Mere").await, app.browser());
    let (page, code, _) = browser.sign_in_to_code_page(&app, &lab, &patient).await;
    browser.submit_code(&page, &code).await;
    app.stop_clock_in_new_window();
    let page = authorize(&app, &browser, &PendingRequest::new(&lab), &[]).await;
    let codes = "SELECT COUNT(*) FROM grants";
    let before = app.count(codes).await;
    for _ in 0..60 {
        let to = browser.post(&page.form(), "allow").await.location().expect("a redirect");
        assert!(to.query_pairs().any(|(name, _)| name == "code"), "{to}");
    }
    for _ in 0..10 {
        let to = browser.post(&page.form(), "allow").await.location().expect("a redirect");
        assert!(to.as_str().contains("error=temporarily_unavailable"), "{to}");
    }
    assert_eq!(app.count(codes).await - before, 60);
    app.clock.advance(Duration::from_mins(1));
    let to = browser.post(&page.form(), "allow").await.location().expect("a redirect");
    assert!(to.query_pairs().any(|(name, _)| name == "code"), "{to}");
}

/// A session gets 60 codes in a minute without a page, and the newest five that it has not redeemed are good. Nothing
/// of it affects another session.
#[apply(both_engines)]
async fn silent_codes_of_session_are_limited(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (portal, patient) = (app.client("portal").await, app.patient("Mere").await);
    let (browser, other) = (app.browser(), app.browser());
    for browser in [&browser, &other] {
        browser.sign_in(&app, &portal, &patient).await;
    }
    app.stop_clock_in_new_window();
    let mut landed = Vec::new();
    for _ in 0..60 {
        let pending = PendingRequest::new(&portal);
        let answer = authorize(&app, &browser, &pending, &[]).await;
        landed.push(answer.authorization_response(pending));
    }
    let rows = "SELECT COUNT(*) FROM grants";
    let codes = "SELECT COUNT(*) FROM auth_codes";
    let before = (app.count(rows).await, app.count(codes).await);
    for nth in 0..40 {
        let pending = PendingRequest::new(&portal);
        if nth % 2 == 0 {
            let page = authorize(&app, &browser, &pending, &[]).await;
            assert!(page.status == 200 && page.has_text("Mere"), "{nth}: {}", page.text());
        } else {
            let answer = authorize(&app, &browser, &pending, &[("prompt", "none")]).await;
            let error = answer
                .location()
                .expect("a redirect")
                .query_pairs()
                .find(|(name, _)| name == "error")
                .map(|(_, error)| error.into_owned());
            assert_eq!(error.as_deref(), Some("temporarily_unavailable"), "{nth}");
        }
    }
    assert_eq!((app.count(rows).await, app.count(codes).await), before);
    let mut errors = Vec::new();
    for landed in &landed[50..] {
        errors.push(redeem_error(&portal, &app, landed).await);
    }
    assert_eq!(errors, [vec!["invalid_grant"; 5], vec![""; 5]].concat());
    // Another session, two tabs of which ask before either redeems.
    let (one, two) = (PendingRequest::new(&portal), PendingRequest::new(&portal));
    let tabs = [
        authorize(&app, &other, &one, &[]).await.authorization_response(one),
        authorize(&app, &other, &two, &[]).await.authorization_response(two),
    ];
    for landed in &tabs {
        assert_eq!(redeem_error(&portal, &app, landed).await, "");
    }
    // The page lets the person go on, and a minute later none is shown.
    let pending = PendingRequest::new(&portal);
    let page = authorize(&app, &browser, &pending, &[]).await;
    browser.post(&page.form(), "continue").await.authorization_response(pending).code();
    app.clock.advance(Duration::from_mins(1));
    let pending = PendingRequest::new(&portal);
    authorize(&app, &browser, &pending, &[]).await.authorization_response(pending).code();
}
