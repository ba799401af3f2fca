//! `/metrics`: each step of a sign-in is counted with its outcome, and no personal data is included.

use std::time::Duration;

use flows::audit::{self, AuditEntry, event::ClientAdded};
use keys::{HasherConfig, HashingCaller};
use reqwest::Method;
use vestibule_tests::{
    app::{Options, TestApp},
    db::Engine,
    mail_server::MailFault,
    metrics::Scrape,
    wait::until_equal,
};

use crate::engines::{apply, both_engines};

const STEPS: &str = "vestibule_sign_in_steps_total";

fn step<'a>(step: &'a str, outcome: &'a str) -> [(&'a str, &'a str); 2] {
    [("step", step), ("outcome", outcome)]
}

#[apply(both_engines)]
async fn sign_in_steps_are_counted(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (page, code, pending) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    app.wait_for_jobs().await;
    app.clock.advance(Duration::from_secs(70));
    let wrong = if code == "135790" { "135791" } else { "135790" };
    let page = browser.submit_code(&page, wrong).await;
    let landed = browser.submit_code(&page, &code).await.authorization_response(pending);
    client.redeem_tokens(&app, &landed).await;
    let accepted = [("lane", "code"), ("outcome", "accepted")];
    let redis = (engine == Engine::Postgres).then_some(1.0);
    // A mail is counted after its result is recorded, and a Redis that does not answer within 300 ms counts as unavailable.
    let scrape = Scrape::until(app.first(), "a mail is counted, and Redis is up", |scrape| {
        scrape.value("vestibule_mail_attempts_total", &accepted) == Some(1.0)
            && scrape.value("vestibule_redis_up", &[]) == redis
    })
    .await;
    let is = |name: &str, labels: &[(&str, &str)], value: f64| {
        assert_eq!(scrape.value(name, labels), Some(value), "{name} {labels:?}\n{}", scrape.text);
    };
    is(STEPS, &step("password", "right"), 1.0);
    is(STEPS, &step("code_request", "queued"), 1.0);
    is(STEPS, &step("code_mail", "accepted"), 1.0);
    is(STEPS, &step("code", "wrong"), 1.0);
    is(STEPS, &step("code", "right"), 1.0);
    is(STEPS, &step("completed", "ok"), 1.0);
    let right = [("outcome", "right")];
    is("vestibule_code_delay_seconds_count", &right, 1.0);
    let within = |le| [("outcome", "right"), ("le", le)];
    is("vestibule_code_delay_seconds_bucket", &within("60.0"), 0.0);
    is("vestibule_code_delay_seconds_bucket", &within("120.0"), 1.0);
    is("vestibule_code_window_seconds", &[], 900.0);
    is("vestibule_code_mail_seconds_count", &[], 1.0);
    is(
        "vestibule_tokens_issued_total",
        &[("client", "portal"), ("grant_type", "authorization_code")],
        1.0,
    );
    // Refunded: a completed sign-in was no guessing stranger.
    is("vestibule_guess_budget_spent", &[], 0.0);
    is("vestibule_hashing_wait_seconds_count", &[], 2.0);
    let post = [("route", "/login/code"), ("class", "page"), ("method", "POST")];
    is("vestibule_requests_total", &post, 2.0);
    is("vestibule_request_duration_seconds_count", &[("route", "/oauth2/token")], 1.0);
    is("vestibule_database_up", &[], 1.0);
    // Not ready, because the test moved the clock.
    is("vestibule_ready", &[], 0.0);
    let skew = scrape.value("vestibule_database_clock_skew_seconds", &[]);
    assert!(skew.is_some_and(|skew| (-80.0..-68.0).contains(&skew)), "{skew:?}");
    let ages = scrape.value("vestibule_signing_key_age_seconds", &[("algorithm", "RS256")]);
    assert!(ages.is_some_and(|age| age >= 70.0), "{ages:?}");
}

/// A code that arrives after its window shows that the window is too short for some people.
#[apply(both_engines)]
async fn late_code_is_measured(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (page, code, _) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    app.wait_for_jobs().await;
    app.clock.advance(Duration::from_mins(16));
    browser.submit_code(&page, &code).await;
    let scrape = Scrape::fetch(app.first()).await;
    assert_eq!(scrape.value(STEPS, &step("code", "late")), Some(1.0));
    let beyond = |le| {
        scrape.value("vestibule_code_delay_seconds_bucket", &[("outcome", "late"), ("le", le)])
    };
    assert_eq!((beyond("900.0"), beyond("1200.0")), (Some(0.0), Some(1.0)), "{}", scrape.text);
}

/// A rolled-back event is not in the trail, so it is not counted.
#[apply(both_engines)]
async fn rolled_back_event_is_not_counted(engine: Engine) {
    let app = TestApp::start(engine).await;
    let cx = app.cx();
    let record = async |fails: bool| {
        cx.db
            .write(async |tx| {
                audit::record(&cx, tx, AuditEntry::done(ClientAdded {})).await?;
                if fails { Err(flows::Error::Conflict) } else { Ok(()) }
            })
            .await
    };
    assert!(record(true).await.is_err());
    record(false).await.unwrap();
    let events = [("event", "client.added"), ("outcome", "ok")];
    let scrape = Scrape::fetch(app.first()).await;
    assert_eq!(scrape.value("vestibule_audit_events_total", &events), Some(1.0));
    assert_eq!(app.audit_outcomes("client.added").await.len(), 1);
}

/// While the mail server accepts nothing, the metrics show the queue and its age.
#[apply(both_engines)]
async fn mail_queue_and_age_are_measured(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    app.mail.inject_fault(MailFault::Refuse(451), 1000);
    let browser = app.browser();
    let (page, _) = browser.open_sign_in_page(&client).await;
    browser.submit_password(&page, &patient).await;
    app.mail.wait_for_refusals(1).await;
    app.clock.advance(Duration::from_mins(4));
    let again = [("lane", "code"), ("outcome", "again")];
    Scrape::until(app.first(), "a mail that is to be tried again", |scrape| {
        scrape.value("vestibule_mail_attempts_total", &again).is_some()
    })
    .await;
    // Another replica exports the same queue, because it is in the database.
    let other = app.replica().await;
    let scrape = Scrape::fetch(&other).await;
    let lane = [("lane", "code")];
    assert_eq!(scrape.value("vestibule_mail_queue_jobs", &lane), Some(1.0), "{}", scrape.text);
    let age = scrape.value("vestibule_mail_queue_age_seconds", &lane);
    assert!(age.is_some_and(|age| age >= 240.0), "{age:?}");
    assert_eq!(scrape.value("vestibule_mail_queue_age_seconds", &[("lane", "notice")]), Some(0.0));
    other.stop().await;
}

#[apply(both_engines)]
async fn full_hashing_pool_is_measured(engine: Engine) {
    let hashing = HasherConfig { threads: 1, queue: 0, wait: Duration::from_secs(30) };
    let app = TestApp::start_with(engine, Options { hashing, ..Options::default() }).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (page, _) = browser.open_sign_in_page(&client).await;
    let held = (
        app.app().hasher.admit(HashingCaller::Stranger).await.unwrap(),
        app.app().hasher.admit(HashingCaller::Stranger).await.unwrap(),
    );
    // One more caller takes the one queue slot that strangers always have.
    let hasher = app.app().hasher.clone();
    let queued = tokio::spawn(async move { hasher.admit(HashingCaller::Stranger).await.is_ok() });
    until_equal("places in the queue", [1, 0], async || app.app().hasher.waiting()).await;
    assert_eq!(browser.submit_password(&page, &patient).await.status, 503);
    let scrape = Scrape::fetch(app.first()).await;
    for state in ["used", "most"] {
        assert_eq!(scrape.value("vestibule_hashing_slots", &[("state", state)]), Some(2.0));
    }
    assert_eq!(scrape.value("vestibule_hashing_refused_total", &[("reason", "full")]), Some(1.0));
    assert_eq!(scrape.value("vestibule_refusals_total", &[("reason", "busy")]), Some(1.0));
    drop(held);
    assert!(queued.await.unwrap());
}

/// Misuse case 57: whatever people and strangers send, it never becomes a label.
#[apply(both_engines)]
async fn case_57_metrics_hold_no_secret(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (page, code, pending) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    let landed = browser.submit_code(&page, &code).await.authorization_response(pending);
    let tokens = client.redeem_tokens(&app, &landed).await;
    let canary = "canary-4711@strangers.example";
    for to in [
        &format!("/{canary}"),
        &format!("/assets/{canary}"),
        &format!("/login/code?attempt={canary}"),
    ] {
        browser.send(Method::GET, to, &[], None).await;
        browser.send(Method::from_bytes(b"CANARY").unwrap(), to, &[], None).await;
        browser.send(Method::GET, to, &[("host", "canary.example")], None).await;
    }
    let unknown =
        [("grant_type".to_owned(), canary.to_owned()), ("client_id".to_owned(), canary.to_owned())];
    assert_eq!(browser.send(Method::POST, "/oauth2/token", &[], Some(&unknown)).await.status, 401);
    let scrape = Scrape::fetch(app.first()).await;
    assert_eq!(
        scrape.value("vestibule_refusals_total", &[("reason", "invalid_client")]),
        Some(1.0)
    );
    assert!(
        scrape
            .value("vestibule_requests_total", &[("route", "none")])
            .is_some_and(|count| count >= 2.0)
    );
    let text = scrape.text.to_lowercase();
    for secret in [
        "canary",
        "strangers.example",
        "127.0.0.1",
        &patient.email,
        "mere",
        &patient.password,
        &code,
        &landed.code(),
        &browser.cookie("session").unwrap(),
        tokens["access_token"].as_str().unwrap(),
        client.secret.as_deref().unwrap(),
    ] {
        // Six digits may be in any number: as a label they would be quoted.
        let secret = secret.to_lowercase();
        let found = if secret == code {
            text.contains(&format!("\"{secret}\""))
        } else {
            text.contains(&secret)
        };
        assert!(!found, "{secret} in\n{text}");
    }
}
