//! Misuse case 24, and sessions: new cookie values at every change of privilege, and their limits.

use std::time::Duration;

use vestibule_tests::{
    app::TestApp,
    client::{Client, PendingRequest},
    db::Engine,
    http::HttpBrowser,
};

use crate::engines::{apply, both_engines};

async fn signs_in_silently(app: &TestApp, browser: &HttpBrowser, client: &Client) -> bool {
    let pending = PendingRequest::new(client);
    let landed = browser
        .get(pending.url(app.issuer(), &[("prompt", "none")]))
        .await
        .authorization_response(pending);
    landed.param("code").is_some()
}

/// A planted cookie is worthless after the victim has signed in with it.
#[apply(both_engines)]
async fn case_24_planted_cookie_is_no_session(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let attacker = app.browser();
    attacker.open_sign_in_page(&client).await;
    let planted = attacker.cookie("browser").unwrap();
    let victim = app.browser();
    victim.set_cookie("browser", &planted);
    victim.set_cookie("session", &planted);
    let landed = victim.sign_in(&app, &client, &patient).await;
    client.redeem_tokens(&app, &landed).await;
    assert_ne!(victim.cookie("browser").unwrap(), planted);
    assert_ne!(victim.cookie("session").unwrap(), planted);
    assert_ne!(victim.cookie("browser"), victim.cookie("session"));
    attacker.set_cookie("session", &planted);
    assert!(!signs_in_silently(&app, &attacker, &client).await);
    assert!(signs_in_silently(&app, &victim, &client).await);
}

#[apply(both_engines)]
async fn idle_and_absolute_limits_end_session(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    browser.sign_in(&app, &client, &patient).await;
    app.clock.advance(Duration::from_mins(29));
    assert!(signs_in_silently(&app, &browser, &client).await, "used within half an hour");
    app.clock.advance(Duration::from_mins(29));
    assert!(signs_in_silently(&app, &browser, &client).await, "use keeps it alive");
    app.clock.advance(Duration::from_mins(31));
    assert!(!signs_in_silently(&app, &browser, &client).await, "idle for more");
    browser.sign_in(&app, &client, &patient).await;
    for _ in 0..24 {
        app.clock.advance(Duration::from_mins(29));
        signs_in_silently(&app, &browser, &client).await;
    }
    assert!(
        signs_in_silently(&app, &browser, &client).await,
        "eleven and a half hours, always in use"
    );
    app.clock.advance(Duration::from_mins(25));
    assert!(!signs_in_silently(&app, &browser, &client).await, "twelve hours, in use or not");
    // The limits are settings that apply at once.
    browser.sign_in(&app, &client, &patient).await;
    app.set_setting("session.idle", "5m").await;
    app.clock.advance(Duration::from_mins(6));
    assert!(!signs_in_silently(&app, &browser, &client).await);
}

#[apply(both_engines)]
async fn account_switch_ends_previous_session(engine: Engine) {
    let app = TestApp::start(engine).await;
    let client = app.client("portal").await;
    let (mere, hemi) = (app.patient("Mere").await, app.patient("Hemi").await);
    let browser = app.browser();
    browser.sign_in(&app, &client, &mere).await;
    let hers = browser.with_copied_cookies();
    let pending = PendingRequest::new(&client);
    let page =
        browser.follow(browser.get(pending.url(app.issuer(), &[("prompt", "login")])).await).await;
    let page = browser.submit_password(&page, &hemi).await;
    let code = app.mail.wait_for_code(&hemi.email, 1).await;
    browser.submit_code(&page, &code).await.authorization_response(pending).code();
    assert!(!signs_in_silently(&app, &hers, &client).await);
    assert!(signs_in_silently(&app, &browser, &client).await);
}

/// However a session ends, its row has the time. The trail has a row for it where no other row says so.
#[apply(both_engines)]
async fn every_cause_ends_session_row(engine: Engine) {
    let app = TestApp::start(engine).await;
    let client = app.client("portal").await;
    let (mere, hemi) = (app.patient("Mere").await, app.patient("Hemi").await);
    let open = "SELECT COUNT(*) FROM sessions WHERE ended_at IS NULL";
    let (browser, other) = (app.browser(), app.browser());
    browser.sign_in(&app, &client, &mere).await;
    other.sign_in(&app, &client, &mere).await;
    assert_eq!(app.count(open).await, 2);
    // The browser is signed in as another person.
    let pending = PendingRequest::new(&client);
    let url = pending.url(app.issuer(), &[("prompt", "login")]);
    let page = browser.submit_password(&browser.follow(browser.get(url).await).await, &hemi).await;
    let code = app.mail.wait_for_code(&hemi.email, 1).await;
    browser.submit_code(&page, &code).await.authorization_response(pending).code();
    assert_eq!(app.count(open).await, 2, "one ended, one began");
    assert_eq!(app.audit_outcomes("session.signed_out").await, [""; 0]);
    // A reset ends all sessions of a person, and none of another.
    app.browser().sign_in(&app, &client, &mere).await;
    assert_eq!(app.count(open).await, 3);
    app.force_reset(&mere).await;
    assert_eq!(app.count(open).await, 1);
    assert!(signs_in_silently(&app, &browser, &client).await);
    assert_eq!(app.audit_outcomes("session.signed_out").await, [""; 0]);
    // A person signs out.
    let page = browser.get("/oauth2/logout").await;
    browser.post(&page.form(), "continue").await;
    assert_eq!(app.count(open).await, 0);
    assert_eq!(app.audit_outcomes("session.signed_out").await, ["ok"]);
}

/// Decision 6: everything older is invalid at the next request, and the next sign-in changes the password.
#[apply(both_engines)]
async fn forced_reset_ends_everything_older(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    app.set_setting("sign_in.sends_per_hour", "12").await;
    let (signed_in, waiting) = (app.browser(), app.browser());
    let landed = signed_in.sign_in(&app, &client, &patient).await;
    let (page, code, _) = waiting.sign_in_to_code_page(&app, &client, &patient).await;
    app.force_reset(&patient).await;
    // The notice is only sent while the reset is open: it has to be sent before the change closes it.
    app.wait_for_jobs().await;
    assert!(!signs_in_silently(&app, &signed_in, &client).await);
    assert_eq!(client.redeem(&app, &landed).await.json()["error"], "invalid_grant");
    assert!(waiting.submit_code(&page, &code).await.location().is_none());
    // The next sign-in: both steps, then the change, then the client.
    let browser = app.browser();
    let (page, code, pending) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    let page = browser.submit_code(&page, &code).await;
    assert!(page.has_field("new_password"), "{}", page.text());
    assert_eq!(
        app.count("SELECT COUNT(*) FROM sign_ins").await,
        1,
        "nothing is issued before the change"
    );
    for bad in ["short", &patient.password, "passwordpassword", "aaaaaaaaaaaaaaaaaaaa", ""] {
        let form = page.form().with("new_password", bad);
        let answer = browser.follow(browser.post(&form, "continue").await).await;
        assert!(answer.has_field("new_password"), "{bad}: {}", answer.text());
    }
    let new = "a walk along the river at noon";
    let form = page.form().with("new_password", new);
    let answer = browser.follow(browser.post(&form, "continue").await).await;
    client.redeem_tokens(&app, &answer.authorization_response(pending)).await;
    // The old password no longer works, the new one does, and its owner got a mail.
    let other = app.browser();
    let (page, _) = other.open_sign_in_page(&client).await;
    assert!(other.submit_password(&page, &patient).await.has_field("password"));
    let changed = vestibule_tests::app::Patient { password: new.to_owned(), ..patient.clone() };
    other.sign_in(&app, &client, &changed).await;
    app.wait_for_jobs().await;
    let subjects: Vec<_> = app
        .mail
        .mails_to(&patient.email)
        .into_iter()
        .filter(|m| m.code.is_none())
        .map(|m| m.subject)
        .collect();
    assert_eq!(subjects.len(), 2, "forced, and changed: {subjects:?}");
}
