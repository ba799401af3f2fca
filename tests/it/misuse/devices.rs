//! What a known device is worth, and for how long (decision 4): its places, its posts and its mails are those of the account.

use std::time::Duration;

use flows::{client::AuthMethod, email::EmailAddress};
use keys::{HasherConfig, HashingCaller};
use vestibule_tests::{
    acting,
    app::{Options, Patient, TestApp},
    client::{Client, Pending},
    db::Engine,
    http::HttpBrowser,
    wait::until_equal,
};

use super::limits::{behind_a_proxy, from, guess, later};
use crate::engines::{apply, both_engines};

/// The exit that everybody shares here, and somebody attacks from.
const EXIT: &str = "203.0.113.1";

/// Strangers spend the failures of the exit.
async fn fail_at_the_exit(app: &TestApp, client: &Client) {
    let nobody = Patient {
        email: "nobody@patients.example".to_owned(),
        password: String::new(),
        name: String::new(),
    };
    for _ in 0..11 {
        guess(&from(app, EXIT), client, &nobody).await;
    }
}

/// Strangers spend the posts of the exit.
async fn crowd_the_exit(app: &TestApp, client: &Client, patient: &Patient) {
    for _ in 0..12 {
        guess(&from(app, EXIT), client, patient).await;
    }
}

/// A browser at the exit with the value of a device.
fn with(app: &TestApp, device: &str) -> HttpBrowser {
    let browser = from(app, EXIT);
    browser.set_cookie("device", device);
    browser
}

async fn is_heard(
    app: &TestApp,
    browser: &HttpBrowser,
    client: &Client,
    patient: &Patient,
) -> bool {
    let (page, _) = browser.start(client).await;
    let answer = browser.password(&page, patient).await;
    // Its mail is there before anybody waits for the next.
    app.settled().await;
    assert!(answer.has_field("code") || answer.status == 429, "{}", answer.text());
    answer.has_field("code")
}

/// The mark on a value never ends; the device does. Without one its bearer is a stranger in a crowded network.
#[apply(both_engines)]
async fn replaced_device_cookie_is_worthless(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    for (name, value) in [
        ("network_failures_ipv4", "10"),
        ("posts_per_minute", "10"),
        ("password_failures", "100000"),
        ("sends_per_hour", "1000"),
    ] {
        app.set(&format!("sign_in.{name}"), value).await;
    }
    let home = from(&app, "198.51.100.1");
    home.sign_in(&app, &client, &patient).await;
    let replaced = home.cookie("device").unwrap();
    home.set_cookie("session", "");
    home.sign_in(&app, &client, &patient).await;
    let live = home.cookie("device").unwrap();
    app.stop_in_new_window();
    fail_at_the_exit(&app, &client).await;
    app.clock.advance(Duration::from_mins(1));
    assert!(
        !is_heard(&app, &with(&app, &replaced), &client, &patient).await,
        "failures: a newer one took its place"
    );
    assert!(is_heard(&app, &with(&app, &live), &client, &patient).await);
    app.stop_in_new_window();
    crowd_the_exit(&app, &client, &patient).await;
    assert!(
        !is_heard(&app, &with(&app, &replaced), &client, &patient).await,
        "posts: a newer one took its place"
    );
    assert!(is_heard(&app, &with(&app, &live), &client, &patient).await);
    let address = EmailAddress::parse(&patient.email).unwrap();
    flows::device::forget_all(&app.cx(), &acting(), &address).await.unwrap();
    assert!(!is_heard(&app, &with(&app, &live), &client, &patient).await, "forgotten");
    app.stop_in_new_window();
    home.set_cookie("session", "");
    home.sign_in(&app, &client, &patient).await;
    let old = home.cookie("device").unwrap();
    app.clock.advance(Duration::from_hours(24 * 91));
    crowd_the_exit(&app, &client, &patient).await;
    assert!(!is_heard(&app, &with(&app, &old), &client, &patient).await, "too old");
}

/// Two browsers of one account are one guest: who collects values gains nothing.
#[apply(both_engines)]
async fn device_posts_count_per_account(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let (laptop, phone) = (from(&app, EXIT), from(&app, EXIT));
    for browser in [&laptop, &phone] {
        browser.sign_in(&app, &client, &patient).await;
    }
    for (name, value) in [
        ("posts_per_minute", "10"),
        ("posts_per_minute_device", "10"),
        ("password_failures", "100000"),
    ] {
        app.set(&format!("sign_in.{name}"), value).await;
    }
    app.stop_in_new_window();
    crowd_the_exit(&app, &client, &patient).await;
    for nth in 0..10 {
        assert_ne!(guess(&later(&laptop), &client, &patient).await.status, 429, "{nth}");
    }
    assert_eq!(guess(&later(&phone), &client, &patient).await.status, 429);
}

/// The seats of known devices are for those that are known now.
#[apply(both_engines)]
async fn replaced_device_cookie_queues_as_stranger(engine: Engine) {
    let hashing = HasherConfig { threads: 1, queue: 2, wait: Duration::from_mins(5) };
    let app = TestApp::with(engine, Options { hashing, ..Options::default() }).await;
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
    until_equal("who waits", [1, 0], async || hasher.waiting()).await;
    let (page, _) = spent.start(&client).await;
    assert_eq!(
        spent.password(&page, &patient).await.status,
        503,
        "a stranger, and those have no seat left"
    );
    let owner = tokio::spawn({
        let (browser, client, patient) = (later(&home), client.clone(), patient.clone());
        async move {
            let (page, _) = browser.start(&client).await;
            browser.password(&page, &patient).await
        }
    });
    until_equal("who waits", [1, 1], async || hasher.waiting()).await;
    drop(held);
    assert!(owner.await.unwrap().has_field("code"));
    assert!(stranger.await.unwrap());
}

/// Whoever has been let in through both steps is heard to the end: consent, confirmation, a new password.
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
    let home = from(&app, EXIT);
    home.sign_in(&app, &client, &patient).await;
    app.set("sign_in.posts_per_minute", "10").await;
    app.set("sign_in.password_failures", "100000").await;
    app.stop_in_new_window();
    crowd_the_exit(&app, &client, &patient).await;
    let browser = later(&home);
    let (page, code, pending) = browser.up_to_code(&app, &phone, &patient).await;
    let confirm = browser.code(&page, &code).await;
    browser.post(&confirm.form(), "continue").await.landed(pending).code();
    // A page that a session was asked on, without a row.
    let again = Pending::new(&phone);
    let confirm = browser.follow(browser.get(again.url(app.issuer(), &[])).await).await;
    browser.post(&confirm.form(), "continue").await.landed(again).code();
    // A browser that nobody knows, between its second step and a new password.
    app.reset(&patient).await;
    app.stop_in_new_window();
    let newcomer = from(&app, EXIT);
    let (page, code, pending) = newcomer.up_to_code(&app, &client, &patient).await;
    let page = newcomer.code(&page, &code).await;
    crowd_the_exit(&app, &client, &patient).await;
    let form = page.form().with("new_password", "a walk along the river at noon");
    newcomer.follow(newcomer.post(&form, "continue").await).await.landed(pending).code();
    // And nobody else.
    let stranger = from(&app, EXIT);
    assert_eq!(stranger.post(&confirm.form(), "continue").await.status, 429);
}

/// A sign-in gives a device a new value, and no new mails.
#[apply(both_engines)]
async fn device_mail_quota_survives_new_cookie(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let home = from(&app, "198.51.100.1");
    home.sign_in(&app, &client, &patient).await;
    app.set("sign_in.sends_per_hour", "3").await;
    app.set("sign_in.sends_per_day", "4").await;
    let again = async || {
        home.set_cookie("session", "");
        home.sign_in(&app, &client, &patient).await;
    };
    let is_refused = async || {
        app.settled().await;
        let mails = app.mail.codes_to(&patient.email).len();
        let browser = later(&home);
        let (page, _) = browser.start(&client).await;
        let page = browser.password(&page, &patient).await;
        app.settled().await;
        assert_eq!(app.mail.codes_to(&patient.email).len(), mails);
        page.says("You can ask for a code again")
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
