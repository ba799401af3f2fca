//! Clients that run in a browser call the token endpoint and userinfo from their own origin; other origins may not.

use flows::client::AuthMethod;
use reqwest::Method;
use vestibule_tests::{
    app::TestApp,
    client::{Client, PendingRequest},
    db::Engine,
    http::{HttpBrowser, Response},
};

use crate::engines::{apply, both_engines};

const APP: &str = "https://app.example";

async fn browser_client(app: &TestApp) -> Client {
    app.client_with("app", |new| {
        new.metadata.token_endpoint_auth_method = AuthMethod::None;
    })
    .await
}

async fn preflight(browser: &HttpBrowser, path: &str, origin: &str) -> Response {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization"),
    ];
    browser.send(Method::OPTIONS, path, &headers, None).await
}

#[apply(both_engines)]
async fn public_client_calls_cross_origin(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (browser_client(&app).await, app.patient("Mere").await);
    let browser = app.browser();
    let landed = browser.sign_in(&app, &client, &patient).await;
    let page = app.browser();
    for path in ["/oauth2/token", "/oauth2/userinfo"] {
        let asked = preflight(&page, path, APP).await;
        assert_eq!(asked.status, 204, "{path}");
        assert_eq!(asked.header("access-control-allow-origin"), APP, "{path}");
        assert_eq!(asked.header("access-control-allow-methods"), "GET, POST", "{path}");
        let allowed: Vec<&str> = asked.header("access-control-allow-headers").split(", ").collect();
        for header in [
            "authorization",
            "content-type",
            "traceparent",
            "tracestate",
            "baggage",
            "sentry-trace",
        ] {
            assert!(allowed.contains(&header), "{path} {header}: {allowed:?}");
        }
        assert_eq!(asked.header("access-control-allow-credentials"), "", "{path}");
        assert_eq!(asked.header("vary"), "Origin", "{path}");
    }
    let PendingRequest { verifier, redirect_uri, .. } = &landed.pending;
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", &client.id),
        ("code", &landed.code()),
        ("redirect_uri", redirect_uri),
        ("code_verifier", verifier),
    ];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let from_page = [("origin", APP), ("sec-fetch-site", "cross-site")];
    let answer = page.send(Method::POST, "/oauth2/token", &from_page, Some(&fields)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("access-control-allow-origin"), APP);
    let bearer = format!("Bearer {}", answer.json()["access_token"].as_str().unwrap());
    let headers = [("origin", APP), ("authorization", bearer.as_str())];
    let answer = page.send(Method::GET, "/oauth2/userinfo", &headers, None).await;
    assert_eq!(answer.json()["email"], patient.email);
    assert_eq!(answer.header("access-control-allow-origin"), APP);
    // The client can read an error answer too.
    let answer = page.send(Method::GET, "/oauth2/userinfo", &[("origin", APP)], None).await;
    assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (401, APP));
}

#[apply(both_engines)]
async fn other_origins_and_routes_lack_cors(engine: Engine) {
    let app = TestApp::start(engine).await;
    browser_client(&app).await;
    app.client("portal").await;
    app.client_with("native", |new| {
        new.metadata.token_endpoint_auth_method = AuthMethod::None;
        new.profile = flows::client::Profile::Native;
        new.metadata.redirect_uris = vec![
            "https://native.example/callback".to_owned(),
            "org.example.app:/callback".to_owned(),
        ];
    })
    .await;
    let page = app.browser();
    // The default port is the same origin, and the answer names it as it was sent.
    let asked = preflight(&page, "/oauth2/token", "https://app.example:443").await;
    assert_eq!(asked.header("access-control-allow-origin"), "https://app.example:443");
    for origin in [
        "https://portal.example",
        "https://app.example:80",
        "http://app.example:443",
        "https://app.example:443:443",
        "https://native.example",
        "https://app.example.evil.example",
        "http://app.example",
        "https://app.example:8443",
        "https://APP.example",
        "null",
        "",
    ] {
        for path in ["/oauth2/token", "/oauth2/userinfo"] {
            let asked = preflight(&page, path, origin).await;
            assert_eq!(asked.status, 405, "{origin} {path}");
            assert_eq!(asked.header("access-control-allow-origin"), "", "{origin} {path}");
            let answer = page.send(Method::POST, path, &[("origin", origin)], Some(&[])).await;
            assert_eq!(answer.header("access-control-allow-origin"), "", "{origin} {path}");
            assert_eq!(answer.header("vary"), "Origin", "{origin} {path}");
        }
    }
    for path in ["/oauth2/authorize", "/oauth2/logout", "/login/password", "/login/code"] {
        let asked = preflight(&page, path, APP).await;
        assert_eq!(
            (asked.status.as_u16(), asked.header("access-control-allow-origin")),
            (405, ""),
            "{path}"
        );
        let answer = page.send(Method::GET, path, &[("origin", APP)], None).await;
        assert_eq!(answer.header("access-control-allow-origin"), "", "{path}");
    }
}
