//! Refusals: what is refused, with which text, and how the log line of a refusal is found.

use idp::http::{
    route::{Caller, Class},
    routes::ROUTES,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use vestibule_tests::{
    app::TestApp,
    db::{Engine, TestDb},
    http::Response,
    log::CapturedLog,
};

use super::{METHODS, NO_ROUTES, address, has_method, post, routes_of, send};
use crate::engines::{apply, both_engines};

/// A provider, and its log.
struct LoggedApp {
    app: TestApp,
    log: CapturedLog,
}

impl LoggedApp {
    /// Runs on one thread, so that the log is complete.
    async fn start() -> Self {
        let log = CapturedLog::start();
        Self { app: TestApp::start(Engine::Sqlite).await, log }
    }

    /// Checks that a refusal has what a person and the log need.
    fn assert_refusal(&self, what: &str, answer: &Response, class: Class, status: u16) {
        assert_eq!(answer.status, status, "{what}: {}", answer.body);
        assert_eq!(answer.header("cache-control"), "no-store", "{what}");
        assert_eq!(answer.header("set-cookie"), "", "{what}");
        let reference = reference(what, answer, class);
        let lines = self.log.lines("reference", &reference);
        assert_eq!(lines.len(), 1, "{what}: one line in the log has {reference}: {lines:?}");
        assert_eq!(lines[0]["status"], status, "{what}");
        assert_eq!(lines[0]["message"], "request refused", "{what}");
        assert_eq!(lines[0]["network"], "127.0.0.1", "{what}");
        assert!(lines[0]["why"].is_string(), "{what}: {lines:?}");
    }
}

/// The six characters of the reference, from a page or from JSON.
fn reference(what: &str, answer: &Response, class: Class) -> String {
    let text = if class.is_for_people() {
        assert!(
            answer.header("content-type").starts_with("text/html"),
            "{what} is answered by a page"
        );
        let text = answer.text();
        text.split_once("Reference ").map(|(_, rest)| rest.to_owned())
    } else {
        assert_eq!(answer.header("content-type"), "application/json", "{what}");
        let json = answer.json();
        assert!(json["error"].is_string(), "{what}: {json}");
        let text = json["error_description"].as_str().map(str::to_owned);
        text.and_then(|text| text.split_once("(reference ").map(|(_, rest)| rest.to_owned()))
    };
    let text = text.unwrap_or_else(|| panic!("{what} has no reference: {}", answer.body));
    let reference: String = text.chars().take_while(char::is_ascii_alphanumeric).collect();
    assert_eq!(reference.len(), 6, "{what}: {text}");
    reference
}

#[tokio::test(flavor = "current_thread")]
async fn unsupported_method_is_405() {
    let ground = LoggedApp::start().await;
    let browser = ground.app.browser();
    for route in ROUTES {
        for method in METHODS.into_iter().filter(|method| !has_method(route, method)) {
            let what = format!("{method} {}", route.path);
            let answer = send(&browser, method, &address(route), &[]).await;
            assert_eq!(answer.status, 405, "{what}");
            if method == "HEAD" {
                assert_eq!(answer.body, "", "{what}");
            } else {
                ground.assert_refusal(&what, &answer, route.class, 405);
            }
            // RFC 9110, section 15.5.6.
            let allowed: Vec<&str> = answer.header("allow").split(',').collect();
            for method in METHODS {
                assert_eq!(
                    allowed.contains(&method),
                    has_method(route, method),
                    "{what}: Allow: {allowed:?}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn unknown_path_is_404() {
    let ground = LoggedApp::start().await;
    let browser = ground.app.browser();
    for path in NO_ROUTES {
        for method in ["GET", "POST", "PUT", "BREW"] {
            let answer = send(&browser, method, path, &[("origin", "https://evil.example")]).await;
            let what = format!("{method} {path}");
            let class = if path == "/assets/" { Class::Page } else { Class::Entry };
            ground.assert_refusal(&what, &answer, class, 404);
        }
    }
    // Style sheets that do not exist, under names that cannot exist.
    for name in ["none.css", "..%2f..%2fCargo.toml", "%ff", "%00"] {
        let answer = browser.get(format!("/assets/{name}")).await;
        ground.assert_refusal(name, &answer, Class::Document, 404);
    }
}

/// Misuse case 50: on every route, with every method, whatever header a proxy may set.
#[tokio::test(flavor = "current_thread")]
async fn case_50_foreign_host_is_421_everywhere() {
    let ground = LoggedApp::start().await;
    let browser = ground.app.browser();
    let ours = ground.app.issuer().strip_prefix("http://").unwrap();
    let forwarded = format!("host={ours}");
    let foreign =
        [("host", "evil.example"), ("x-forwarded-host", ours), ("forwarded", forwarded.as_str())];
    let nowhere = NO_ROUTES.map(|path| (path.to_owned(), Class::Page));
    let all = ROUTES.iter().map(|route| (address(route), route.class)).chain(nowhere);
    for (path, class) in all {
        for method in METHODS {
            let what = format!("{method} {path}");
            let answer = send(&browser, method, &path, &foreign).await;
            if method == "HEAD" {
                assert_eq!(answer.status, 421, "{what}");
            } else {
                ground.assert_refusal(&what, &answer, class, 421);
            }
            assert!(!answer.body.contains("evil.example"), "{what}: {}", answer.body);
            assert_eq!(answer.header("location"), "", "{what}");
        }
    }
}

/// The same with requests that no HTTP client would send.
#[tokio::test(flavor = "current_thread")]
async fn case_50_ambiguous_host_is_refused() {
    let ground = LoggedApp::start().await;
    let ours = ground.app.issuer().strip_prefix("http://").unwrap();
    let path = "/.well-known/openid-configuration";
    let right = raw(&ground.app, &format!("GET {path} HTTP/1.1\r\nHost: {ours}\r\n")).await;
    assert!(right.starts_with("HTTP/1.1 200 "), "{right}");
    for request in [
        format!("GET {path} HTTP/1.1\r\nHost: {ours}\r\nHost: evil.example\r\n"),
        format!("GET {path} HTTP/1.1\r\nHost: evil.example\r\nHost: {ours}\r\n"),
        format!("GET http://evil.example{path} HTTP/1.1\r\nHost: {ours}\r\n"),
        format!("GET {path} HTTP/1.1\r\nHost: \r\n"),
        format!("GET {path} HTTP/1.1\r\nHost: user@{ours}\r\n"),
        format!("GET {path} HTTP/1.1\r\nHost: {ours}, evil.example\r\n"),
        format!("GET {path} HTTP/1.1\r\nX: 1\r\n"),
        format!("GET {path} HTTP/1.0\r\nX: 1\r\n"),
    ] {
        let answer = raw(&ground.app, &request).await;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(["400", "421"].contains(&status), "{request}{answer}");
        assert!(!answer.contains("evil.example"), "{answer}");
    }
}

async fn raw(app: &TestApp, head: &str) -> String {
    let mut stream = TcpStream::connect(app.first().address).await.expect("it listens");
    stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("answered");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Our Host, and a proxy that sets another: the proxy's headers are ignored.
#[tokio::test(flavor = "current_thread")]
async fn case_50_forwarded_host_is_ignored() {
    let ground = LoggedApp::start().await;
    let browser = ground.app.browser();
    let forwarded = [
        ("x-forwarded-host", "evil.example"),
        ("forwarded", "host=evil.example;proto=https"),
        ("x-forwarded-proto", "https"),
        ("x-host", "evil.example"),
        ("x-original-url", "https://evil.example/"),
    ];
    for route in ROUTES {
        for method in route.methods {
            let what = format!("{method} {}", route.path);
            let plain = send(&browser.with_copied_cookies(), method, &address(route), &[]).await;
            let answer =
                send(&browser.with_copied_cookies(), method, &address(route), &forwarded).await;
            assert_eq!(answer.status, plain.status, "{what}");
            assert!(!answer.body.contains("evil.example"), "{what}: {}", answer.body);
            assert!(
                answer.headers.values().all(|value| !value.as_bytes().ends_with(b"evil.example")),
                "{what}"
            );
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn bad_body_is_413_or_415() {
    let ground = LoggedApp::start().await;
    let browser = ground.app.browser();
    let large = "x".repeat(64 * 1024);
    let with_body: Vec<_> = ROUTES.iter().filter(|route| has_method(route, "POST")).collect();
    for route in &with_body {
        // Without a cookie the body for a page is not read.
        let answer = post(&browser, route.path, &[("cookie", "a=b")], &[("form", &large)]).await;
        ground.assert_refusal(&format!("a large POST {}", route.path), &answer, route.class, 413);
    }
    // A token in a body that is not a form is ignored (RFC 6750, section 2.2); the one in the header is used.
    for route in with_body.iter().filter(|route| !matches!(route.caller, Caller::Bearer(_))) {
        for kind in ["application/json", "text/plain", "multipart/form-data; boundary=x"] {
            let what = format!("POST {} with {kind}", route.path);
            let answer =
                post(&browser, route.path, &[("content-type", kind)], &[("form", "x")]).await;
            ground.assert_refusal(&what, &answer, route.class, 415);
            if !route.class.is_for_people() {
                let advice = "send a form, application/x-www-form-urlencoded";
                assert!(answer.body.contains(advice), "{what}: {}", answer.body);
            }
        }
        let bare = send(&browser, "POST", route.path, &[("sec-fetch-site", "same-origin")]).await;
        ground.assert_refusal(
            &format!("POST {} without a body", route.path),
            &bare,
            route.class,
            415,
        );
    }
}

/// Decision 4: beyond the limit of a network no post is processed, on whichever page.
#[apply(both_engines)]
async fn posts_over_network_limit_are_429(engine: Engine) {
    let app = TestApp::start(engine).await;
    app.set_setting("sign_in.posts_per_minute", "10").await;
    for (minute, route) in
        routes_of(&[Class::Page]).filter(|route| has_method(route, "POST")).enumerate()
    {
        // The beginning of a minute without posts.
        app.stop_clock_in_new_window();
        let browser = app.browser();
        for _ in 0..10 {
            assert_eq!(post(&browser, route.path, &[], &[]).await.status, 400, "{}", route.path);
        }
        for _ in 0..3 {
            let answer = post(&browser, route.path, &[], &[]).await;
            assert_eq!(answer.status, 429, "{}", route.path);
            let wait: u64 = answer.header("retry-after").parse().expect("seconds");
            assert!((1..=60).contains(&wait), "{wait}");
            reference(route.path, &answer, route.class);
            // RFC 9110, section 10.2.3: a post after this time is processed.
            if wait == 60 {
                app.clock.advance(std::time::Duration::from_millis(1));
            }
        }
        // One row in the audit trail for each minute.
        let rows = app.audit_outcomes("network.limited").await;
        assert_eq!(rows, vec!["refused"; minute + 1], "{}", route.path);
        // Only posts of pages are limited: pages open, clients get answers.
        let opened = if route.step.is_some() { 400 } else { 200 };
        assert_eq!(browser.get(route.path).await.status, opened, "{}", route.path);
        assert_eq!(post(&browser, "/oauth2/token", &[], &[]).await.status, 401);
    }
    app.clock.advance(std::time::Duration::from_mins(1));
    assert_eq!(post(&app.browser(), "/login/password", &[], &[]).await.status, 400);
}

/// The counter is shared by all replicas with Redis, and per replica without.
#[apply(both_engines)]
async fn post_limit_is_shared_by_replicas(engine: Engine) {
    let app = TestApp::start(engine).await;
    if TestDb::create(engine).await.engine() == Engine::Sqlite {
        return;
    }
    let second = app.replica().await;
    app.set_setting("sign_in.posts_per_minute", "10").await;
    second.app.live.refresh(&second.app.db, &second.app.root).await.expect("it reads");
    app.stop_clock_in_new_window();
    for browser in [app.browser(), app.browser_at(&second)] {
        for _ in 0..5 {
            assert_eq!(post(&browser, "/login/code", &[], &[]).await.status, 400);
        }
    }
    for browser in [app.browser(), app.browser_at(&second)] {
        assert_eq!(post(&browser, "/login/code", &[], &[]).await.status, 429);
    }
    assert_eq!(app.audit_outcomes("network.limited").await, ["refused"]);
}
