//! `/oauth2/authorize`: the answers to a client, and the pages for a person.

use reqwest::Method;
use vestibule_tests::{app::TestApp, client::PendingRequest, db::Engine};

use crate::engines::{apply, both_engines};

#[apply(both_engines)]
async fn sign_in_returns_code_state_issuer(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let landed = app.browser().sign_in(&app, &client, &patient).await;
    assert_eq!(landed.param("state").as_deref(), Some(landed.pending.state.as_str()));
    assert_eq!(landed.param("iss").as_deref(), Some(app.issuer()));
    assert_eq!(landed.code().len(), 43);
}

/// A request of a stranger uses no database (decision 12).
#[apply(both_engines)]
async fn sign_in_page_writes_nothing(engine: Engine) {
    let app = TestApp::start(engine).await;
    let client = app.client("portal").await;
    let before = app.count("SELECT COUNT(*) FROM audit").await;
    for _ in 0..3 {
        let (page, _) = app.browser().open_sign_in_page(&client).await;
        assert_eq!(page.status, 200);
        assert!(page.has_field("email") && page.has_field("password"));
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM attempts").await, 0);
    assert_eq!(app.count("SELECT COUNT(*) FROM audit").await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn request_errors_redirect_to_client() {
    let app = TestApp::start(Engine::Sqlite).await;
    let client = app.client("portal").await;
    let long = "n".repeat(513);
    for (changes, error) in [
        (&[("response_type", "")][..], "invalid_request"),
        (&[("response_type", "token")], "unsupported_response_type"),
        (&[("response_type", "code id_token")], "unsupported_response_type"),
        (&[("response_mode", "fragment")], "invalid_request"),
        (&[("scope", "profile")], "invalid_scope"),
        (&[("scope", "")], "invalid_scope"),
        (&[("code_challenge", ""), ("code_challenge_method", "")], "invalid_request"),
        (&[("code_challenge_method", "plain")], "invalid_request"),
        (&[("code_challenge_method", "")], "invalid_request"),
        (&[("code_challenge", "short")], "invalid_request"),
        (&[("prompt", "none login")], "invalid_request"),
        (&[("prompt", "dance")], "invalid_request"),
        (&[("max_age", "soon")], "invalid_request"),
        (&[("max_age", "-1")], "invalid_request"),
        (&[("nonce", &long)], "invalid_request"),
        (&[("request", "eyJ")], "request_not_supported"),
        (&[("request_uri", "urn:x")], "request_uri_not_supported"),
        (&[("id_token_hint", "x.y.z")], "invalid_request"),
        (&[("prompt", "none")], "login_required"),
    ] {
        let pending = PendingRequest::new(&client);
        let landed = app
            .browser()
            .get(pending.url(app.issuer(), changes))
            .await
            .authorization_response(pending);
        assert_eq!(landed.error(), error, "{changes:?}");
        assert_eq!(landed.param("state").as_deref(), Some(landed.pending.state.as_str()));
        assert_eq!(landed.param("iss").as_deref(), Some(app.issuer()), "RFC 9207, also for errors");
        let description = landed.param("error_description").unwrap();
        let plain = |c: char| (' '..='~').contains(&c) && c != '"' && c != '\\';
        assert!(description.chars().all(plain), "RFC 6749, section 4.1.2.1: {description}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_parameters_and_hints_are_accepted() {
    let app = TestApp::start(Engine::Sqlite).await;
    let client = app.client("portal").await;
    for changes in [
        &[("display", "popup")][..],
        &[("ui_locales", "mi en")],
        &[("claims_locales", "mi")],
        &[("acr_values", "urn:vestibule:two-step")],
        &[("acr_values", "phr")],
        &[("something", "else")],
        &[("nonce", "")],
        &[("state", "")],
        &[("scope", "openid unknown")],
        &[("response_mode", "query")],
    ] {
        let pending = PendingRequest::new(&client);
        let page = app.browser().get(pending.url(app.issuer(), changes)).await;
        assert!(page.has_field("password"), "{changes:?}: {}", page.text());
    }
    // RFC 8707, section 2: it may come more than once.
    let twice = PendingRequest::new(&client).url(app.issuer(), &[]) + "&resource=a&resource=b";
    let page = app.browser().get(twice).await;
    assert!(page.has_field("password"), "{}", page.text());
    let pending = PendingRequest::new(&client);
    let hinted = [("login_hint", "mere@patients.example")];
    let page = app.browser().get(pending.url(app.issuer(), &hinted)).await;
    assert_eq!(page.form().value("email"), "mere@patients.example");
}

/// Decision 13: a post from another site has no cookies, so the answer redirects to a GET that has them.
#[apply(both_engines)]
async fn posted_request_behaves_like_get(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let pending = PendingRequest::new(&client);
    let cross_site = [("sec-fetch-site", "cross-site"), ("origin", "https://portal.example")];
    let params = pending.params(&[]);
    let answer = browser.send(Method::POST, "/oauth2/authorize", &cross_site, Some(&params)).await;
    assert_eq!(answer.status, 303);
    let page = browser.follow(answer).await;
    let mails = app.mail.codes_to(&patient.email).len();
    let page = browser.submit_password(&page, &patient).await;
    let code = app.mail.wait_for_code(&patient.email, mails + 1).await;
    browser.submit_code(&page, &code).await.authorization_response(pending).code();
    // There is a session now, so a posted request is answered silently too.
    let again = PendingRequest::new(&client);
    let params = again.params(&[]);
    let answer = browser.send(Method::POST, "/oauth2/authorize", &cross_site, Some(&params)).await;
    browser.follow(answer).await.authorization_response(again).code();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn posted_request_reloads_after_a_day() {
    let app = TestApp::start(Engine::Sqlite).await;
    let client = app.client("portal").await;
    let browser = app.browser();
    let params = PendingRequest::new(&client).params(&[]);
    let answer = browser.send(Method::POST, "/oauth2/authorize", &[], Some(&params)).await;
    app.clock.advance(std::time::Duration::from_hours(25));
    let page = browser.follow(answer).await;
    assert!(page.status == 200 && page.has_field("password"), "{}", page.text());
}
