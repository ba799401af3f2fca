//! What another session has changed of an account's methods counts before what this one has begun.

use std::time::Duration;

use vestibule_tests::{app::TestApp, authenticator_app::AuthenticatorApp, db::Engine};

use crate::engines::{apply, both_engines};

const APPS: &str = "SELECT COUNT(*) FROM totp_apps";
const PATH: &str = "/account/authenticator-apps";

/// A session with a code by e-mail, from before the account had an app, changes nothing after it has one; and an enrolment
/// that it had begun is over.
#[apply(both_engines)]
async fn change_elsewhere_ends_fresh_sign_in(engine: Engine) {
    let app = TestApp::start(engine).await;
    let patient = app.patient("Mere").await;
    let thief = app.browser();
    let start = thief.open_account(&app, &patient, PATH).await;
    let begun = thief.follow(thief.post(&start.form(), "add").await).await;
    let generator = AuthenticatorApp::scan(&begun);
    let overview = thief.get("/account/recovery-codes").await;
    app.clock.advance(Duration::from_secs(1));
    app.browser().enroll(&app, &patient).await;
    let add = thief.follow(thief.post(&start.form(), "add").await).await;
    assert!(add.has_field("password"), "{}", add.text());
    for form in overview.forms() {
        let page = thief.follow(thief.post(&form, "make").await).await;
        assert!(page.has_field("password"), "{}", page.text());
    }
    let confirm = begun.form().with("code", &generator.code(&app)).with("name", "Phone");
    let over = thief.follow(thief.post(&confirm, "confirm").await).await;
    assert!(over.has_text("begun elsewhere"), "{}", over.text());
    let shown = thief.follow(thief.get(begun.url.as_str()).await).await;
    assert!(shown.link("a[href^='otpauth:']").is_none(), "{}", shown.text());
    assert_eq!(app.count(APPS).await, 1);
    assert_eq!(app.count("SELECT COUNT(*) FROM recovery_codes").await, 10);
}

/// What was enrolled and removed cannot be enrolled again with the same secret, and its page shows the secret no more.
#[apply(both_engines)]
async fn finished_enrolment_is_over(engine: Engine) {
    let app = TestApp::start(engine).await;
    let patient = app.patient("Mere").await;
    let browser = app.browser();
    let start = browser.open_account(&app, &patient, PATH).await;
    let begun = browser.follow(browser.post(&start.form(), "add").await).await;
    let generator = AuthenticatorApp::scan(&begun);
    let confirm = |seconds| {
        let code = generator.code_ahead(&app, seconds);
        begun.form().with("code", &code).with("name", "Phone")
    };
    browser.follow(browser.post(&confirm(0), "confirm").await).await;
    let shown = browser.follow(browser.get(begun.url.as_str()).await).await;
    assert!(shown.link("a[href^='otpauth:']").is_none(), "{}", shown.text());
    let page = browser.get(PATH).await;
    browser.follow(browser.post(&page.forms()[1], "remove").await).await;
    let over = browser.follow(browser.post(&confirm(30), "confirm").await).await;
    assert!(over.has_text("begun elsewhere"), "{}", over.text());
    assert_eq!(app.count(APPS).await, 0);
}

/// A person may go on with what the same session has changed.
#[apply(both_engines)]
async fn own_change_keeps_fresh_sign_in(engine: Engine) {
    let app = TestApp::start(engine).await;
    let patient = app.patient("Mere").await;
    let browser = app.browser();
    browser.enroll(&app, &patient).await;
    app.clock.advance(Duration::from_mins(1));
    browser.add_app(&app, "Tablet").await;
    let page = browser.get("/account").await;
    let page = browser.follow(browser.post(&page.form(), "email-off").await).await;
    assert!(page.has_text("we send you no codes by e-mail"), "{}", page.text());
    assert_eq!(app.count(APPS).await, 2);
}
