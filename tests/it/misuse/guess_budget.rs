//! What uses up the site's guess budget, and what is charged while it is used up (misuse case 14).

use store::Sql;
use vestibule_tests::{app::TestApp, blocking_tx::BlockingTx, db::Engine, wait};

use super::limits::{behind_a_proxy, browser_from, without_session, wrong_code};
use crate::engines::{apply, both_engines};

/// The replica's count of wrong codes, refreshed.
async fn refresh_wrong_codes(app: &TestApp) -> i64 {
    let live = &app.app().live;
    live.refresh_guess_count(&app.app().db, app.app().clock.now()).await.unwrap();
    live.wrong_codes()
}

/// Otherwise one account whose owner mistypes repeatedly would use up the budget of the whole site.
#[apply(both_engines)]
async fn completed_sign_in_refunds_wrong_codes(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let other = app.patient("Hemi").await;
    let thief = browser_from(&app, "203.0.113.9");
    let (page, code, _) = thief.sign_in_to_code_page(&app, &client, &other).await;
    thief.submit_code(&page, &wrong_code(&code, 0)).await;
    assert_eq!(refresh_wrong_codes(&app).await, 1);
    let home = browser_from(&app, "198.51.100.1");
    let (page, code, pending) = home.sign_in_to_code_page(&app, &client, &patient).await;
    for guess in
        [wrong_code(&code, 0), wrong_code(&code, 1), wrong_code(&code, 1), "12345".to_owned()]
    {
        home.submit_code(&page, &guess).await;
    }
    assert_eq!(
        refresh_wrong_codes(&app).await,
        3,
        "the same code counts once, and a malformed one not at all"
    );
    home.submit_code(&page, &code).await.authorization_response(pending).code();
    assert_eq!(refresh_wrong_codes(&app).await, 1, "only its own are refunded");
}

/// Known devices are not restricted by the budget, so they do not use it up.
#[apply(both_engines)]
async fn known_devices_spend_no_budget(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let home = browser_from(&app, "198.51.100.1");
    home.sign_in(&app, &client, &patient).await;
    let browser = without_session(&home);
    let (page, code, _) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    for nth in 0..3 {
        browser.submit_code(&page, &wrong_code(&code, nth)).await;
    }
    assert_eq!(refresh_wrong_codes(&app).await, 0);
}

/// A stranger without guesses left gets an explanation, and is not charged for a guess that is not checked.
#[apply(both_engines)]
async fn unjudged_guess_is_not_charged(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let (client, other) = (app.client("portal").await, app.patient("Hemi").await);
    app.set_setting("sign_in.guess_budget", "1").await;
    let thief = browser_from(&app, "203.0.113.9");
    let (page, code, _) = thief.sign_in_to_code_page(&app, &client, &other).await;
    thief.submit_code(&page, &wrong_code(&code, 0)).await;
    assert_eq!(refresh_wrong_codes(&app).await, 1);
    let victim = app.patient("Mere").await;
    let mut pages = Vec::new();
    for network in 1..=2 {
        let thief = browser_from(&app, &format!("203.0.113.{network}"));
        let (page, code, _) = thief.sign_in_to_code_page(&app, &client, &victim).await;
        pages.push((thief, page, code));
    }
    let (first, page, code) = &pages[0];
    for nth in 0..2 {
        first.submit_code(page, &wrong_code(code, nth)).await;
    }
    let (second, page, code) = &pages[1];
    second.submit_code(page, &wrong_code(code, 0)).await;
    let mut spent = Vec::new();
    for nth in 1..4 {
        let tries = app.count("SELECT CAST(SUM(tries) AS BIGINT) FROM email_challenges").await;
        let codes = "SELECT CAST(SUM(spent) AS BIGINT) FROM throttles WHERE kind = 'code'";
        spent.push((tries, app.count(codes).await));
        let refused = second.submit_code(page, &wrong_code(code, nth)).await;
        assert!(
            refused.status == 429 && refused.has_text("There were too many wrong codes"),
            "{}",
            refused.text()
        );
    }
    assert!(spent.windows(2).all(|pair| pair[0] == pair[1]), "{spent:?}");
    // The guess that was checked before costs nothing again.
    let again = second.submit_code(page, &wrong_code(code, 0)).await;
    assert!(again.has_text("There were too many wrong codes"), "{}", again.text());
    let tries = app.count("SELECT CAST(SUM(tries) AS BIGINT) FROM email_challenges").await;
    assert_eq!(tries, spent[0].0);
}

/// One account's owner, who guesses wrongly in one browser and signs in with another, again and again, spends little of
/// what the site has.
#[apply(both_engines)]
async fn one_account_spends_little_budget(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    for (name, value) in [
        ("code_failures", "1000"),
        ("network_share", "1000"),
        ("sends_per_day", "1000"),
        ("sends_per_hour", "1000"),
    ] {
        app.set_setting(&format!("sign_in.{name}"), value).await;
    }
    let mut sums = Vec::new();
    for _ in 0..5 {
        let second = browser_from(&app, "203.0.113.9");
        let (page, code, _) = second.sign_in_to_code_page(&app, &client, &patient).await;
        for nth in 0..5 {
            second.submit_code(&page, &wrong_code(&code, nth)).await;
        }
        browser_from(&app, "203.0.113.9").sign_in(&app, &client, &patient).await;
        sums.push(refresh_wrong_codes(&app).await);
    }
    assert_eq!(sums, [5, 10, 15, 15, 15]);
    // What the one account has spent is no other's.
    let other = app.patient("Hemi").await;
    let thief = browser_from(&app, "203.0.113.9");
    let (page, code, _) = thief.sign_in_to_code_page(&app, &client, &other).await;
    thief.submit_code(&page, &wrong_code(&code, 0)).await;
    assert_eq!(refresh_wrong_codes(&app).await, 16);
}

/// A guess whose verdict is never applied has counted for the site, and its person is warned: both are written with the
/// charge.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guess_without_verdict_counts_and_warns() {
    let app = behind_a_proxy(Engine::Postgres).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    app.set_setting("sign_in.code_failures", "3").await;
    let thief = browser_from(&app, "203.0.113.9");
    let (page, code, _) = thief.sign_in_to_code_page(&app, &client, &patient).await;
    for nth in 0..2 {
        thief.submit_code(&page, &wrong_code(&code, nth)).await;
    }
    let held =
        BlockingTx::open(app.replica_db().clone(), "LOCK TABLE audit IN EXCLUSIVE MODE").await;
    // Its verdict waits for the lock, and fails.
    let unjudged = thief.submit_code(&page, &wrong_code(&code, 2)).await;
    assert_eq!(unjudged.status, 503, "{}", unjudged.text());
    held.commit().await;
    assert_eq!(refresh_wrong_codes(&app).await, 3);
    let paused = thief.submit_code(&page, &wrong_code(&code, 2)).await;
    assert_eq!(paused.status, 429, "{}", paused.text());
    assert_eq!(refresh_wrong_codes(&app).await, 3);
    let notices = "SELECT COUNT(*) FROM jobs WHERE kind = 'mail.wrong_guesses'";
    assert_eq!(app.count(notices).await, 1);
}

/// Otherwise an attacker who disconnects between the charge and the verdict guesses past the budget: the same code, posted
/// again, is not charged again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guess_of_leaving_client_is_counted() {
    wait::retry_while_slow("a guess that waits for a lock", try_leaving_client).await;
}

async fn try_leaving_client() -> Option<()> {
    let app = behind_a_proxy(Engine::Postgres).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let thief = browser_from(&app, "203.0.113.9");
    let (page, code, _) = thief.sign_in_to_code_page(&app, &client, &patient).await;
    let held =
        BlockingTx::open(app.replica_db().clone(), "LOCK TABLE wrong_codes IN EXCLUSIVE MODE")
            .await;
    let form = page.form().with("code", &wrong_code(&code, 0));
    let post = tokio::spawn({
        let thief = thief.clone();
        async move { thief.post(&form, "continue").await }
    });
    let waiting = "SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'
                   AND relation = 'wrong_codes'::regclass";
    let waits = async || match app.count(waiting).await {
        1 => Ok(true),
        _ if post.is_finished() => Ok(false),
        count => Err(count),
    };
    if !wait::until("a guess that waits", waits).await {
        // Its wait was over before it was seen.
        held.commit().await;
        return None;
    }
    post.abort();
    assert!(post.await.is_err_and(|ended| ended.is_cancelled()));
    // The server detects the closed connection before it answers these.
    for _ in 0..3 {
        app.browser().open_sign_in_page(&client).await;
    }
    let is_away = app.count(waiting).await == 0;
    held.commit().await;
    if is_away {
        // The guess waited for longer than the database's lock timeout.
        assert_eq!(app.audit_outcomes("code.checked").await.len(), 0);
        return None;
    }
    wait::until_equal("wrong codes", 1, async || refresh_wrong_codes(&app).await).await;
    // The verdict follows the charge, in a transaction of its own.
    let wrong = vec!["wrong".to_owned()];
    wait::until_equal("verdicts", wrong, async || app.audit_outcomes("code.checked").await).await;
    Some(())
}

/// Makes a sign-in wait for lock 77 while it clears the wrong codes of its network at the person.
const SLOW_CLEARING: [&str; 2] = [
    "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN PERFORM pg_advisory_xact_lock(77); RETURN NULL; END'",
    "CREATE TRIGGER slow AFTER DELETE ON throttles
        FOR EACH ROW WHEN (OLD.kind = 'code') EXECUTE FUNCTION slow()",
];

/// A guess locks the counters of the account, then a row of the site. A right code does it in the same order: otherwise
/// PostgreSQL ends one of the two as a deadlock, and an attacker's guess makes the owner's right code fail.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn right_code_locks_site_last() {
    let app = TestApp::start(Engine::Postgres).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (page, code, pending) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    browser.submit_code(&page, &wrong_code(&code, 0)).await;
    let db = app.db.open().await;
    for sql in SLOW_CLEARING {
        db.write(async |tx| tx.q(sql).execute().await).await.expect("it runs");
    }
    let held = BlockingTx::open(db.clone(), "SELECT pg_advisory_xact_lock(77)").await;
    let right = tokio::spawn(async move { browser.submit_code(&page, &code).await });
    let clearing = "SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'
                    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    wait::until_equal("a sign-in that waits", 1, async || app.count(clearing).await).await;
    let locked = "UPDATE wrong_codes SET wrong = wrong";
    let rows = db.write(async |tx| tx.q(locked).execute().await).await.expect("none is locked");
    assert_eq!(rows, 1, "the wrong code");
    held.commit().await;
    right.await.unwrap().authorization_response(pending).code();
}
