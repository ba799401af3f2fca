//! A replica whose clock is already wrong when it starts: its periodic tasks would sweep what is in use.

use std::time::Duration;

use vestibule_tests::{
    app::TestApp, client::PendingRequest, db::Engine, metrics::Scrape, wait::until,
};

use crate::engines::{apply, both_engines};

#[apply(both_engines)]
async fn start_with_wrong_clock_does_nothing(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (page, code, pending) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    let kept = async || {
        let mut counts = Vec::new();
        for sql in [
            "SELECT COUNT(*) FROM attempts",
            "SELECT COUNT(*) FROM email_challenges",
            "SELECT COUNT(*) FROM audit",
            "SELECT COUNT(*) FROM signing_keys",
        ] {
            counts.push(app.count(sql).await);
        }
        counts
    };
    app.wait_for_jobs().await;
    let before = kept().await;
    // More than thirteen months: every retention would be over.
    let (other, clock_shift) = app.replica_with_clock_ahead(Duration::from_hours(24 * 420)).await;
    assert!(other.app.live.clock_is_off(), "detected before any work begins");
    let there = app.browser_at(&other);
    assert_eq!(there.get(PendingRequest::new(&client).url(app.issuer(), &[])).await.status, 503);
    // Periodic tasks would start at once: a replica with the right clock has meanwhile completed its second run.
    let right = app.replica().await;
    Scrape::until(&right, "a second run of the tasks", |scrape| {
        let turns = scrape.value("vestibule_tasks_total", &[("task", "audit_seals")]);
        turns.is_some_and(|turns| turns >= 2.0)
    })
    .await;
    right.stop().await;
    assert_eq!(kept().await, before);
    browser.submit_code(&page, &code).await.authorization_response(pending).code();
    clock_shift.set_back(Duration::from_hours(24 * 420));
    until("its clock is right", async || !other.app.live.clock_is_off()).await;
    assert_eq!(there.get(PendingRequest::new(&client).url(app.issuer(), &[])).await.status, 200);
    other.stop().await;
}
