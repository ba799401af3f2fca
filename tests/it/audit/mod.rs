//! The audit trail: whole rows, sealed, verified, exported and swept.

mod backdated_rows;
mod chain;
mod commands;
mod concurrent_sealing;
mod event_scenarios;
mod events;
mod refusals;
mod root_keys;
mod rows;
mod sealing_delays;
mod sweep;
mod sweep_tampering;
mod tamper;

use flows::audit::{AuditEntry, event::NetworkLimited, outcome::Refused};
use store::audit::AuditRow;
use vestibule_tests::app::TestApp;

/// A row about no person, as any flow writes it.
fn limited_entry() -> AuditEntry<'static> {
    let network = "192.0.2.1".to_owned();
    AuditEntry::new(NetworkLimited { limit: "post", size: None, network }, Refused::Refused)
}

/// The whole trail, oldest first.
async fn trail(app: &TestApp) -> Vec<AuditRow> {
    let mut conn = app.replica_db().read().await.unwrap();
    store::Sql::q(&mut conn, "SELECT * FROM audit ORDER BY id").fetch_all().await.unwrap()
}

/// The rows of a request, by the reference in its response.
async fn rows_of_request(app: &TestApp, answer: &vestibule_tests::http::Response) -> Vec<AuditRow> {
    let reference = answer.header("x-request-id");
    assert_eq!(reference.len(), 6, "every answer has a reference: {:?}", answer.headers);
    trail(app).await.into_iter().filter(|row| row.reference == reference).collect()
}
