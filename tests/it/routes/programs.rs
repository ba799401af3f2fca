//! Routes that programs call: documents, clients, token holders.

use idp::http::route::{Caller, Class};
use vestibule_tests::{app::TestApp, db::Engine, http::Response};

use super::{address, called_by, has_method, post, routes_of, send, style_sheet};

const ELSEWHERE: [(&str, &str); 1] = [("origin", "https://elsewhere.example")];

fn cors(answer: &Response) -> Vec<&str> {
    let names = answer.headers.keys().map(reqwest::header::HeaderName::as_str);
    names.filter(|name| name.starts_with("access-control-")).collect()
}

/// OpenID Connect Discovery 1.0, section 4: any origin may read it, and the answer sets no cookie.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_are_cacheable_cross_origin() {
    let app = TestApp::start(Engine::Sqlite).await;
    let client = app.client("portal").await;
    let browser = app.browser();
    let (page, _) = browser.open_sign_in_page(&client).await;
    let style_sheet = style_sheet(&page);
    for route in routes_of(&[Class::Document]) {
        let path =
            if route.path == "/assets/{name}" { style_sheet.clone() } else { address(route) };
        for (asking, method) in [(&browser, "GET"), (&app.browser(), "GET"), (&browser, "HEAD")] {
            let answer = send(asking, method, &path, &ELSEWHERE).await;
            assert_eq!(answer.status, 200, "{path}");
            assert_eq!(answer.header("access-control-allow-origin"), "*", "{path}");
            assert_eq!(cors(&answer), ["access-control-allow-origin"], "{path}: no credentials");
            let keep = answer.header("cache-control");
            assert!(keep.starts_with("public, max-age="), "{path}: {keep}");
            assert_eq!(answer.header("set-cookie"), "", "{path}");
            assert_eq!(answer.header("vary"), "", "{path}: the same for every caller");
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
            assert_eq!(answer.body.is_empty(), method == "HEAD", "{path}");
        }
    }
    let (_, icon) = page.body.split_once("<link rel=\"icon\"").expect("an icon");
    let (_, icon) = icon.split_once("href=\"").expect("its address");
    let answer = browser.get(icon.split('"').next().expect("a whole tag")).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "image/png"));
    assert!(answer.header("cache-control").contains("immutable"));
    let answer = browser.get(&style_sheet).await;
    assert!(answer.header("content-type").starts_with("text/css"), "{style_sheet}");
    assert!(
        answer.header("cache-control").contains("immutable"),
        "its name changes with its content"
    );
}

/// A browser asks first when a page adds a header: tracing, a protocol's version (Fetch, "CORS protocol").
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn document_preflight_allows_any_header() {
    let app = TestApp::start(Engine::Sqlite).await;
    let browser = app.browser();
    for route in routes_of(&[Class::Document]) {
        let asked = [
            ELSEWHERE[0],
            ("access-control-request-method", "GET"),
            (
                "access-control-request-headers",
                "MCP-Protocol-Version, traceparent,baggage, no\tname",
            ),
        ];
        let answer = send(&browser, "OPTIONS", &address(route), &asked).await;
        assert_eq!(answer.status, 204, "{}", route.path);
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{}", route.path);
        assert_eq!(answer.header("access-control-allow-methods"), "GET, HEAD", "{}", route.path);
        let allowed = answer.header("access-control-allow-headers");
        assert_eq!(allowed, "mcp-protocol-version, traceparent, baggage", "{}", route.path);
        assert_eq!(answer.header("access-control-allow-credentials"), "", "{}", route.path);
        let bare = send(&browser, "OPTIONS", &address(route), &asked[..2]).await;
        assert_eq!(bare.status, 204, "{}", route.path);
        assert_eq!(bare.header("access-control-allow-headers"), "", "{}", route.path);
        // Without a method asked for it is no preflight.
        let plain = send(&browser, "OPTIONS", &address(route), &asked[..1]).await;
        assert_eq!(plain.status, 405, "{}", route.path);
    }
}

/// Another origin can neither detect a session nor use it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_routes_deny_cross_origin() {
    let app = TestApp::start(Engine::Sqlite).await;
    let browser = app.browser();
    let preflight = [
        ELSEWHERE[0],
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization"),
    ];
    for route in routes_of(&[Class::Entry, Class::Page, Class::Client]) {
        for method in ["GET", "POST"] {
            let answer = send(&browser, method, route.path, &ELSEWHERE).await;
            assert_eq!(cors(&answer), Vec::<&str>::new(), "{method} {}", route.path);
        }
        let answer = send(&browser, "OPTIONS", route.path, &preflight).await;
        assert_eq!(cors(&answer), Vec::<&str>::new(), "OPTIONS {}", route.path);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bearer_route_requires_token() {
    let app = TestApp::start(Engine::Sqlite).await;
    let browser = app.browser();
    for route in called_by(|caller| matches!(caller, Caller::Bearer(_))) {
        for method in ["GET", "POST"].into_iter().filter(|method| has_method(route, method)) {
            let what = format!("{method} {}", route.path);
            let bare = send(&browser, method, route.path, &[]).await;
            assert_eq!(bare.status, 401, "{what}");
            // RFC 6750, section 3.1: no error code for a request without a token.
            assert!(bare.header("www-authenticate").starts_with("Bearer "), "{what}");
            assert!(!bare.header("www-authenticate").contains("error"), "{what}");
            for token in
                ["Bearer", "Bearer ", "Bearer a.b.c", "bearer x", "Basic Og==", "DPoP a.b.c"]
            {
                let answer = send(&browser, method, route.path, &[("authorization", token)]).await;
                assert_eq!(answer.status, 401, "{what} {token}");
                assert!(answer.header("www-authenticate").starts_with("Bearer "), "{what} {token}");
                assert_eq!(answer.header("cache-control"), "no-store", "{what} {token}");
                assert_eq!(answer.header("set-cookie"), "", "{what} {token}");
            }
            let wrong =
                send(&browser, method, route.path, &[("authorization", "Bearer a.b.c")]).await;
            assert!(wrong.header("www-authenticate").contains("error=\"invalid_token\""), "{what}");
        }
        // A token in the query ends up in logs (RFC 9700, section 4.3.2), so it is ignored.
        let query = format!("{}?access_token=a.b.c", route.path);
        let answer = send(&browser, "GET", &query, &[]).await;
        assert!(!answer.header("www-authenticate").contains("error"), "{}", route.path);
    }
}

/// RFC 6749, section 5.2: client authentication fails with 401 and a challenge.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_route_requires_authentication() {
    let app = TestApp::start(Engine::Sqlite).await;
    app.client("portal").await;
    let browser = app.browser();
    for route in called_by(|caller| matches!(caller, Caller::Client)) {
        for (header, fields) in [
            ("", &[][..]),
            ("", &[("client_id", "portal")]),
            ("", &[("client_id", "nobody")]),
            ("", &[("client_id", "portal"), ("client_secret", "wrong")]),
            ("Basic cG9ydGFsOndyb25n", &[]),
            ("Basic bm9ib2R5Ong=", &[]),
            ("Basic !", &[]),
            ("Bearer a.b.c", &[]),
        ] {
            let what = format!("{} {header:?} {fields:?}", route.path);
            let headers = [("authorization", header)];
            let headers = if header.is_empty() { &headers[..0] } else { &headers[..] };
            let fields = [&[("grant_type", "authorization_code"), ("code", "x")], fields].concat();
            let answer = post(&browser, route.path, headers, &fields).await;
            assert_eq!(answer.status, 401, "{what}: {}", answer.body);
            assert_eq!(answer.json()["error"], "invalid_client", "{what}");
            assert_eq!(answer.header("content-type"), "application/json", "{what}");
            assert!(answer.header("www-authenticate").starts_with("Basic "), "{what}");
            assert_eq!(answer.header("cache-control"), "no-store", "{what}");
            assert_eq!(answer.header("set-cookie"), "", "{what}");
        }
    }
}
