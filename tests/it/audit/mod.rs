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

use flows::audit::{AuditEntry, event::NetworkLimited, outcome::Refused};
use store::audit::AuditRow;
use vestibule_tests::app::TestApp;

/// A row about no person, as any flow writes one.
fn limited() -> AuditEntry<'static> {
    let network = "192.0.2.1".to_owned();
    AuditEntry::new(NetworkLimited { limit: "post", size: None, network }, Refused::Refused)
}

/// The whole trail, oldest first.
async fn trail(app: &TestApp) -> Vec<AuditRow> {
    let mut conn = app.sql().read().await.unwrap();
    store::Sql::q(&mut conn, "SELECT * FROM audit ORDER BY id").fetch_all().await.unwrap()
}

/// The rows of a request, by what its answer is called.
async fn of_request(app: &TestApp, answer: &vestibule_tests::http::Answer) -> Vec<AuditRow> {
    let reference = answer.header("x-request-id");
    assert_eq!(reference.len(), 6, "every answer has a reference: {:?}", answer.headers);
    trail(app).await.into_iter().filter(|row| row.reference == reference).collect()
}
