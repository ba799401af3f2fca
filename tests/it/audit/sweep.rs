//! Rows of the trail are swept after their retention; the rest stays sound, and no evidence of tampering is swept.

use std::time::Duration;

use flows::{
    retention::SweepPass,
    trail::{sweep::SealBatch, verify::FindingKind},
};
use vestibule_tests::{
    aged_data,
    app::{Options, TestApp},
    db::{Engine, TestDb},
};

use super::chain::{assert_sound, finding_keys, seal_pending_rows, tamper, verify};
use crate::engines::{apply, both_engines};

const PAST_RETENTION: Duration = Duration::from_hours(400 * 24);

pub(super) async fn sweep(app: &TestApp) -> SweepPass {
    let (cx, mut turn) = (app.cx(), SweepPass::default());
    while turn.next(&cx).await.unwrap() {}
    turn
}

pub(super) async fn rows(app: &TestApp) -> i64 {
    app.count("SELECT COUNT(*) FROM audit").await
}

/// Two seals, and a sweep that has read them.
async fn app_with_read_batch(engine: Engine) -> (TestApp, SealBatch) {
    let app = TestApp::start(engine).await;
    app.client("portal").await;
    seal_pending_rows(&app).await;
    app.patient("Mere").await;
    seal_pending_rows(&app).await;
    let late = SealBatch::after(&app.cx(), i64::MIN).await.unwrap();
    (app, late)
}

#[apply(both_engines)]
async fn swept_trail_stays_sound(engine: Engine) {
    let app = TestApp::start(engine).await;
    app.client("portal").await;
    seal_pending_rows(&app).await;
    app.patient("Mere").await;
    seal_pending_rows(&app).await;
    app.clock.advance(Duration::from_hours(300 * 24));
    let before = rows(&app).await;
    sweep(&app).await;
    assert_eq!(rows(&app).await, before, "not due yet");
    app.patient("Ana").await;
    seal_pending_rows(&app).await;
    app.clock.advance(Duration::from_hours(100 * 24));
    assert!(before >= 4);
    let turn = sweep(&app).await;
    assert_eq!((turn.unsound_seals, rows(&app).await), (0, 1), "Ana's row is 100 days old");
    assert!(turn.deleted >= before.unsigned_abs(), "{turn:?}");
    let report = assert_sound(&app).await;
    assert!(report.swept >= 2 && report.rows == 1, "{report:?}");
    // The setting's new value applies to existing rows.
    app.set_setting("retention.audit", "30d").await;
    seal_pending_rows(&app).await;
    sweep(&app).await;
    assert_eq!(app.audit_outcomes("user.added").await.len(), 0);
    assert_eq!(app.audit_outcomes("setting.changed").await.len(), 1);
    assert_sound(&app).await;
}

/// An attacker who deletes rows and marks their seals as swept cannot forge the mark of a sweep.
#[apply(both_engines)]
async fn forged_sweep_is_found(engine: Engine) {
    let app = TestApp::start(engine).await;
    seal_pending_rows(&app).await;
    app.client("portal").await;
    seal_pending_rows(&app).await;
    app.clock.advance(PAST_RETENTION);
    sweep(&app).await;
    app.patient("Mere").await;
    seal_pending_rows(&app).await;
    let newest = assert_sound(&app).await.head.unwrap().sequence;
    tamper(
        &app,
        &[
            "DELETE FROM audit WHERE sealed_by = (SELECT MAX(sequence) FROM audit_seals)",
            "UPDATE audit_seals SET manifest = NULL, swept_at = sealed_at, swept_key = key_id,
                    swept_mark = (SELECT swept_mark FROM audit_seals WHERE swept_mark IS NOT NULL)
             WHERE sequence = (SELECT MAX(sequence) FROM audit_seals)",
        ],
    )
    .await;
    assert!(finding_keys(&verify(&app).await).contains(&(FindingKind::SealNotSwept, Some(newest))));
}

/// A changed row is kept: the sweep must not destroy the evidence.
#[apply(both_engines)]
async fn changed_row_is_not_swept(engine: Engine) {
    let app = TestApp::start(engine).await;
    seal_pending_rows(&app).await;
    app.client("portal").await;
    seal_pending_rows(&app).await;
    app.patient("Mere").await;
    seal_pending_rows(&app).await;
    tamper(&app, &["UPDATE audit SET outcome = 'refused' WHERE event = 'client.added'"]).await;
    app.clock.advance(PAST_RETENTION);
    let turn = sweep(&app).await;
    assert_eq!(turn.unsound_seals, 1);
    assert_eq!(app.audit_outcomes("client.added").await, ["refused"]);
    assert_eq!(app.count("SELECT COUNT(*) FROM audit").await, 1, "all the others were swept");
    let found = verify(&app).await;
    assert_eq!((found.len(), found[0].kind), (1, FindingKind::Changed), "{found:?}");
}

/// Two sweeps at once: a batch that the other one swept in between only looks changed, and must not raise an alarm. The
/// batch is read before the clock moves, so that the job of the running program does not sweep it before.
#[apply(both_engines)]
async fn concurrent_sweep_raises_no_alarm(engine: Engine) {
    let (app, late) = app_with_read_batch(engine).await;
    app.clock.advance(PAST_RETENTION);
    assert_eq!(
        (sweep(&app).await.unsound_seals, rows(&app).await),
        (0, 0),
        "the other sweep is complete"
    );
    let swept = late.sweep(&app.cx()).await.unwrap();
    assert!(swept.up_to.is_some(), "there were seals in it");
    assert_eq!((swept.unsound, swept.rows), (0, 0));
    assert!(assert_sound(&app).await.swept >= 2);
}

/// A row that was changed after the batch was read: it is counted, and stays.
#[apply(both_engines)]
async fn row_changed_after_read_is_counted(engine: Engine) {
    let (app, late) = app_with_read_batch(engine).await;
    tamper(&app, &[
            "UPDATE audit SET reference = 'other' WHERE sealed_by = (SELECT MIN(sequence) FROM audit_seals)",
        ]).await;
    app.clock.advance(PAST_RETENTION);
    let swept = late.sweep(&app.cx()).await.unwrap();
    assert_eq!((swept.unsound, swept.rows), (1, 0));
    assert_eq!(sweep(&app).await.unsound_seals, 1);
    assert!(
        app.count("SELECT COUNT(*) FROM audit WHERE reference = 'other'").await >= 1,
        "the row stays"
    );
    assert!(
        finding_keys(&verify(&app).await).iter().all(|(what, _)| *what == FindingKind::Changed)
    );
}

/// Seals whose rows were swept long ago are removed; the chain then begins later, and stays valid.
#[apply(both_engines)]
async fn old_swept_seals_are_removed(engine: Engine) {
    let app = TestApp::start(engine).await;
    for name in ["Mere", "Ana", "Hana"] {
        app.patient(name).await;
        seal_pending_rows(&app).await;
    }
    app.clock.advance(PAST_RETENTION);
    sweep(&app).await;
    app.patient("Tui").await;
    seal_pending_rows(&app).await;
    assert!(assert_sound(&app).await.swept >= 3);
    app.clock.advance(PAST_RETENTION);
    sweep(&app).await;
    // Checked even when no row is left to sweep.
    sweep(&app).await;
    let report = assert_sound(&app).await;
    assert_eq!((report.seals, report.swept, report.rows), (1, 1, 0), "the marked one stays");
    app.patient("Rangi").await;
    seal_pending_rows(&app).await;
    assert_eq!(assert_sound(&app).await.rows, 1);
    // Without the marked seal, the chain has lost its beginning.
    tamper(&app, &["DELETE FROM audit_seals WHERE swept_at IS NOT NULL"]).await;
    assert!(
        finding_keys(&verify(&app).await).iter().any(|(what, _)| *what == FindingKind::SealMissing)
    );
}

/// The trail of a version without seals is sealed at the first start, and swept like any other.
#[apply(both_engines)]
async fn unsealed_trail_is_sealed_and_swept(engine: Engine) {
    let db = TestDb::create(engine).await;
    aged_data::fill_trail(&db.open().await, engine, 3_000).await;
    let app = TestApp::start_on(db, engine.redis_url(), Options::default()).await;
    seal_pending_rows(&app).await;
    let report = assert_sound(&app).await;
    assert!(report.seals >= 6, "{report:?}");
    assert_eq!(sweep(&app).await.unsound_seals, 0);
    assert_eq!(app.count("SELECT COUNT(*) FROM audit WHERE event = 'old'").await, 0);
    assert_sound(&app).await;
}
