//! Rows that are written late, or wait for a seal.

use std::time::Duration;

use flows::{audit, trail::verify::FindingKind};
use store::Sql;
use vestibule_tests::{
    app::{ReplicaOptions, TestApp},
    db::Engine,
    metrics::Scrape,
    wait::{until, until_equal},
};

use super::{
    chain::{assert_sound, seal_pending_rows, tamper, verify, verify_by},
    limited_entry,
};
use crate::engines::{apply, both_engines};

/// Writes rows, as any flow does, in one transaction.
async fn write_rows(cx: &flows::Cx, count: usize) {
    let written: Result<(), flows::Error> = cx
        .db
        .write(async |tx| {
            for _ in 0..count {
                audit::record(cx, tx, limited_entry()).await?;
            }
            Ok(())
        })
        .await;
    written.unwrap();
}

/// Waits until the metric has the expected age of the oldest row without a seal: the program updates it every few seconds.
async fn until_age(app: &TestApp, is: impl Fn(f64) -> bool) {
    Scrape::until(app.first(), "the age of the oldest row without a seal", |scrape| {
        scrape.value("vestibule_audit_unsealed_age_seconds", &[]).is_some_and(&is)
    })
    .await;
}

/// Makes the database drop new seals without an error.
pub(super) async fn block_seals(app: &TestApp, engine: Engine) {
    let statements: &[&'static str] = match engine {
        Engine::Sqlite => &[
            "CREATE TRIGGER no_seals BEFORE INSERT ON audit_seals BEGIN SELECT RAISE(IGNORE); END",
        ],
        Engine::Postgres => &[
            "CREATE FUNCTION no_seals() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
            "CREATE TRIGGER no_seals BEFORE INSERT ON audit_seals FOR EACH ROW EXECUTE FUNCTION no_seals()",
        ],
    };
    tamper(app, statements).await;
}

pub(super) async fn unblock_seals(app: &TestApp, engine: Engine) {
    let statement = match engine {
        Engine::Sqlite => "DROP TRIGGER no_seals",
        Engine::Postgres => "DROP TRIGGER no_seals ON audit_seals",
    };
    tamper(app, &[statement]).await;
}

/// More rows than two seals hold: a full seal of old rows must not make later ones look timely.
#[apply(both_engines)]
async fn every_late_row_is_found(engine: Engine) {
    let app = TestApp::start(engine).await;
    app.patient("Mere").await;
    seal_pending_rows(&app).await;
    let mut cx = app.cx();
    cx.now = cx.now.minus(Duration::from_hours(1));
    write_rows(&cx, 1_200).await;
    seal_pending_rows(&app).await;
    let found = verify(&app).await;
    let late = found.iter().filter(|finding| finding.kind == FindingKind::Late).count();
    assert_eq!((late, found.len()), (1_200, 1_200), "{:?}", found.first());
    let back = app
        .count(
            "SELECT COUNT(*) FROM audit_seals AS s WHERE complete_to <
             (SELECT complete_to FROM audit_seals WHERE sequence = s.sequence - 1)",
        )
        .await;
    assert_eq!(back, 0, "complete seals stay complete");
}

/// A database that drops the seal reports no error: the task notices that the seal is missing, and counts a failure.
#[apply(both_engines)]
async fn blocked_seal_counts_as_failure(engine: Engine) {
    let app = TestApp::start(engine).await;
    seal_pending_rows(&app).await;
    block_seals(&app, engine).await;
    app.patient("Mere").await;
    let failed = [("task", "audit_seals"), ("outcome", "failed")];
    Scrape::until(app.first(), "a seal fails", |scrape| {
        scrape.value("vestibule_tasks_total", &failed).is_some()
    })
    .await;
    assert_eq!(verify(&app).await, [], "not reported this early");
    app.clock.advance(Duration::from_mins(10));
    until_age(&app, |age| age >= 600.0).await;
    let found = verify(&app).await;
    assert!(
        !found.is_empty() && found.iter().all(|finding| finding.kind == FindingKind::Waiting),
        "{found:?}"
    );
    unblock_seals(&app, engine).await;
    seal_pending_rows(&app).await;
    let report = assert_sound(&app).await;
    assert!(report.waited >= 1 && report.unsealed == 0, "{report:?}");
    until_age(&app, |age| age < 600.0).await;
}

/// A root key was replaced because it was stolen. For a day a replica may still use it.
#[apply(both_engines)]
async fn replaced_root_key_expires_after_day(engine: Engine) {
    let app = TestApp::start(engine).await;
    app.patient("Mere").await;
    seal_pending_rows(&app).await;
    let next = app
        .replica_with(ReplicaOptions {
            root: Some(&[("next", 8), ("test", 7)]),
            ..ReplicaOptions::default()
        })
        .await;
    let (thief, owner) = (app.cx(), || next.app.system_cx("test"));
    let sealed = async || {
        write_rows(&owner(), 1).await;
        match flows::trail::seal::seal_next(&owner()).await {
            Ok(_) | Err(flows::Error::Conflict) => {}
            Err(error) => panic!("{error}"),
        }
        app.count("SELECT COUNT(*) FROM audit_seals WHERE key_id = 'next'").await > 0
    };
    until("a seal by the next key", sealed).await;
    write_rows(&thief, 1).await;
    seal_pending_rows(&app).await;
    assert_eq!(verify_by(&owner()).await, [], "both keys are valid during the rollout");
    assert!(app.count("SELECT COUNT(*) FROM audit WHERE tag_key = 'next'").await > 0);
    app.clock.advance(Duration::from_hours(25));
    write_rows(&app.cx(), 1).await;
    // The thief moves the time from which the other key was in use.
    tamper(&app, &["UPDATE root_keys SET since = 9000000000000 WHERE id = 'next'"]).await;
    seal_pending_rows(&app).await;
    let found = verify_by(&owner()).await;
    assert!(
        !found.is_empty() && found.iter().all(|finding| finding.kind == FindingKind::KeyReplaced),
        "{found:?}"
    );
    assert!(
        found.iter().any(|finding| finding.event.as_deref() == Some("network.limited")),
        "{found:?}"
    );
}

/// A lease far in the future, from a wrong clock or a manual change, does not stop sealing.
#[apply(both_engines)]
async fn far_future_lease_is_taken_over(engine: Engine) {
    let app = TestApp::start(engine).await;
    seal_pending_rows(&app).await;
    let lease =
        "INSERT INTO leases (name, holder, until) VALUES ('audit_seals', 'somebody', 4000000000000)
                     ON CONFLICT (name) DO UPDATE SET holder = 'somebody', until = 4000000000000";
    app.replica_db().write(async |tx| tx.q(lease).execute().await).await.unwrap();
    app.patient("Mere").await;
    let open = "SELECT COUNT(*) FROM audit WHERE sealed_by IS NULL";
    until_equal("rows without a seal", 0, async || app.count(open).await).await;
    assert_sound(&app).await;
}
