//! Paused guesses: they are not compared and cost no hash, and a wrong password counts wherever it was typed.

use std::time::Duration;

use store::HitResult;
use vestibule_tests::{app::Patient, db::Engine};

use super::limits::{behind_a_proxy, browser_from, guess, with_wrong_password, wrong_code};
use crate::engines::{apply, both_engines};

const SHARED_ADDRESS: &str = "203.0.113.1";

/// A comparison with an unreadable hash fails, which shows whether there was one.
#[apply(both_engines)]
async fn paused_guess_is_not_compared(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let (client, known) = (app.client("portal").await, app.patient("Mere").await);
    app.set_setting("sign_in.password_failures", "3").await;
    for _ in 0..3 {
        guess(&browser_from(&app, SHARED_ADDRESS), &client, &known).await;
    }
    app.replica_db()
        .write(async |tx| {
            store::Sql::q(tx, "UPDATE passwords SET phc = 'unreadable'").execute().await
        })
        .await
        .unwrap();
    let browser = browser_from(&app, SHARED_ADDRESS);
    for patient in [known.clone(), with_wrong_password(&known)] {
        let (page, _) = browser.open_sign_in_page(&client).await;
        let paused = browser.submit_password(&page, &patient).await;
        assert_eq!(paused.status, 429, "{}", paused.text());
    }
    assert_eq!(app.audit_outcomes("password.checked").await[3..], ["paused", "paused"]);
    app.clock.advance(Duration::from_mins(2));
    let (page, _) = browser.open_sign_in_page(&client).await;
    assert_eq!(browser.submit_password(&page, &known).await.status, 500, "compared again");
}

/// Otherwise a paused client could cause a hash with every post.
#[apply(both_engines)]
async fn paused_guess_counts_against_network(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    app.set_setting("sign_in.password_failures", "3").await;
    app.set_setting("sign_in.network_failures_ipv4", "10").await;
    app.stop_clock_in_new_window();
    for nth in 0..10 {
        assert_eq!(
            guess(&browser_from(&app, SHARED_ADDRESS), &client, &patient).await.status == 429,
            nth >= 3,
            "{nth}"
        );
    }
    let refused = guess(&browser_from(&app, SHARED_ADDRESS), &client, &patient).await;
    assert!(refused.has_text("too many tries from your network"), "{}", refused.text());
}

/// An ended attempt must not allow uncounted guesses.
#[apply(both_engines)]
async fn wrong_password_counts_in_ended_attempt(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    app.set_setting("sign_in.password_failures", "100000").await;
    app.set_setting("sign_in.network_failures_ipv4", "10").await;
    app.stop_clock_in_new_window();
    let browser = browser_from(&app, SHARED_ADDRESS);
    let (page, _) = browser.open_sign_in_page(&client).await;
    let page = browser.submit_password(&page, &with_wrong_password(&patient)).await;
    browser.post(&page.form(), "cancel").await;
    let form =
        page.form().with("email", &patient.email).with("password", "wrong in an ended attempt");
    for _ in 0..9 {
        browser.post(&form, "continue").await;
    }
    let refused = guess(&browser_from(&app, SHARED_ADDRESS), &client, &patient).await;
    assert!(
        refused.status == 429 && refused.has_text("too many tries from your network"),
        "{}",
        refused.text()
    );
}

/// A mail about guessed passwords does not replace the mail about a known password.
#[apply(both_engines)]
async fn each_warning_kind_is_mailed_once(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    for nth in 0..10 {
        guess(&browser_from(&app, &format!("198.51.100.{nth}")), &client, &patient).await;
    }
    app.clock.advance(Duration::from_mins(2));
    for network in 1..=2 {
        let thief = browser_from(&app, &format!("203.0.113.{network}"));
        let (page, code, _) = thief.sign_in_to_code_page(&app, &client, &patient).await;
        for nth in 0..5 {
            thief.submit_code(&page, &wrong_code(&code, nth)).await;
        }
    }
    app.wait_for_jobs().await;
    let subjects: Vec<String> =
        app.mail.mails_to(&patient.email).into_iter().map(|mail| mail.subject).collect();
    for wanted in ["Wrong passwords", "Wrong codes"] {
        assert_eq!(
            subjects.iter().filter(|subject| subject.contains(wanted)).count(),
            1,
            "{wanted}: {subjects:?}"
        );
    }
}

/// A household has many IPv6 /64 networks, and counts as one network at a person.
#[apply(both_engines)]
async fn ipv6_48_shares_tries_per_person(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    for nth in 0..12 {
        let answer =
            guess(&browser_from(&app, &format!("2001:db8:1:{nth}::1")), &client, &patient).await;
        assert_eq!(answer.status == 429, nth >= 10, "{nth}");
    }
    let phone = browser_from(&app, "2001:db8:2::1");
    let unknown = Patient { email: "unknown@patients.example".to_owned(), ..patient.clone() };
    assert_ne!(guess(&phone, &client, &unknown).await.status, 429);
    phone.sign_in(&app, &client, &patient).await;
}

/// A refund never exceeds what was counted.
#[apply(both_engines)]
async fn network_counter_never_falls_below_zero(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let (counters, now) = (&app.app().ephemeral, app.app().clock.now());
    let window = Duration::from_hours(1);
    let key = format!("probe:{}", app.issuer());
    counters.refund(&key, 5, window, now).await;
    assert_eq!(counters.hit(&key, 2, window, now).await, HitResult::Within);
    assert_eq!(counters.hit(&key, 2, window, now).await, HitResult::Within);
    assert!(matches!(
        counters.hit(&key, 2, window, now).await,
        HitResult::Over { is_first: true, .. }
    ));
    counters.refund(&key, 2, window, now).await;
    assert_eq!(counters.hit(&key, 2, window, now).await, HitResult::Within);
    assert!(matches!(counters.hit(&key, 1, window, now).await, HitResult::Over { .. }));
}
