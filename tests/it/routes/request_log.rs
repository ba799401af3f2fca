//! One log line for each request, with the reference of its answer: on every route, with every method.

use idp::http::routes::ROUTES;
use serde_json::Value;
use vestibule_tests::{
    app::TestApp,
    db::Engine,
    http::{HttpBrowser, Response},
    log::CapturedLog,
};

use super::{METHODS, NO_ROUTES, address, send, style_sheet};

/// The possible messages of a request's line.
const MESSAGES: [&str; 3] = ["request", "request refused", "request failed"];

/// The only log line of an answer's request.
fn line(log: &CapturedLog, answer: &Response, what: &str) -> Value {
    let reference = answer.header("x-request-id");
    assert_eq!(reference.len(), 6, "{what}: {:?}", answer.headers);
    let mut lines = log.lines("reference", reference);
    lines.retain(|line| MESSAGES.iter().any(|message| line["message"] == *message));
    assert_eq!(lines.len(), 1, "{what}: {lines:?}");
    lines.remove(0)
}

/// The method as logged: an unknown method is text of a stranger and is replaced.
fn logged_method(method: &str) -> &str {
    if ["GET", "HEAD", "POST", "OPTIONS"].contains(&method) { method } else { "other" }
}

async fn assert_logged(
    log: &CapturedLog,
    browser: &HttpBrowser,
    (method, to, path): (&str, &str, &str),
) {
    let what = format!("{method} {to}");
    let answer = send(browser, method, to, &[]).await;
    let line = line(log, &answer, &what);
    assert_eq!(
        line["method"],
        logged_method(method),
        "{what}: a known method, and no text of a stranger"
    );
    assert_eq!(line["path"], path, "{what}: the route, and no text of a stranger");
    assert_eq!(line["status"], answer.status.as_u16(), "{what}");
    assert_eq!(line["network"], "127.0.0.1", "{what}");
    assert!(line["millis"].is_u64() && line["timestamp"].is_string(), "{what}: {line}");
}

/// Runs on one thread, so that the log is complete.
#[tokio::test(flavor = "current_thread")]
async fn every_request_is_logged_with_reference() {
    let log = CapturedLog::start();
    let app = TestApp::start(Engine::Sqlite).await;
    let client = app.client("portal").await;
    let browser = app.browser();
    for route in ROUTES {
        for method in METHODS {
            assert_logged(&log, &browser, (method, &address(route), route.path)).await;
        }
    }
    // A path without a route: what is plain of it.
    for path in NO_ROUTES {
        let logged = match path {
            "/LOGIN/password" => "/?/password",
            "/login/password%00" => "/login/?",
            plain => plain,
        };
        assert_logged(&log, &browser, ("GET", path, logged)).await;
    }
    for (path, logged) in [
        ("/favicon.ico", "/favicon.ico"),
        ("/anna.walker@example.nz", "/?"),
        ("/login/code/184266?code=184266", "/login/code/?"),
    ] {
        assert_logged(&log, &browser, ("GET", path, logged)).await;
    }
    for to in ["/oauth2/jwks", "/login/password", "/nothing"] {
        assert_logged(&log, &browser, ("anna.walker-example.nz", to, to)).await;
    }
    assert!(!log.text().contains("anna.walker"), "a made-up method is not for the log");
    // A style sheet that exists.
    let (page, _) = browser.open_sign_in_page(&client).await;
    line(&log, &page, "the sign-in page");
    assert_logged(&log, &browser, ("GET", &style_sheet(&page), "/assets/{name}")).await;
    // A key set that the client has already.
    let keys = browser.get("/oauth2/jwks").await;
    let kept = [("if-none-match", keys.header("etag"))];
    let same = send(&browser, "GET", "/oauth2/jwks", &kept).await;
    assert_eq!(
        (same.status.as_u16(), line(&log, &same, "keys")["status"].as_u64()),
        (304, Some(304))
    );
    // A document is logged at a lower level, unless it was refused.
    assert_eq!(line(&log, &keys, "keys")["level"], "DEBUG");
    assert_eq!(line(&log, &page, "the sign-in page")["level"], "INFO");
    let missing = send(&browser, "GET", "/assets/none.css", &[]).await;
    assert_eq!(line(&log, &missing, "no asset")["level"], "INFO");
    // A request for another host.
    let elsewhere = send(&browser, "GET", "/oauth2/jwks", &[("host", "elsewhere.example")]).await;
    assert_eq!(line(&log, &elsewhere, "another host")["message"], "request refused");
}
