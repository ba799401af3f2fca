//! What a known device may do, and for how long (decision 4): its queue permits, posts and mails count per account.

use std::time::Duration;

use flows::{client::AuthMethod, email::EmailAddress};
use keys::{HasherConfig, HashingCaller};
use vestibule_tests::{
    app::{Options, Patient, TestApp},
    client::{Client, PendingRequest},
    db::Engine,
    http::HttpBrowser,
    test_actor,
    wait::until_equal,
};

use super::limits::{behind_a_proxy, browser_from, guess, without_session};
use crate::engines::{apply, both_engines};

/// The address that all clients share here, an attacker among them.
const SHARED_ADDRESS: &str = "203.0.113.1";

/// Strangers use up the failures of the shared address.
async fn spend_failures(app: &TestApp, client: &Client) {
    let unknown = Patient {
        email: "unknown@patients.example".to_owned(),
        password: String::new(),
        name: String::new(),
    };
    for _ in 0..11 {
        guess(&browser_from(app, SHARED_ADDRESS), client, &unknown).await;
    }
}

/// Strangers use up the posts of the shared address.
async fn spend_posts(app: &TestApp, client: &Client, patient: &Patient) {
    for _ in 0..12 {
        guess(&browser_from(app, SHARED_ADDRESS), client, patient).await;
    }
}

/// A browser at the shared address with a device cookie.
fn with(app: &TestApp, device: &str) -> HttpBrowser {
    let browser = browser_from(app, SHARED_ADDRESS);
    browser.set_cookie("device", device);
    browser
}

async fn is_admitted(
    app: &TestApp,
    browser: &HttpBrowser,
    client: &Client,
    patient: &Patient,
) -> bool {
    let (page, _) = browser.open_sign_in_page(client).await;
    let answer = browser.submit_password(&page, patient).await;
    // The mail has to arrive before a test waits for the next one.
    app.wait_for_jobs().await;
    assert!(answer.has_field("code") || answer.status == 429, "{}", answer.text());
    answer.has_field("code")
}

/// The mark on a device cookie never expires; the device does. Without a live device its bearer is a stranger in a
/// rate-limited network.
#[apply(both_engines)]
async fn replaced_device_cookie_is_worthless(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    for (name, value) in [
        ("network_failures_ipv4", "10"),
        ("posts_per_minute", "10"),
        ("password_failures", "100000"),
        ("sends_per_day", "1000"),
        ("sends_per_hour", "1000"),
    ] {
        app.set_setting(&format!("sign_in.{name}"), value).await;
    }
    let home = browser_from(&app, "198.51.100.1");
    home.sign_in(&app, &client, &patient).await;
    let replaced = home.cookie("device").unwrap();
    home.set_cookie("session", "");
    home.sign_in(&app, &client, &patient).await;
    let live = home.cookie("device").unwrap();
    app.stop_clock_in_new_window();
    spend_failures(&app, &client).await;
    app.clock.advance(Duration::from_mins(1));
    assert!(
        !is_admitted(&app, &with(&app, &replaced), &client, &patient).await,
        "failures: a newer value replaced it"
    );
    assert!(is_admitted(&app, &with(&app, &live), &client, &patient).await);
    app.stop_clock_in_new_window();
    spend_posts(&app, &client, &patient).await;
    assert!(
        !is_admitted(&app, &with(&app, &replaced), &client, &patient).await,
        "posts: a newer value replaced it"
    );
    assert!(is_admitted(&app, &with(&app, &live), &client, &patient).await);
    let address = EmailAddress::parse(&patient.email).unwrap();
    flows::device::forget_all(&app.cx(), &test_actor(), &address).await.unwrap();
    assert!(!is_admitted(&app, &with(&app, &live), &client, &patient).await, "forgotten");
    app.stop_clock_in_new_window();
    home.set_cookie("session", "");
    home.sign_in(&app, &client, &patient).await;
    let old = home.cookie("device").unwrap();
    app.clock.advance(Duration::from_hours(24 * 91));
    spend_posts(&app, &client, &patient).await;
    assert!(!is_admitted(&app, &with(&app, &old), &client, &patient).await, "too old");
}

/// Two browsers of one account share one limit: collecting device cookies gains nothing.
#[apply(both_engines)]
async fn device_posts_count_per_account(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let (laptop, phone) = (browser_from(&app, SHARED_ADDRESS), browser_from(&app, SHARED_ADDRESS));
    for browser in [&laptop, &phone] {
        browser.sign_in(&app, &client, &patient).await;
    }
    for (name, value) in [
        ("posts_per_minute", "10"),
        ("posts_per_minute_device", "10"),
        ("password_failures", "100000"),
    ] {
        app.set_setting(&format!("sign_in.{name}"), value).await;
    }
    app.stop_clock_in_new_window();
    spend_posts(&app, &client, &patient).await;
    for nth in 0..10 {
        assert_ne!(guess(&without_session(&laptop), &client, &patient).await.status, 429, "{nth}");
    }
    assert_eq!(guess(&without_session(&phone), &client, &patient).await.status, 429);
}

/// The queue slots of known devices are for devices that are live.
#[apply(both_engines)]
async fn replaced_device_cookie_queues_as_stranger(engine: Engine) {
    let hashing = HasherConfig { threads: 1, queue: 2, wait: Duration::from_mins(5) };
    let app = TestApp::start_with(engine, Options { hashing, ..Options::default() }).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let home = app.browser();
    home.sign_in(&app, &client, &patient).await;
    let spent = app.browser();
    spent.set_cookie("device", &home.cookie("device").unwrap());
    home.set_cookie("session", "");
    home.sign_in(&app, &client, &patient).await;
    let hasher = app.app().hasher.clone();
    let held = (
        hasher.admit(HashingCaller::Stranger).await.unwrap(),
        hasher.admit(HashingCaller::Stranger).await.unwrap(),
    );
    let stranger = tokio::spawn({
        let hasher = hasher.clone();
        async move { hasher.admit(HashingCaller::Stranger).await.is_ok() }
    });
    until_equal("callers in the queue", [1, 0], async || hasher.waiting()).await;
    let (page, _) = spent.open_sign_in_page(&client).await;
    assert_eq!(
        spent.submit_password(&page, &patient).await.status,
        503,
        "a stranger, and the strangers' queue is full"
    );
    let owner = tokio::spawn({
        let (browser, client, patient) = (without_session(&home), client.clone(), patient.clone());
        async move {
            let (page, _) = browser.open_sign_in_page(&client).await;
            browser.submit_password(&page, &patient).await
        }
    });
    until_equal("callers in the queue", [1, 1], async || hasher.waiting()).await;
    drop(held);
    assert!(owner.await.unwrap().has_field("code"));
    assert!(stranger.await.unwrap());
}

/// A person who has passed both steps may finish: consent, confirmation, a new password.
#[apply(both_engines)]
async fn rate_limited_network_completes_last_page(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let phone = app
        .client_with("phone", |new| {
            new.profile = flows::client::Profile::Native;
            new.metadata.token_endpoint_auth_method = AuthMethod::None;
            new.metadata.redirect_uris = vec!["org.example.phone:/callback".to_owned()];
        })
        .await;
    let home = browser_from(&app, SHARED_ADDRESS);
    home.sign_in(&app, &client, &patient).await;
    app.set_setting("sign_in.posts_per_minute", "10").await;
    app.set_setting("sign_in.password_failures", "100000").await;
    app.stop_clock_in_new_window();
    spend_posts(&app, &client, &patient).await;
    let browser = without_session(&home);
    let (page, code, pending) = browser.sign_in_to_code_page(&app, &phone, &patient).await;
    let confirm = browser.submit_code(&page, &code).await;
    browser.post(&confirm.form(), "continue").await.authorization_response(pending).code();
    // A confirmation page that a session led to, without an attempt's row.
    let again = PendingRequest::new(&phone);
    let confirm = browser.follow(browser.get(again.url(app.issuer(), &[])).await).await;
    browser.post(&confirm.form(), "continue").await.authorization_response(again).code();
    // An unknown browser, between its second step and a new password.
    app.force_reset(&patient).await;
    app.stop_clock_in_new_window();
    let newcomer = browser_from(&app, SHARED_ADDRESS);
    let (page, code, pending) = newcomer.sign_in_to_code_page(&app, &client, &patient).await;
    let page = newcomer.submit_code(&page, &code).await;
    spend_posts(&app, &client, &patient).await;
    let form = page.form().with("new_password", "a walk along the river at noon");
    newcomer
        .follow(newcomer.post(&form, "continue").await)
        .await
        .authorization_response(pending)
        .code();
    // No other browser is admitted.
    let stranger = browser_from(&app, SHARED_ADDRESS);
    assert_eq!(stranger.post(&confirm.form(), "continue").await.status, 429);
}

/// A sign-in gives a device a new cookie, but no new mail quota.
#[apply(both_engines)]
async fn device_mail_quota_survives_new_cookie(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let home = browser_from(&app, "198.51.100.1");
    home.sign_in(&app, &client, &patient).await;
    app.set_setting("sign_in.sends_per_hour", "3").await;
    app.set_setting("sign_in.sends_per_day", "4").await;
    let again = async || {
        home.set_cookie("session", "");
        home.sign_in(&app, &client, &patient).await;
    };
    let is_refused = async || {
        app.wait_for_jobs().await;
        let mails = app.mail.codes_to(&patient.email).len();
        let browser = without_session(&home);
        let (page, _) = browser.open_sign_in_page(&client).await;
        let page = browser.submit_password(&page, &patient).await;
        app.wait_for_jobs().await;
        assert_eq!(app.mail.codes_to(&patient.email).len(), mails);
        page.has_text("You can ask for a code again")
    };
    for _ in 0..3 {
        again().await;
    }
    assert!(is_refused().await, "three an hour");
    app.clock.advance(Duration::from_hours(1));
    again().await;
    app.clock.advance(Duration::from_hours(1));
    assert!(is_refused().await, "four a day");
    app.clock.advance(Duration::from_hours(24));
    again().await;
}
