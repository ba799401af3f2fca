//! Misuse cases 1 to 6: signing in without the second step.

use reqwest::Method;
use vestibule_tests::{
    app::TestApp,
    client::{PendingRequest, get_userinfo},
    db::Engine,
    http::{HttpBrowser, Response},
};

use crate::engines::{apply, both_engines};

/// Whether a client would accept anything of this browser as a sign-in.
async fn is_signed_in(app: &TestApp, browser: &HttpBrowser) -> bool {
    let client = app.client_with(&format!("probe-{}", random_id()), |_| {}).await;
    let pending = PendingRequest::new(&client);
    let landed = browser
        .get(pending.url(app.issuer(), &[("prompt", "none")]))
        .await
        .authorization_response(pending);
    landed.param("error").as_deref() != Some("login_required")
}

fn random_id() -> String {
    keys::OpaqueToken::generate(&keys::Rng::system())
        .reveal()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(8)
        .collect::<String>()
        .to_lowercase()
}

fn attempt(page: &Response) -> String {
    page.form().value("attempt").to_owned()
}

#[apply(both_engines)]
async fn case_1_only_code_follows_password(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (page, code, pending) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    let attempt = attempt(&page);
    for path in ["/login/consent", "/login/new-password", "/login/password"] {
        let answer = browser.follow(browser.get(format!("{path}?attempt={attempt}")).await).await;
        assert!(answer.has_field("code"), "{path} leads back to the due step: {}", answer.text());
    }
    // The form of each step, posted out of turn with the token of the step that is due.
    for (path, button) in [
        ("/login/consent", "allow"),
        ("/login/consent", "continue"),
        ("/login/new-password", "continue"),
    ] {
        let mut form = page.form().with("new_password", "another long password 4711");
        form.action = path.to_owned();
        let answer = browser.follow(browser.post(&form, button).await).await;
        assert!(answer.location().is_none(), "{path}: {:?}", answer.location());
    }
    let again = PendingRequest::new(&client);
    let start = browser.follow(browser.get(again.url(app.issuer(), &[])).await).await;
    assert!(start.has_field("password"), "authorize again starts again");
    assert!(!is_signed_in(&app, &browser).await);
    assert_eq!(app.count("SELECT COUNT(*) FROM grants").await, 0);
    assert_eq!(app.count("SELECT COUNT(*) FROM sign_ins").await, 0);
    // None of this has cost the honest person anything.
    browser.submit_code(&page, &code).await.authorization_response(pending).code();
}

#[apply(both_engines)]
async fn case_2_browser_cookie_is_no_session(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    browser.sign_in_to_code_page(&app, &client, &patient).await;
    assert_eq!(browser.cookie("session"), None);
    let first = browser.cookie("browser").unwrap();
    browser.set_cookie("session", &first);
    assert!(!is_signed_in(&app, &browser).await);
    assert_eq!(get_userinfo(&app, &first).await.status, 401);
}

/// With one method, switching means "start again" and "back": the result of a step counts for that step alone.
#[apply(both_engines)]
async fn case_3_restart_and_back_prove_nothing(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (page, code, _) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    let restarted = browser.follow(browser.post(&page.form(), "restart").await).await;
    assert!(restarted.has_field("password"), "{}", restarted.text());
    // The earlier code page, from the history, with the right code.
    let answer = browser.submit_code(&page, &code).await;
    assert!(answer.location().is_none(), "the code alone is no sign-in");
    assert!(!is_signed_in(&app, &browser).await);
    assert_eq!(app.count("SELECT COUNT(*) FROM sign_ins").await, 0);
}

/// A forced reset requires a new password, however often the sign-in is restarted.
#[apply(both_engines)]
async fn case_4_restart_keeps_requirements(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    app.force_reset(&patient).await;
    let browser = app.browser();
    let (page, code, _) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    let page = browser.submit_code(&page, &code).await;
    assert!(page.has_field("new_password"), "{}", page.text());
    let restarted = browser.follow(browser.post(&page.form(), "restart").await).await;
    assert!(restarted.has_field("password"));
    let mails = app.mail.codes_to(&patient.email).len();
    let page = browser.submit_password(&restarted, &patient).await;
    let code = app.mail.wait_for_code(&patient.email, mails + 1).await;
    let page = browser.submit_code(&page, &code).await;
    assert!(page.has_field("new_password"), "still: {}", page.text());
    assert!(!is_signed_in(&app, &browser).await);
    // The client's `prompt=login` survives a restart as well.
    let pending = PendingRequest::new(&client);
    let page =
        browser.follow(browser.get(pending.url(app.issuer(), &[("prompt", "login")])).await).await;
    assert!(page.has_field("password"));
}

#[apply(both_engines)]
async fn case_5_account_switch_drops_proof(engine: Engine) {
    let app = TestApp::start(engine).await;
    let client = app.client("portal").await;
    let (mere, hemi) = (app.patient("Mere").await, app.patient("Hemi").await);
    let browser = app.browser();
    let (page, code, _) = browser.sign_in_to_code_page(&app, &client, &mere).await;
    // Another address beside the right code does not change whose attempt it is ...
    let mails = app.mail.codes_to(&hemi.email).len();
    let form = page.form().with("code", "000000").with("email", &hemi.email);
    browser.post(&form, "continue").await;
    // ... and the other person's password leads to that person's own second step.
    let (start, pending) = browser.open_sign_in_page(&client).await;
    let page = browser.submit_password(&start, &hemi).await;
    assert!(page.has_field("code"));
    let answer = browser.submit_code(&page, &code).await;
    assert!(answer.location().is_none(), "Mere's code is not Hemi's");
    let his = app.mail.wait_for_code(&hemi.email, mails + 1).await;
    let landed = browser.submit_code(&page, &his).await.authorization_response(pending);
    let tokens = client.redeem_tokens(&app, &landed).await;
    let token = tokens["access_token"].as_str().unwrap();
    assert_eq!(get_userinfo(&app, token).await.json()["email"], hemi.email);
}

#[apply(both_engines)]
async fn case_6_malformed_code_is_not_charged(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    app.set_setting("sign_in.code_tries", "10").await;
    let browser = app.browser();
    let (page, code, pending) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    let tries = async || app.count("SELECT CAST(SUM(tries) AS BIGINT) FROM email_challenges").await;
    for typed in ["", "   ", "null", "true", "[]", "1234567", "12345", "12345"] {
        let answer = browser.submit_code(&page, typed).await;
        assert!(answer.has_field("code"), "{typed:?}: {}", answer.text());
        assert_eq!(tries().await, 0, "it was compared with nothing: {typed:?}");
        assert_eq!(answer.form().value("code"), typed, "the typed value is kept");
    }
    // A missing code, and two of them.
    let mut form = page.form();
    form.fields.retain(|(name, _)| name != "code");
    assert!(browser.follow(browser.post(&form, "continue").await).await.location().is_none());
    for second in ["000000", code.as_str()] {
        let mut twice = page.form().with("code", &code);
        twice.fields.push(("code".to_owned(), second.to_owned()));
        assert!(browser.follow(browser.post(&twice, "continue").await).await.location().is_none());
    }
    let json = browser
        .send(Method::POST, "/login/code", &[("content-type", "application/json")], None)
        .await;
    assert_eq!(json.status, 415);
    let spaced = format!(" {} {} ", &code[..3], &code[3..]);
    browser.submit_code(&page, &spaced).await.authorization_response(pending).code();
}
