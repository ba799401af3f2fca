//! The audit trail: whole rows, sealed, verified, exported and swept.

mod believed;
mod chain;
mod commands;
mod dated;
mod drive;
mod events;
mod late;
mod refusals;
mod root_keys;
mod rows;
mod sealers;
mod sweep;
mod tamper;

use store::audit::AuditRow;
use vestibule_tests::app::TestApp;

/// The whole trail, oldest first.
async fn trail(app: &TestApp) -> Vec<AuditRow> {
    let mut conn = app.sql().read().await.unwrap();
    store::Sql::q(&mut conn, "SELECT * FROM audit ORDER BY id").all().await.unwrap()
}

/// The rows of a request, by what its answer is called.
async fn of_request(app: &TestApp, answer: &vestibule_tests::http::Answer) -> Vec<AuditRow> {
    let reference = answer.header("x-request-id");
    assert_eq!(reference.len(), 6, "every answer has a reference: {:?}", answer.headers);
    trail(app).await.into_iter().filter(|row| row.reference == reference).collect()
}
