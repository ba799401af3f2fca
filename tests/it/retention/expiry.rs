//! Every table stays bounded, nothing that a live session needs is swept, and no sign-in is blocked by the sweep.

use std::time::{Duration, Instant};

use flows::retention::SweepPass;
use store::Sql;
use vestibule_tests::{
    aged_data,
    app::{Options, Patient, TestApp},
    client::{Client, PendingRequest, get_userinfo},
    db::{Engine, TestDb},
    http::HttpBrowser,
    wait,
};

use crate::engines::{apply, both_engines};

/// Old rows during which people sign in: at first, and at most.
const ROWS: i64 = 20_000;
const MOST_ROWS: i64 = 16 * ROWS;
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

async fn sweep(app: &TestApp) {
    let (cx, mut turn) = (app.cx(), SweepPass::default());
    while turn.next(&cx).await.unwrap() {}
}

/// A provider on a database that has been used for years, with its audit trail sealed. Another holder has the sweep's lease.
pub(super) async fn app_with_aged_data(engine: Engine, rows: i64) -> TestApp {
    let db = TestDb::create(engine).await;
    let open = db.open().await;
    aged_data::fill(&open, engine, rows).await;
    aged_data::fill_live(&open, engine, rows).await;
    // Rows of complete seals only: a seal that also covers a newer row is not old.
    aged_data::fill_trail(&open, engine, rows / 500 * 500).await;
    let until = open.clock().await.unwrap().plus(Duration::from_mins(10));
    let lease = "INSERT INTO leases (name, holder, until) VALUES ('retention', 'somebody', $1)";
    open.write(async |tx| tx.q(lease).bind(until).execute().await).await.unwrap();
    open.close().await;
    let app = TestApp::start_on(db, engine.redis_url(), Options::default()).await;
    while app.count("SELECT COUNT(*) FROM audit WHERE sealed_by IS NULL").await > 0 {
        let _ = flows::trail::seal::seal_next(&app.cx()).await;
    }
    app
}

/// The remaining rows of each kind.
async fn remaining_rows(app: &TestApp) -> Vec<(&'static str, i64)> {
    let mut all = Vec::new();
    for (kind, count) in aged_data::COUNT_BY_KIND {
        all.push((kind, app.count(count).await));
    }
    all
}

async fn remaining_total(app: &TestApp) -> i64 {
    remaining_rows(app).await.iter().map(|(_, rows)| rows).sum()
}

/// A client's silent sign-in; returns its access token.
async fn silent_access_token(app: &TestApp, browser: &HttpBrowser, client: &Client) -> String {
    let pending = PendingRequest::new(client);
    let answer = browser.get(pending.url(app.issuer(), &[("prompt", "none")])).await;
    let tokens = client.redeem_tokens(app, &answer.authorization_response(pending)).await;
    tokens["access_token"].as_str().unwrap().to_owned()
}

/// The longest possible session, and every row that it needs.
#[apply(both_engines)]
async fn live_session_rows_survive_sweep(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    for (name, value) in [
        ("session.absolute", "30d"),
        ("session.idle", "24h"),
        ("retention.audit", "30d"),
        ("token.access", "1h"),
    ] {
        app.set_setting(name, value).await;
    }
    let browser = app.browser();
    let landed = browser.sign_in(&app, &client, &patient).await;
    client.redeem_tokens(&app, &landed).await;
    app.wait_for_jobs().await;
    for day in 0..30 {
        app.clock.advance(DAY.checked_sub(HOUR).unwrap());
        sweep(&app).await;
        let token = silent_access_token(&app, &browser, &client).await;
        assert_eq!(get_userinfo(&app, &token).await.status, 200, "day {day}");
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM sessions").await, 1);
    assert_eq!(app.count("SELECT COUNT(*) FROM sign_ins").await, 1);
    assert_eq!(app.count("SELECT COUNT(*) FROM grants").await, 31, "the first of them too");
    assert_eq!(
        app.count("SELECT COUNT(*) FROM auth_codes").await,
        31,
        "so that a reused code is recognised"
    );
    assert_eq!(app.count("SELECT COUNT(*) FROM consents").await, 0);
    assert_eq!(app.count("SELECT COUNT(*) FROM users").await, 1);
    for gone in [
        "SELECT COUNT(*) FROM attempts",
        "SELECT COUNT(*) FROM email_challenges",
        "SELECT COUNT(*) FROM jobs",
    ] {
        assert_eq!(app.count(gone).await, 0, "{gone}");
    }
    // A reused old code is still recognised, and its grant ends.
    assert_eq!(client.redeem(&app, &landed).await.json()["error"], "invalid_grant");
    assert_eq!(app.audit_outcomes("grant.code_reused").await, ["revoked"]);
}

/// Each kind of row stays as long as it is needed, and no longer.
#[apply(both_engines)]
async fn rows_are_swept_after_retention(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    client.redeem_tokens(&app, &browser.sign_in(&app, &client, &patient).await).await;
    let other = app.browser();
    let (page, _) = other.open_sign_in_page(&client).await;
    other
        .submit_password(
            &page,
            &Patient { password: "not hers at all".to_owned(), ..patient.clone() },
        )
        .await;
    app.wait_for_jobs().await;
    let mut passed = Duration::ZERO;
    for (age, table, rows) in [
        (HOUR * 2, "SELECT COUNT(*) FROM email_challenges", 1),
        (HOUR * 3, "SELECT COUNT(*) FROM email_challenges", 0),
        (HOUR * 23, "SELECT COUNT(*) FROM attempts", 2),
        (HOUR * 25, "SELECT COUNT(*) FROM attempts", 0),
        (DAY * 6, "SELECT COUNT(*) FROM jobs", 1),
        (DAY * 8, "SELECT COUNT(*) FROM jobs", 0),
        (DAY * 29, "SELECT COUNT(*) FROM throttles WHERE kind = 'password'", 2),
        (DAY * 30, "SELECT COUNT(*) FROM grants", 1),
        (DAY * 30, "SELECT COUNT(*) FROM sessions", 1),
        (DAY * 31, "SELECT COUNT(*) FROM throttles", 0),
        (DAY * 31, "SELECT COUNT(*) FROM grants", 0),
        (DAY * 31, "SELECT COUNT(*) FROM auth_codes", 0),
        (DAY * 32, "SELECT COUNT(*) FROM sessions", 0),
        (DAY * 395, "SELECT COUNT(*) FROM sign_ins", 1),
        (DAY * 397, "SELECT COUNT(*) FROM sign_ins", 0),
    ] {
        app.clock.advance(age.saturating_sub(passed));
        passed = age;
        sweep(&app).await;
        assert_eq!(app.count(table).await, rows, "{table} after {age:?}");
    }
    // The same person can still sign in.
    app.browser().sign_in(&app, &client, &patient).await;
}

/// A page that stays open longer than its code is kept leads back to the first step, not to an error.
#[apply(both_engines)]
async fn page_with_swept_challenge_starts_over(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (page, code, pending) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    app.wait_for_jobs().await;
    app.clock.advance(HOUR * 3);
    sweep(&app).await;
    assert_eq!(app.count("SELECT COUNT(*) FROM email_challenges").await, 0);
    for button in ["continue", "resend"] {
        let answer =
            browser.follow(browser.post(&page.form().with("code", &code), button).await).await;
        assert!(
            answer.status.is_success() && answer.has_field("password"),
            "{}: {}",
            answer.status,
            answer.text()
        );
    }
    let again = browser.follow(browser.get(page.url.as_str()).await).await;
    let page = browser.submit_password(&again, &patient).await;
    let code = app.mail.wait_for_code(&patient.email, 2).await;
    browser.submit_code(&page, &code).await.authorization_response(pending).code();
}

/// Referencing rows are deleted first, and all of it in one pass, at most a thousand rows of a kind in one transaction: that
/// bounds how long a sign-in may wait.
#[apply(both_engines)]
async fn one_pass_sweeps_every_kind(engine: Engine) {
    let app = app_with_aged_data(engine, 1_500).await;
    let (cx, mut turn, mut before) = (app.cx(), SweepPass::default(), remaining_rows(&app).await);
    while turn.next(&cx).await.unwrap() {
        let now = remaining_rows(&app).await;
        for ((kind, had), (_, has)) in before.iter().zip(&now) {
            assert!(had - has <= 1_000, "{} {kind} at once", had - has);
        }
        before = now;
    }
    for (kind, count) in aged_data::COUNT_BY_KIND {
        assert_eq!(app.count(count).await, 0, "{kind}");
    }
    for (kind, count) in aged_data::LIVE_ROWS {
        assert_eq!(app.count(count).await, 1_500, "{kind}");
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM grants WHERE session_id IS NOT NULL").await, 0);
}

/// Four grants of one sign-in, by scope. One ends with its session; three outlive it, of which one was ended and one expires
/// after ten days.
async fn four_grants(app: &TestApp, client: &Client, patient: &Patient) {
    let browser = app.browser();
    client.redeem_tokens(app, &browser.sign_in(app, client, patient).await).await;
    for scope in ["openid", "openid email", "openid phone"] {
        let pending = PendingRequest { scope: scope.to_owned(), ..PendingRequest::new(client) };
        let landed =
            browser.get(pending.url(app.issuer(), &[])).await.authorization_response(pending);
        client.redeem_tokens(app, &landed).await;
    }
    for statement in [
        "UPDATE grants SET offline = TRUE WHERE scopes <> 'openid profile email'",
        "UPDATE grants SET ended_at = created_at WHERE scopes = 'openid email'",
        "UPDATE grants SET expires_at = created_at + 864000000 WHERE scopes = 'openid phone'",
    ] {
        app.replica_db().write(async |tx| tx.q(statement).execute().await).await.unwrap();
    }
}

const SESSION_GRANTS: &str = "SELECT COUNT(*) FROM grants WHERE scopes = 'openid profile email'";
const LIVE_GRANTS: &str = "SELECT COUNT(*) FROM grants WHERE scopes = 'openid'";
const ENDED_GRANTS: &str = "SELECT COUNT(*) FROM grants WHERE scopes = 'openid email'";
const EXPIRED_GRANTS: &str = "SELECT COUNT(*) FROM grants WHERE scopes = 'openid phone'";
const SESSIONS: &str = "SELECT COUNT(*) FROM sessions";
const SIGN_INS: &str = "SELECT COUNT(*) FROM sign_ins";

/// Sweeps at each age, and checks how many rows remain.
async fn sweep_at(app: &TestApp, ages: &[(Duration, &'static str, i64)]) {
    let mut passed = Duration::ZERO;
    for (age, count, rows) in ages {
        app.clock.advance(age.saturating_sub(passed));
        passed = *age;
        sweep(app).await;
        assert_eq!(app.count(count).await, *rows, "{count} after {age:?}");
    }
}

/// The grant with the scope `openid`, if it is live.
async fn live_grant(app: &TestApp) -> Option<store::grant::LiveGrantWithUser> {
    let mut conn = app.replica_db().read().await.unwrap();
    let (id, sid): (store::GrantId, String) =
        conn.q("SELECT id, sid FROM grants WHERE scopes = 'openid'").fetch_one().await.unwrap();
    let now = app.cx().now;
    let limits = store::session::SessionLimits { now, seen_after: now, created_after: now };
    let live = store::grant::live_with_user(&mut conn, id, limits).await.unwrap();
    assert!(live.as_ref().is_none_or(|live| live.grant.sid == sid));
    live
}

/// The grant of an application that stays signed in is not swept before it ends, however old it and its sign-in are.
#[apply(both_engines)]
async fn live_offline_grant_survives_every_sweep(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    four_grants(&app, &client, &patient).await;
    let sid = live_grant(&app).await.unwrap().grant.sid;
    sweep_at(
        &app,
        &[
            (DAY * 29, ENDED_GRANTS, 1),
            (DAY * 30, SESSION_GRANTS, 1),
            (DAY * 31, SESSION_GRANTS, 0),
            (DAY * 31, ENDED_GRANTS, 0),
            (DAY * 32, SESSIONS, 0),
            (DAY * 39, EXPIRED_GRANTS, 1),
            (DAY * 41, EXPIRED_GRANTS, 0),
            (DAY * 3_000, LIVE_GRANTS, 1),
            (DAY * 3_000, SIGN_INS, 1),
            (DAY * 3_000, "SELECT COUNT(*) FROM auth_codes", 1),
            (DAY * 3_000, "SELECT COUNT(*) FROM grants WHERE session_id IS NULL", 1),
        ],
    )
    .await;
    let live = live_grant(&app).await.expect("the grant is live");
    assert_eq!((live.grant.sid, live.user.email), (sid, Some(patient.email)));
    let (now, id) = (app.cx().now, live.grant.id);
    assert!(app.replica_db().write(async |tx| store::grant::end(tx, id, now).await).await.unwrap());
    sweep_at(
        &app,
        &[(DAY * 29, LIVE_GRANTS, 1), (DAY * 31, LIVE_GRANTS, 0), (DAY * 31, SIGN_INS, 0)],
    )
    .await;
}

/// A reset ends grants that outlive sessions: they are invalid at once, and swept like other ended grants.
#[apply(both_engines)]
async fn reset_ends_offline_grant(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    four_grants(&app, &client, &patient).await;
    assert!(live_grant(&app).await.is_some());
    app.clock.advance(DAY * 100);
    app.force_reset(&patient).await;
    assert!(live_grant(&app).await.is_none());
    sweep_at(&app, &[(DAY * 29, LIVE_GRANTS, 1), (DAY * 31, LIVE_GRANTS, 0)]).await;
}

/// A replica sweeps while people sign in, between two batches: sign-ins end long before the sweep. The time of a sign-in is
/// not asserted: each of its writes may wait for a batch, and the time of a batch depends on the machine. `scripts/bench
/// retention` measures it with a million rows.
#[apply(both_engines)]
async fn sign_in_finishes_during_sweep(engine: Engine) {
    // Twice as many rows in each round: on a busy machine a sign-in takes longer, and a sweep pauses most of the time.
    let mut rows = ROWS / 2;
    let beside = async || {
        rows = (rows * 2).min(MOST_ROWS);
        try_sign_in_beside_sweep(engine, rows / (aged_data::KINDS + 1)).await
    };
    wait::retry_while_slow("a sign-in that ends before the sweep does", beside).await;
}

async fn try_sign_in_beside_sweep(engine: Engine, old: i64) -> Option<()> {
    let app = app_with_aged_data(engine, old).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    for name in [
        "sign_in.sends_per_day",
        "sign_in.sends_per_hour",
        "sign_in.posts_per_minute_ipv6_48",
        "sign_in.posts_per_minute",
    ] {
        app.set_setting(name, "100000").await;
    }
    let release = "DELETE FROM leases WHERE name = 'retention'";
    app.replica_db().write(async |tx| tx.q(release).execute().await).await.unwrap();
    let (rows, replica) = (remaining_total(&app).await, app.replica().await);
    let (begun, mut slowest, mut beside) = (Instant::now(), Duration::ZERO, 0);
    wait::until("the sweep begins", async || remaining_total(&app).await < rows).await;
    loop {
        let one = Instant::now();
        app.browser().sign_in(&app, &client, &patient).await;
        slowest = slowest.max(one.elapsed());
        if remaining_total(&app).await == 0 {
            break;
        }
        beside += 1;
        assert!(begun.elapsed() < wait::LIMIT, "{:?} are left", remaining_rows(&app).await);
    }
    let taken = begun.elapsed().as_secs_f64();
    println!(
        "{engine:?}: {rows} rows in {taken:.1} s; {beside} sign-ins ended beside it, the slowest took {} ms",
        slowest.as_millis()
    );
    replica.stop().await;
    (beside > 0).then_some(())
}

/// A sweep that is stopped continues where it stopped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_sweep_is_resumed_later() {
    let app = app_with_aged_data(Engine::Sqlite, 2_500).await;
    let cx = app.cx();
    for batches in 1..40 {
        let mut turn = SweepPass::default();
        for _ in 0..batches {
            let dropped = tokio::time::timeout(Duration::from_millis(2), turn.next(&cx)).await;
            if dropped.is_err() {
                break;
            }
        }
    }
    let mut turn = SweepPass::default();
    while turn.next(&cx).await.unwrap() {}
    assert!(remaining_rows(&app).await.iter().all(|(_, rows)| *rows == 0));
}
