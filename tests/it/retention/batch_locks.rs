//! The locks of a sweep's batch, and which statements wait for them.

use std::{sync::Arc, time::Duration};

use flows::retention::{SweepPass, SweepTarget};
use store::{Sql, Timestamp};
use tokio::{sync::Notify, task::JoinHandle};
use vestibule_tests::{
    app::{Patient, TestApp},
    client::Client,
    db::Engine,
    mail_server::MailFault,
};

use super::expiry::app_with_aged_data;
use crate::engines::{apply, both_engines};

/// Rows of one batch, as in the sweep.
const BATCH: i64 = 1_000;
/// The old rows are older than this.
const OLD: Timestamp = Timestamp::from_millis(1_000_000_000_000);

/// Runs the statements of a batch.
async fn sweep(tx: &mut store::Tx, what: SweepTarget) -> store::Result<u64> {
    match what {
        SweepTarget::Attempts => store::attempt::sweep(tx, OLD, BATCH).await,
        SweepTarget::Challenges => store::email_challenge::sweep(tx, OLD, BATCH).await,
        SweepTarget::DoneJobs => store::job::sweep_done(tx, OLD, BATCH).await,
        SweepTarget::FailedJobs => store::job::sweep_failed(tx, OLD, BATCH).await,
        SweepTarget::Grants => {
            let sweep = store::grant::GrantSweep { created_before: OLD, ended_before: OLD };
            store::grant::sweep(tx, sweep, BATCH).await
        }
        SweepTarget::Sessions => store::session::sweep(tx, OLD, BATCH).await,
        SweepTarget::SignIns => store::sign_in::sweep(tx, OLD, BATCH).await,
        SweepTarget::Throttles => store::throttle::sweep(tx, OLD, BATCH).await,
        SweepTarget::WrongCodes => store::wrong_code::sweep(tx, OLD).await,
        SweepTarget::Devices => store::device::sweep(tx, OLD, BATCH).await,
        SweepTarget::Leases => store::lease::sweep(tx, OLD).await,
        SweepTarget::Audit => {
            let rows = store::audit::sweep(tx, &(1..=1)).await?;
            store::audit_seal::mark_swept(tx, &(1..=1), OLD).await?;
            Ok(rows)
        }
    }
}

/// A batch whose transaction stays open, with all its locks, until `commit`.
struct OpenBatch {
    gate: Arc<Notify>,
    batch: JoinHandle<store::Result<u64>>,
}

impl OpenBatch {
    async fn open(app: &TestApp, what: SweepTarget) -> Self {
        let (swept, gate) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (db, swept_signal, opens) = (app.replica_db().clone(), swept.clone(), gate.clone());
        let batch = tokio::spawn(async move {
            db.write(async |tx| {
                let gone = sweep(tx, what).await?;
                swept_signal.notify_one();
                // The server ends a transaction that is idle for long.
                while tokio::time::timeout(Duration::from_secs(1), opens.notified()).await.is_err()
                {
                    tx.q("SELECT 1 FROM leases WHERE name = ''").execute().await?;
                }
                Ok(gone)
            })
            .await
        });
        swept.notified().await;
        Self { gate, batch }
    }

    /// Commits; returns how many rows were deleted.
    async fn commit(self) -> u64 {
        assert!(!self.batch.is_finished(), "the transaction was open all the time");
        self.gate.notify_one();
        self.batch.await.unwrap().unwrap()
    }
}

/// A provider with old rows that all belong to the person and the client of the sign-in: the new rows refer to the same
/// rows.
async fn app_with_own_aged_data(engine: Engine) -> (TestApp, Client, Patient) {
    let app = app_with_aged_data(engine, 500).await;
    for name in [
        "sign_in.sends_per_day",
        "sign_in.sends_per_hour",
        "sign_in.posts_per_minute_ipv6_48",
        "sign_in.posts_per_minute",
    ] {
        app.set_setting(name, "100000").await;
    }
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    for (table, of_hers) in [
        ("email_challenges", "user_id"),
        ("sign_ins", "user_id"),
        ("sessions", "user_id"),
        ("grants", "user_id"),
        ("devices", "user_id"),
        ("attempts", "client_id = 'portal'"),
        ("grants", "client_id = 'portal'"),
    ] {
        let set = match of_hers {
            "user_id" => {
                format!("user_id = (SELECT id FROM users WHERE email = '{}')", patient.email)
            }
            client => client.to_owned(),
        };
        let sql = format!("UPDATE {table} SET {set}").leak();
        assert!(
            app.replica_db().write(async |tx| tx.q(sql).execute().await).await.unwrap() >= 500,
            "{table}"
        );
    }
    (app, client, patient)
}

/// A complete sign-in, both steps and the tokens, while the batch of each kind is open: it ends before the batch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_sweep_blocks_no_sign_in() {
    let (app, client, patient) = app_with_own_aged_data(Engine::Postgres).await;
    for what in SweepTarget::ALL {
        let held = OpenBatch::open(&app, what).await;
        let landed = app.browser().sign_in(&app, &client, &patient).await;
        client.redeem_tokens(&app, &landed).await;
        let gone = held.commit().await;
        assert!(gone >= 500, "{what:?}: {gone}");
    }
}

/// SQLite has one writer. A page opens beside a batch; a post waits for the end of the batch, which is why batches are
/// short.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_sweep_only_delays_posts() {
    let (app, client, patient) = app_with_own_aged_data(Engine::Sqlite).await;
    for what in SweepTarget::ALL {
        let held = OpenBatch::open(&app, what).await;
        let browser = app.browser();
        let (page, pending) = browser.open_sign_in_page(&client).await;
        let mails = app.mail.codes_to(&patient.email).len();
        let posted = tokio::spawn({
            let (browser, patient) = (browser.clone(), patient.clone());
            async move { browser.submit_password(&page, &patient).await }
        });
        let gone = held.commit().await;
        assert!(gone >= 500, "{what:?}: {gone}");
        let page = posted.await.unwrap();
        let code = app.mail.wait_for_code(&patient.email, mails + 1).await;
        client
            .redeem_tokens(
                &app,
                &browser.submit_code(&page, &code).await.authorization_response(pending),
            )
            .await;
    }
}

/// Rows that belong to no person: failed jobs, the site's wrong codes, known devices, leases of processes that are gone.
#[apply(both_engines)]
async fn remaining_kinds_are_swept_in_time(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    app.mail.inject_fault(MailFault::Refuse(550), 1);
    let refused = app.browser();
    let (page, _) = refused.open_sign_in_page(&client).await;
    refused.submit_password(&page, &patient).await;
    app.wait_for_jobs().await;
    let browser = app.browser();
    let (page, code, pending) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    let other = if code == "000000" { "000001" } else { "000000" };
    let page = browser.submit_code(&page, other).await;
    browser.submit_code(&page, &code).await.authorization_response(pending);
    app.wait_for_jobs().await;
    let now = app.cx().now;
    let term = store::lease::LeaseTerm { now, until: now.plus(Duration::from_secs(10)) };
    let lease =
        async |tx: &mut store::Tx| store::lease::acquire(tx, "gone", "somebody", term).await;
    assert!(app.replica_db().write(lease).await.unwrap());
    let (failed, wrong, devices, gone) = (
        "SELECT COUNT(*) FROM jobs WHERE failed_at IS NOT NULL",
        "SELECT COUNT(*) FROM (SELECT slot FROM wrong_codes LIMIT 1) AS one",
        "SELECT COUNT(*) FROM devices",
        "SELECT COUNT(*) FROM leases WHERE name = 'gone'",
    );
    let mut passed = 0;
    for (hours, count, rows) in [
        (23, gone, 1),
        (25, gone, 0),
        (47, wrong, 1),
        (49, wrong, 0),
        (24 * 29, failed, 1),
        (24 * 31, failed, 0),
        (24 * 89, devices, 1),
        (24 * 91, devices, 0),
    ] {
        app.clock.advance(Duration::from_hours(hours - passed));
        passed = hours;
        let (cx, mut turn) = (app.cx(), SweepPass::default());
        while turn.next(&cx).await.unwrap() {}
        assert_eq!(app.count(count).await, rows, "{count} after {hours} hours");
    }
}
