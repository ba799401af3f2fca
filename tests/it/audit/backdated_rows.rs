//! What `idp audit verify` reports about rows that were sealed long after their time: rows that an attacker backdated, and
//! rows that waited while nothing was sealed.

use std::time::Duration;

use flows::{audit, trail::verify::FindingKind};
use serde_json::Value;
use store::{AuditId, audit::AuditRow};
use vestibule_tests::{app::TestApp, db::Engine, serve_process::ServeSetup};

use super::{
    chain::{seal_pending_rows, tamper_row, verify, verify_notes},
    commands::run,
    limited_entry, trail,
};
use crate::engines::{apply, both_engines};

/// A time as commands print it.
fn format_time(at: store::Timestamp) -> String {
    idp::clock::rfc3339(at)
}

/// Copies of a row, a year before the trail begins.
const COPIES: [&str; 3] = [
    // Without a tag, as an older version would have written the row.
    "INSERT INTO audit (id, at, event, outcome, actor, reference, detail)
     SELECT (SELECT id FROM users ORDER BY id LIMIT 1), at - 31536000000, 'client.added', outcome, actor, reference, detail
     FROM audit WHERE id = $1",
    // With the tag of another row.
    "INSERT INTO audit (id, at, event, outcome, actor, reference, detail, tag, tag_key)
     SELECT (SELECT id FROM users ORDER BY id LIMIT 1), at - 31536000000, 'client.added', outcome, actor, reference, detail,
            tag, tag_key FROM audit WHERE id = $1",
    // Under an unknown root key.
    "INSERT INTO audit (id, at, event, outcome, actor, reference, detail, tag, tag_key)
     SELECT (SELECT id FROM users ORDER BY id LIMIT 1), at - 31536000000, 'client.added', outcome, actor, reference, detail,
            tag, 'nobody' FROM audit WHERE id = $1",
];

/// The exit code of `idp audit verify`, and its lines that name a row.
async fn lines_about(served: &ServeSetup, id: AuditId) -> (i32, Vec<String>) {
    let (code, out, _) = run(served.command(&["audit", "verify"])).await;
    let about = out.lines().filter(|line| line.contains(&id.to_string()));
    (code, about.map(str::to_owned).collect())
}

async fn added_row(app: &TestApp, known: &[AuditRow]) -> AuditRow {
    let rows = trail(app).await;
    let added = rows.into_iter().find(|row| known.iter().all(|known| known.id != row.id));
    added.expect("one more row")
}

async fn when_sealed(app: &TestApp, row: &AuditRow) -> store::Timestamp {
    let sequence = row.sealed_by.expect("it is sealed");
    let mut conn = app.replica_db().read().await.unwrap();
    let seal = store::audit_seal::by_sequence(&mut conn, sequence).await.unwrap();
    seal.expect("its seal").sealed_at
}

/// An attacker with the database alone, whatever tag the row has.
#[apply(both_engines)]
async fn backdated_row_is_reported_by_id(engine: Engine) {
    for (copy, what) in COPIES.into_iter().zip(["row_late", "row_forged", "unknown_key"]) {
        let app = TestApp::start(engine).await;
        app.patient("Mere").await;
        seal_pending_rows(&app).await;
        let served = ServeSetup::prepare(engine, &app.db).await;
        let known = trail(&app).await;
        tamper_row(&app, known[0].id, copy).await;
        seal_pending_rows(&app).await;
        let row = added_row(&app, &known).await;
        let (code, lines) = lines_about(&served, row.id).await;
        assert_eq!((code, lines.len()), (1, 1), "{lines:?}");
        let sealed = format!("sealed {}", format_time(when_sealed(&app, &row).await));
        for part in [what, &format_time(row.at), "client.added", &sealed] {
            assert!(lines[0].contains(part), "{part}: {}", lines[0]);
        }
    }
}

/// The program's own row, removed while others were sealed, and inserted again.
#[apply(both_engines)]
async fn withheld_row_is_reported_by_id(engine: Engine) {
    let app = TestApp::start(engine).await;
    app.patient("Mere").await;
    let (known, mut cx) = (trail(&app).await, app.cx());
    cx.now = cx.now.minus(Duration::from_hours(1));
    seal_pending_rows(&app).await;
    let entry = limited_entry();
    cx.db.write(async |tx| audit::record(&cx, tx, entry).await).await.unwrap();
    seal_pending_rows(&app).await;
    let row = added_row(&app, &known).await;
    let found = verify(&app).await;
    assert_eq!((found.len(), found[0].kind, found[0].row), (1, FindingKind::Late, Some(row.id)));
    assert_eq!(found[0].at, Some(row.at));
    assert_eq!(found[0].sealed_at, Some(when_sealed(&app, &row).await));
}

/// Nothing was sealed meanwhile, as when no replica runs: the report has each row with both times, and no finding.
#[apply(both_engines)]
async fn delayed_row_is_noted_without_finding(engine: Engine) {
    let app = app_without_sealing(engine).await;
    app.patient("Mere").await;
    let row = trail(&app).await.pop().unwrap();
    app.clock.advance(Duration::from_hours(2));
    resume_sealing(&app, engine).await;
    let row = trail(&app).await.into_iter().find(|now| now.id == row.id).unwrap();
    let sealed = when_sealed(&app, &row).await;
    assert!(verify_notes(&app).await.iter().any(|note| {
        (note.kind, note.row, note.at, note.sealed_at)
            == (FindingKind::Waited, Some(row.id), Some(row.at), Some(sealed))
    }));
    let served = ServeSetup::prepare(engine, &app.db).await;
    let (code, lines) = lines_about(&served, row.id).await;
    assert_eq!((code, lines.len()), (0, 1), "{lines:?}");
    for part in
        ["row_waited", &format_time(row.at), &format!("sealed {}", format_time(sealed)), &row.event]
    {
        assert!(lines[0].contains(part), "{part}: {}", lines[0]);
    }
    let (code, out, _) = run(served.command(&["audit", "verify", "--json"])).await;
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &report["sound"], &report["findings"]), (0, &true.into(), &0.into()));
    let waited = report["waited"].as_array().unwrap();
    assert_eq!(report["waited_rows"], waited.len());
    let named = waited.iter().find(|one| one["id"] == row.id.to_string()).unwrap();
    assert_eq!(
        (&named["what"], &named["sealed_at"]),
        (&"row_waited".into(), &format_time(sealed).into())
    );
}

/// A provider whose seals never reach the database.
async fn app_without_sealing(engine: Engine) -> TestApp {
    let app = TestApp::start(engine).await;
    seal_pending_rows(&app).await;
    super::sealing_delays::block_seals(&app, engine).await;
    app
}

async fn resume_sealing(app: &TestApp, engine: Engine) {
    super::sealing_delays::unblock_seals(app, engine).await;
    seal_pending_rows(app).await;
}
