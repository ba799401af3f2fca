//! Shared by the tests of the chain: sealing, verifying, and tampering with the database.

use flows::trail::{
    ChainHead, seal,
    verify::{self, Finding, FindingKind, VerifyObserver, VerifyOptions, VerifyReport},
};
use store::{AuditId, Sql};
use vestibule_tests::app::TestApp;

#[derive(Default)]
struct CollectedFindings(Vec<Finding>, Vec<Finding>);

impl VerifyObserver for CollectedFindings {
    fn on_progress(&mut self, done: i64, all: i64) {
        assert!(done <= all);
    }

    fn on_finding(&mut self, finding: &Finding) {
        self.0.push(finding.clone());
    }

    fn on_note(&mut self, note: &Finding) {
        self.1.push(note.clone());
    }
}

/// Seals all unsealed rows, as the job does; the job of the running program may be faster.
pub(super) async fn seal_pending_rows(app: &TestApp) {
    while app.count("SELECT COUNT(*) FROM audit WHERE sealed_by IS NULL").await > 0 {
        match seal::seal_next(&app.cx()).await {
            Ok(_) | Err(flows::Error::Conflict) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Verifies with options.
pub(super) async fn verify_with(
    app: &TestApp,
    asked: VerifyOptions,
) -> (VerifyReport, Vec<Finding>) {
    let mut found = CollectedFindings::default();
    let report = verify::verify(&app.cx(), &asked, &mut found).await.expect("it verifies");
    assert_eq!(report.findings, u64::try_from(found.0.len()).unwrap());
    assert_eq!(report.waited, u64::try_from(found.1.len()).unwrap());
    (report, found.0)
}

/// The notes of a full verification without findings.
pub(super) async fn verify_notes(app: &TestApp) -> Vec<Finding> {
    let mut found = CollectedFindings::default();
    let report = verify::verify(&app.cx(), &VerifyOptions::default(), &mut found).await;
    assert_eq!((report.expect("it verifies").findings, &found.0), (0, &vec![]));
    found.1
}

/// Verifies the whole trail with the keys of this context.
pub(super) async fn verify_by(cx: &flows::Cx) -> Vec<Finding> {
    let mut found = CollectedFindings::default();
    verify::verify(cx, &VerifyOptions::default(), &mut found).await.expect("it verifies");
    found.0
}

/// Verifies the whole trail.
pub(super) async fn verify(app: &TestApp) -> Vec<Finding> {
    verify_with(app, VerifyOptions::default()).await.1
}

/// Verifies the whole trail, and that there are no findings.
pub(super) async fn assert_sound(app: &TestApp) -> VerifyReport {
    let (report, found) = verify_with(app, VerifyOptions::default()).await;
    assert!(found.is_empty(), "{report:?}, the first: {:?}", found.first());
    report
}

/// The kind and the seal of each finding.
pub(super) fn finding_keys(found: &[Finding]) -> Vec<(FindingKind, Option<i64>)> {
    found.iter().map(|finding| (finding.kind, finding.seal)).collect()
}

/// The head of the chain.
pub(super) async fn chain_head(app: &TestApp) -> ChainHead {
    assert_sound(app).await.head.expect("something is sealed")
}

/// Runs statements as an attacker with the database alone.
pub(super) async fn tamper(app: &TestApp, statements: &[&'static str]) {
    app.replica_db()
        .write(async |tx| {
            for statement in statements {
                tx.q(statement).execute().await?;
            }
            Ok::<_, store::Error>(())
        })
        .await
        .expect("the statements run");
}

/// Runs a statement on one row, `$1`.
pub(super) async fn tamper_row(app: &TestApp, id: AuditId, statement: &'static str) {
    let rows = app
        .replica_db()
        .write(async |tx| tx.q(statement).bind(id).execute().await)
        .await
        .expect("it runs");
    assert_eq!(rows, 1, "{statement}");
}

/// Keeps a copy of trail and seals.
pub(super) async fn copy_trail(app: &TestApp) {
    let copy = [
        "CREATE TABLE kept AS SELECT * FROM audit",
        "CREATE TABLE kept_seals AS SELECT * FROM audit_seals",
    ];
    tamper(app, &copy).await;
}

/// Puts the copy back.
pub(super) async fn restore(app: &TestApp) {
    let back = [
        "DELETE FROM audit",
        "INSERT INTO audit SELECT * FROM kept",
        "DELETE FROM audit_seals",
        "INSERT INTO audit_seals SELECT * FROM kept_seals",
    ];
    tamper(app, &back).await;
    assert_sound(app).await;
}
