//! One log line for each request: its path, its status, the client and the reference.

use reqwest::Method;
use vestibule_tests::{app::TestApp, db::Engine, log::CapturedLog};

/// One thread, so that this test captures the log of every task.
#[tokio::test(flavor = "current_thread")]
async fn request_is_logged_in_one_line() {
    let log = CapturedLog::start();
    let app = TestApp::start(Engine::Sqlite).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let landed = browser.sign_in(&app, &client, &patient).await;
    client.redeem_tokens(&app, &landed).await;
    let lines = log.lines("message", "request");
    let mut paths: Vec<_> = lines.iter().map(|line| line["path"].as_str().unwrap()).collect();
    paths.dedup();
    assert_eq!(paths, ["/oauth2/authorize", "/login/password", "/login/code", "/oauth2/token"]);
    for line in &lines {
        assert_eq!(line["client"], "portal", "{line}");
        assert_eq!(line["network"], "127.0.0.1", "{line}");
        assert_eq!(line["reference"].as_str().unwrap().len(), 6, "{line}");
        assert!(line["status"].is_u64() && line["millis"].is_u64(), "{line}");
        assert!(line.get("span").is_none(), "spans are for traces: {line}");
    }
    // The line and the audit row have the same reference.
    let code = lines.iter().rfind(|line| line["path"] == "/login/code").unwrap();
    let mut conn = app.replica_db().read().await.unwrap();
    let rows: Vec<(String,)> =
        store::Sql::q(&mut conn, "SELECT event FROM audit WHERE reference = $1")
            .bind(code["reference"].as_str().unwrap())
            .fetch_all()
            .await
            .unwrap();
    assert!(rows.contains(&("sign_in.completed".to_owned(),)), "{rows:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn refused_request_log_omits_foreign_text() {
    let log = CapturedLog::start();
    let app = TestApp::start(Engine::Sqlite).await;
    let browser = app.browser();
    for (to, path, status) in [
        ("/assets/canary.css", "/assets/{name}", 404),
        ("/no-such-path?email=canary", "/no-such-path", 404),
        ("/CANARY", "/?", 404),
        ("/oauth2/authorize?client_id=canary", "/oauth2/authorize", 400),
        ("/login/code?attempt=canary", "/login/code", 400),
    ] {
        let before = log.lines("message", "request refused").len();
        let answer = browser.send(Method::GET, to, &[], None).await;
        assert_eq!(answer.status, status, "{to}");
        let lines = log.lines("message", "request refused");
        assert_eq!(lines.len(), before + 1, "{to}");
        let line = lines.last().unwrap();
        assert_eq!(
            (line["path"].as_str(), line["status"].as_u64()),
            (Some(path), Some(u64::from(status)))
        );
        assert!(line["why"].is_string() && line.get("client").is_none(), "{line}");
        let reference = line["reference"].as_str().unwrap();
        assert!(answer.body.contains(reference), "{to}: {reference} is on the page");
    }
    assert!(!log.text().contains("canary"), "{}", log.text());
}
