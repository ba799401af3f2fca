//! Two replicas and one assertion.

use vestibule_tests::{app::TestApp, db::Engine};

/// One assertion, posted fifty times at once at both replicas: one sign-in, and each post of its browser reaches the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn assertion_counts_once_everywhere() {
    let app = TestApp::start(Engine::Postgres).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let (mut device, _) = app.browser().register_passkey(&app, &patient).await;
    device.counter = 1;
    let second = app.replica().await;
    let browser = app.browser();
    let (start, _) = browser.open_sign_in_page(&client).await;
    let (options, form) = start.ceremony();
    let form = form.with("answer", &device.get(&options));
    let mut posts = Vec::new();
    for nth in 0..50 {
        let there = if nth % 2 == 0 { browser.clone() } else { browser.at_replica(second.address) };
        let there = there.with_copied_cookies();
        // Every fifth is of a browser that only knows the form.
        let there = if nth % 5 == 0 { there.without_cookies() } else { there };
        let form = form.clone();
        posts.push(tokio::spawn(async move { (nth, there.post(&form, "").await) }));
    }
    for post in posts {
        let (nth, page) = post.await.expect("a response");
        assert_eq!(
            page.location().is_some(),
            nth % 5 != 0,
            "{nth}: {} {}",
            page.status,
            page.text()
        );
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM sign_ins WHERE first = 'passkey_uv'").await, 1);
}
