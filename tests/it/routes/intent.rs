//! Requests that no person has asked for: HEAD, and pages that a browser loads ahead of a click (misuse case 19).

use idp::http::{
    route::{Caller, Class},
    routes::ROUTES,
};
use reqwest::Method;
use vestibule_tests::{
    app::TestApp,
    client::{Client, PendingRequest},
    db::Engine,
    http::HttpBrowser,
};

use super::{address, routes_of, send};
use crate::engines::{apply, both_engines};

/// How browsers mark what they load ahead (Fetch, "`Sec-Purpose`"), with the rest of a navigation.
const AHEAD: [(&str, &str); 4] = [
    ("sec-purpose", "prefetch"),
    ("sec-purpose", "prefetch;prerender"),
    ("purpose", "prefetch"),
    ("x-moz", "prefetch"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn head_is_answered_without_cookies() {
    let app = TestApp::start(Engine::Sqlite).await;
    let browser = app.browser();
    for route in ROUTES {
        let head = send(&browser, "HEAD", &address(route), &[]).await;
        // The address of an asset in this table does not exist.
        let expected: &[u16] = match (route.class, route.caller) {
            (Class::Document, _) => &[200, 404],
            (_, Caller::Anyone) => &[303],
            _ => &[405],
        };
        assert!(expected.contains(&head.status.as_u16()), "{}: {}", route.path, head.status);
        assert!(head.body.is_empty() && head.header("set-cookie").is_empty(), "{}", route.path);
        let allowed = head.header("allow").split(',').any(|method| method == "HEAD");
        assert!(!allowed, "{}: {}", route.path, head.header("allow"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_documents_are_loaded_ahead() {
    let app = TestApp::start(Engine::Sqlite).await;
    let browser = app.browser();
    for route in routes_of(&[Class::Page, Class::Entry, Class::Client, Class::Bearer]) {
        for method in route.methods {
            for header in AHEAD {
                let answer = send(&browser, method, &address(route), &[header]).await;
                let what = format!("{method} {} {header:?}", route.path);
                assert_eq!(answer.status, 503, "{what}");
                assert_eq!(answer.header("cache-control"), "no-store", "{what}");
                assert_eq!(answer.header("set-cookie"), "", "{what}");
            }
        }
    }
    for path in ["/.well-known/openid-configuration", "/oauth2/jwks"] {
        assert_eq!(send(&browser, "GET", path, &[AHEAD[0]]).await.status, 200, "{path}");
    }
    let other = [("sec-purpose", "other")];
    assert_eq!(
        send(&browser, "GET", "/language?to=mi&step=code&attempt=x", &other).await.status,
        303
    );
}

/// A portal's page loads its links ahead: the session stays, no code is issued, no language is chosen.
#[apply(both_engines)]
async fn case_19_load_ahead_changes_nothing(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let landed = browser.sign_in(&app, &client, &patient).await;
    let tokens = client.redeem_tokens(&app, &landed).await;
    let hint = tokens["id_token"].as_str().expect("an ID token");
    let logout = format!("/oauth2/logout?id_token_hint={hint}");
    let before = state(&app).await;
    for to in [authorize(&app, &client), logout.clone(), "/language?to=mi&step=logout".to_owned()] {
        load_ahead(&browser, &to).await;
        assert_eq!(state(&app).await, before, "{to}");
    }
    assert_eq!(browser.cookie("locale"), None);
    // The click itself acts.
    let clicked = browser.get(authorize(&app, &client)).await;
    assert!(clicked.location().expect("a redirect").as_str().contains("code="));
    browser.get(logout).await;
    assert_eq!(app.count("SELECT COUNT(*) FROM sessions WHERE ended_at IS NULL").await, 0);
}

fn authorize(app: &TestApp, client: &Client) -> String {
    PendingRequest::new(client).url(app.issuer(), &[])
}

async fn load_ahead(browser: &HttpBrowser, to: &str) {
    let navigation = [
        ("sec-fetch-site", "same-site"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
    ];
    for header in AHEAD {
        let headers = [&navigation[..], &[header]].concat();
        assert_eq!(browser.send(Method::GET, to, &headers, None).await.status, 503, "{to}");
    }
    assert_eq!(browser.send(Method::HEAD, to, &navigation, None).await.status, 405, "{to}");
}

async fn state(app: &TestApp) -> [i64; 4] {
    [
        app.count("SELECT COUNT(*) FROM auth_codes").await,
        app.count("SELECT COUNT(*) FROM grants").await,
        app.count("SELECT COUNT(*) FROM sessions WHERE ended_at IS NULL").await,
        app.count("SELECT COUNT(*) FROM audit").await,
    ]
}
