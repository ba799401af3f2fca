//! An attacker with the database changes fields of a seal, or a setting, so that the program's own sweep would delete the
//! trail: unauthenticated values are not trusted.

use std::{sync::Arc, time::Duration};

use flows::{
    retention::SweepPass,
    settings::{self, Setting, Settings},
    trail::verify::{FindingKind, VerifyOptions},
};
use store::{
    Tx,
    document::{self, DocumentKind, DocumentVersion},
};
use vestibule_tests::{app::TestApp, db::Engine, log::CapturedLog, test_actor};

use super::{
    chain::{assert_sound, finding_keys, seal_pending_rows, tamper, verify, verify_with},
    sweep::{rows, sweep},
};
use crate::engines::{apply, both_engines};

const DAY: Duration = Duration::from_hours(24);
const PAST_RETENTION: Duration = Duration::from_hours(400 * 24);

/// A provider with four seals, and a copy of them in `kept`.
async fn with_seals(engine: Engine) -> TestApp {
    let app = TestApp::start(engine).await;
    seal_pending_rows(&app).await;
    for name in ["Mere", "Ana", "Hana"] {
        app.patient(name).await;
        seal_pending_rows(&app).await;
    }
    assert!(assert_sound(&app).await.seals >= 4);
    tamper(&app, &["CREATE TABLE kept AS SELECT * FROM audit_seals"]).await;
    app
}

async fn put_seals_back(app: &TestApp) {
    tamper(app, &["DELETE FROM audit_seals", "INSERT INTO audit_seals SELECT * FROM kept"]).await;
}

/// Writes a version of a setting without `setting set`.
async fn write_setting(app: &TestApp, value: &str) {
    let row = DocumentVersion {
        name: "retention.audit".to_owned(),
        version: 1,
        value: value.to_owned(),
        before: "396d".to_owned(),
        actor: "cli:somebody".to_owned(),
        reason: String::new(),
        undoes: None,
        at: app.cx().now,
    };
    let written = async |tx: &mut Tx| {
        document::lock(tx, DocumentKind::Setting).await?;
        document::insert(tx, DocumentKind::Setting, &row).await
    };
    assert!(app.replica_db().write(written).await.unwrap());
    app.refresh().await;
}

#[apply(both_engines)]
async fn forged_seal_time_sweeps_nothing(engine: Engine) {
    let app = with_seals(engine).await;
    let (before, seals) = (rows(&app).await, assert_sound(&app).await.seals);
    for statement in [
        "UPDATE audit_seals SET key_id = 'x', complete_to = 0",
        "UPDATE audit_seals SET complete_to = 0",
        "UPDATE audit_seals SET complete_to = 0, row_count = 9223372036854775807",
        "UPDATE audit_seals SET complete_to = 0, row_count = -5",
    ] {
        tamper(&app, &[statement]).await;
        let turn = sweep(&app).await;
        assert_eq!((turn.unsound_seals, rows(&app).await), (seals, before), "{statement}");
        assert!(!verify(&app).await.is_empty(), "{statement}");
        put_seals_back(&app).await;
        assert_sound(&app).await;
    }
}

/// A seal of an unknown key cannot be verified: even when it is due, its rows stay.
#[apply(both_engines)]
async fn seal_of_unknown_key_is_kept(engine: Engine) {
    let app = with_seals(engine).await;
    tamper(&app, &["UPDATE audit_seals SET key_id = 'x' WHERE sequence = 2"]).await;
    app.clock.advance(PAST_RETENTION);
    assert_eq!(sweep(&app).await.unsound_seals, 1);
    assert!(app.count("SELECT COUNT(*) FROM audit WHERE sealed_by = 2").await > 0);
    assert_eq!(
        app.count("SELECT COUNT(*) FROM audit WHERE sealed_by IN (1, 3)").await,
        0,
        "all others were swept"
    );
    assert!(finding_keys(&verify(&app).await).contains(&(FindingKind::UnknownKey, Some(2))));
}

/// One seal with a time in the future, or a negative row count, does not block the sweep.
#[apply(both_engines)]
async fn changed_seal_does_not_block_sweep(engine: Engine) {
    let app = with_seals(engine).await;
    app.clock.advance(PAST_RETENTION);
    for statement in [
        "UPDATE audit_seals SET complete_to = 9000000000000000 WHERE sequence = 1",
        "UPDATE audit_seals SET row_count = -5 WHERE sequence = 1",
        "UPDATE audit_seals SET row_count = 9223372036854775807 WHERE sequence <= 2",
    ] {
        tamper(&app, &[statement]).await;
        assert!((1..=2).contains(&sweep(&app).await.unsound_seals), "{statement}");
        let others = "SELECT COUNT(*) FROM audit WHERE sealed_by > 2 AND event = 'user.added'";
        assert_eq!(app.count(others).await, 0, "{statement}");
        assert!(
            app.count("SELECT COUNT(*) FROM audit WHERE sealed_by = 1").await > 0,
            "{statement}"
        );
    }
}

/// After an operator deleted the changed rows, `verify` has no findings, even when the seals beside them are gone.
#[apply(both_engines)]
async fn cleaned_trail_verifies_again(engine: Engine) {
    let app = with_seals(engine).await;
    tamper(&app, &["UPDATE audit SET outcome = 'x' WHERE sealed_by = 2"]).await;
    app.clock.advance(PAST_RETENTION);
    sweep(&app).await;
    app.patient("Tui").await;
    seal_pending_rows(&app).await;
    let of_the_changed =
        |found: &[(FindingKind, Option<i64>)]| found.iter().all(|(_, seal)| *seal == Some(2));
    let found = finding_keys(&verify(&app).await);
    assert!(!found.is_empty() && of_the_changed(&found), "{found:?}");
    app.clock.advance(PAST_RETENTION);
    sweep(&app).await;
    sweep(&app).await;
    assert_eq!(app.count("SELECT COUNT(*) FROM audit_seals WHERE sequence = 1").await, 0);
    let found = finding_keys(&verify(&app).await);
    assert!(!found.is_empty() && of_the_changed(&found), "{found:?}");
    tamper(
        &app,
        &["DELETE FROM audit WHERE sealed_by = 2", "DELETE FROM audit_seals WHERE sequence = 2"],
    )
    .await;
    assert_sound(&app).await;
}

#[apply(both_engines)]
async fn out_of_range_retention_is_ignored(engine: Engine) {
    let app = with_seals(engine).await;
    let before = rows(&app).await;
    let retention = Setting::find("retention.audit").unwrap();
    write_setting(&app, "1s").await;
    assert_eq!(*app.cx().settings, Settings::default());
    let shown = settings::current_settings(&app.cx(), Some(retention)).await.unwrap();
    assert_eq!(shown[0].value, "396d", "the value in use is shown");
    app.clock.advance(DAY);
    sweep(&app).await;
    assert_eq!(rows(&app).await, before);
    // It is undone like any other change.
    settings::undo(&app.cx(), &test_actor(), retention).await.unwrap().unwrap();
    app.refresh().await;
    assert_eq!(app.cx().settings.audit_retention, Settings::default().audit_retention);
}

/// Even with such a value in memory, no row is swept before the minimum retention.
#[apply(both_engines)]
async fn rows_stay_for_minimum_retention(engine: Engine) {
    let app = with_seals(engine).await;
    let whole = "SELECT COUNT(*) FROM audit WHERE sealed_by <= 4";
    let before = app.count(whole).await;
    let short = Settings { audit_retention: Duration::from_secs(1), ..Settings::default() };
    let sweep = async || {
        let (mut cx, mut turn) = (app.cx(), SweepPass::default());
        cx.settings = Arc::new(short.clone());
        while turn.next(&cx).await.unwrap() {}
    };
    app.clock.advance(29 * DAY);
    sweep().await;
    assert_eq!(app.count(whole).await, before);
    app.clock.advance(2 * DAY);
    sweep().await;
    assert_eq!(app.count(whole).await, 0);
    assert_sound(&app).await;
}

/// A span is selected by the times of seals, which an attacker with the database can write.
#[apply(both_engines)]
async fn span_does_not_skip_changed_seal(engine: Engine) {
    let app = with_seals(engine).await;
    let from = app.cx().now.minus(Duration::from_hours(1));
    let span = || VerifyOptions { from: Some(from), ..VerifyOptions::default() };
    assert_eq!(verify_with(&app, span()).await.1, []);
    let first = "UPDATE audit_seals SET sealed_at = 0 WHERE sequence <= 2";
    tamper(&app, &["UPDATE audit SET outcome = 'x' WHERE sealed_by <= 2", first]).await;
    let found = finding_keys(&verify_with(&app, span()).await.1);
    assert!(found.contains(&(FindingKind::SealChanged, Some(2))), "{found:?}");
    tamper(&app, &["UPDATE audit_seals SET sealed_at = 0"]).await;
    assert_eq!(finding_keys(&verify_with(&app, span()).await.1)[0].0, FindingKind::SealChanged);
}

/// One thread, so that this test captures the log of every task.
#[tokio::test(flavor = "current_thread")]
async fn invalid_setting_raises_alarm() {
    let log = CapturedLog::start();
    let app = TestApp::start(Engine::Sqlite).await;
    write_setting(&app, "soon").await;
    let logged = log.text();
    assert!(
        logged.contains("alarm: a setting in the database")
            && logged.contains("retention.audit: soon is not"),
        "{logged}"
    );
}
