//! A replica whose clock is wrong already when it starts: its work that comes round would sweep what is in use.

use std::time::Duration;

use vestibule_tests::{app::TestApp, client::Pending, db::Engine};

use crate::engines::{apply, both_engines};

#[apply(both_engines)]
async fn a_replica_that_starts_with_a_wrong_clock_does_nothing(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (page, code, pending) = browser.up_to_code(&app, &client, &patient).await;
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
    app.settled().await;
    let before = kept().await;
    // Thirteen months and more: everything would be past its time.
    let (other, hand) = app.replica_ahead(Duration::from_hours(24 * 420)).await;
    assert!(other.app.live.clock_is_off(), "known before anything is begun");
    let there = app.browser_at(&other);
    assert_eq!(there.get(Pending::new(&client).url(app.issuer(), &[])).await.status, 503);
    // Its work begins at once where it begins at all.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(kept().await, before);
    browser.code(&page, &code).await.landed(pending).code();
    hand.set_back(Duration::from_hours(24 * 420));
    while other.app.live.clock_is_off() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(there.get(Pending::new(&client).url(app.issuer(), &[])).await.status, 200);
    other.stop().await;
}
