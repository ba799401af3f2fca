//! What guesses at a code of an authenticator app cost, and when that is given back.

use std::time::Duration;

use vestibule_tests::{
    app::{Patient, TestApp},
    authenticator_app::AuthenticatorApp,
    client::Client,
    db::Engine,
    http::{HttpBrowser, Response},
};

use crate::engines::{apply, both_engines};

/// Wrong codes that the site has counted.
const SITE: &str = "SELECT CAST(COALESCE(SUM(wrong), 0) AS BIGINT) FROM wrong_codes";
/// Tries at codes that are spent.
const SPENT: &str =
    "SELECT CAST(COALESCE(SUM(spent), 0) AS BIGINT) FROM throttles WHERE kind = 'code'";

/// A person with an app whose last code is past.
async fn person_with_app(app: &TestApp, name: &str) -> (Patient, AuthenticatorApp) {
    let patient = app.patient(name).await;
    let (generator, _) = app.browser().enroll(app, &patient).await;
    app.clock.advance(Duration::from_secs(90));
    (patient, generator)
}

/// A new browser at the page that asks for a code of the app.
async fn at_totp_page(
    app: &TestApp,
    client: &Client,
    patient: &Patient,
) -> (HttpBrowser, Response) {
    let browser = app.browser();
    let (start, _) = browser.open_sign_in_page(client).await;
    let page = browser.submit_password(&start, patient).await;
    assert_eq!(page.url.path(), "/login/totp", "{}", page.text());
    (browser, page)
}

/// Six digits that the app does not show for minutes; another one for each `nth`.
fn wrong_code(app: &TestApp, generator: &AuthenticatorApp, nth: usize) -> String {
    let right: Vec<_> = (-12..=12).map(|step| generator.code_ahead(app, 30 * step)).collect();
    let guesses = (0..1000).map(|guess| format!("{:06}", 1000 * nth + guess));
    guesses.into_iter().find(|guess| !right.contains(guess)).expect("a wrong one")
}

/// Who signs in to an account of their own takes back no guess at another one (ruling A35).
#[apply(both_engines)]
async fn guesses_at_other_account_stay_counted(engine: Engine) {
    let app = TestApp::start(engine).await;
    let client = app.client("portal").await;
    let (victim, at_victim) = person_with_app(&app, "Mere").await;
    let (own, generator) = person_with_app(&app, "Hemi").await;
    let (browser, mut page) = at_totp_page(&app, &client, &victim).await;
    for nth in 0..3 {
        page = browser.submit_code(&page, &wrong_code(&app, &at_victim, nth)).await;
    }
    assert_eq!(app.count(SITE).await, 9);
    let start = browser.follow(browser.post(&page.form(), "restart").await).await;
    let page = browser.submit_password(&start, &own).await;
    let landed = browser.submit_code(&page, &generator.code(&app)).await;
    assert!(landed.location().is_some(), "{}", landed.text());
    assert_eq!(app.count(SITE).await, 9);
}

/// An attempt that goes back to the password before the new one takes its wrong codes back once.
#[apply(both_engines)]
async fn guesses_are_taken_back_once(engine: Engine) {
    let app = TestApp::start(engine).await;
    let client = app.client("portal").await;
    let (patient, generator) = person_with_app(&app, "Mere").await;
    app.force_reset(&patient).await;
    let (browser, mut page) = at_totp_page(&app, &client, &patient).await;
    page = browser.submit_code(&page, &wrong_code(&app, &generator, 0)).await;
    assert_eq!(app.count(SITE).await, 3);
    for round in 0..2 {
        let form = browser.follow(browser.submit_code(&page, &generator.code(&app)).await).await;
        assert_eq!(form.url.path(), "/login/new-password", "{}", form.text());
        assert_eq!(app.count(SITE).await, 0, "round {round}");
        let start = browser.follow(browser.post(&form.form(), "restart").await).await;
        app.clock.advance(Duration::from_mins(1));
        page = browser.submit_password(&start, &patient).await;
    }
}

/// The value that the browser cookie had before the sign-in reaches only the same proof: every other guess is charged, and
/// after the last try that proof is not compared either (misuse case 24).
#[apply(both_engines)]
async fn guesses_after_completion_are_charged(engine: Engine) {
    let app = TestApp::start(engine).await;
    let client = app.client("portal").await;
    let (patient, generator) = person_with_app(&app, "Mere").await;
    let (browser, page) = at_totp_page(&app, &client, &patient).await;
    let earlier = browser.with_copied_cookies();
    let code = generator.code(&app);
    assert!(browser.submit_code(&page, &code).await.location().is_some());
    assert_eq!(app.count(SPENT).await, 0);
    for nth in 0..10 {
        let refused = earlier.submit_code(&page, &wrong_code(&app, &generator, nth)).await;
        assert!(refused.has_text("start again"), "{nth}: {}", refused.text());
    }
    assert_eq!(app.count(SPENT).await, 15, "ten of this network, of which five count for all");
    let refused = earlier.submit_code(&page, &generator.code_ahead(&app, 30)).await;
    assert!(refused.location().is_none(), "{}", refused.text());
    assert!(earlier.cookie("session").is_none());
    let outcomes = app.audit_outcomes("totp.checked").await;
    assert_eq!((outcomes.len(), &*outcomes[1]), (12, "used"));
    assert_eq!(app.count(SITE).await, 0, "no right code could take these back");
}

/// A double click of a wrong code costs one try.
#[apply(both_engines)]
async fn same_guess_is_charged_once(engine: Engine) {
    let app = TestApp::start(engine).await;
    app.stop_clock_in_new_window();
    let client = app.client("portal").await;
    let (patient, generator) = person_with_app(&app, "Mere").await;
    let (browser, page) = at_totp_page(&app, &client, &patient).await;
    let wrong = wrong_code(&app, &generator, 0);
    for _ in 0..3 {
        let page = browser.submit_code(&page, &wrong).await;
        assert!(page.has_text("You have 9 tries left"), "{}", page.text());
    }
    assert_eq!(app.count(SITE).await, 3);
    // At the next time step it might be right.
    app.clock.advance(Duration::from_secs(30));
    let page = browser.submit_code(&page, &wrong_code(&app, &generator, 0)).await;
    assert!(page.has_text("You have 8 tries left"), "{}", page.text());
}

/// A code that can lead nowhere is compared with nothing, and costs no try: by any method.
#[apply(both_engines)]
async fn code_after_reset_is_free(engine: Engine) {
    let app = TestApp::start(engine).await;
    let client = app.client("portal").await;
    let (patient, generator) = person_with_app(&app, "Mere").await;
    let without_app = app.patient("Hemi").await;
    let (browser, page) = at_totp_page(&app, &client, &patient).await;
    let other = app.browser();
    let (code_page, code, _) = other.sign_in_to_code_page(&app, &client, &without_app).await;
    app.force_reset(&patient).await;
    app.force_reset(&without_app).await;
    for (browser, page, right) in [(browser, page, generator.code(&app)), (other, code_page, code)]
    {
        let wrong = wrong_code(&app, &generator, 7);
        for typed in [wrong, right] {
            let start = browser.follow(browser.submit_code(&page, &typed).await).await;
            assert!(start.has_field("password"), "{}", start.text());
        }
    }
    assert_eq!((app.count(SPENT).await, app.count(SITE).await), (0, 0));
    assert_eq!(
        app.count(
            "SELECT CAST(SUM(tries) AS BIGINT) FROM email_challenges WHERE completed_at IS NULL"
        )
        .await,
        0
    );
}

/// Ruling A4, of several codes at the same time.
#[apply(both_engines)]
async fn early_codes_at_once_all_die(engine: Engine) {
    let app = TestApp::start(engine).await;
    app.stop_clock_in_new_window();
    let client = app.client("portal").await;
    let (patient, generator) = person_with_app(&app, "Mere").await;
    let (browser, page) = at_totp_page(&app, &client, &patient).await;
    let early: Vec<_> = [3, 5].map(|step| generator.code_ahead(&app, 30 * step)).into();
    let posts: Vec<_> = early
        .iter()
        .map(|code| {
            let (browser, page, code) = (browser.with_copied_cookies(), page.clone(), code.clone());
            tokio::spawn(async move { browser.submit_code(&page, &code).await })
        })
        .collect();
    for post in posts {
        let page = post.await.unwrap();
        assert!(page.has_text("ahead"), "{}", page.text());
    }
    for (seconds, code) in [(90, &early[0]), (60, &early[1])] {
        app.clock.advance(Duration::from_secs(seconds));
        let page = browser.submit_code(&page, code).await;
        assert!(page.has_text("used already"), "{}", page.text());
    }
}
