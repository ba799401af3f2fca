//! The callers of each route: a route requires the credentials of its column, and refuses requests without them. The
//! compiler enforces that handlers take the extractor of the column (`idp/src/http/extract/caller.rs`).

use idp::http::{
    route::{Audience, Caller, Origins, Posts, Route},
    routes::ROUTES,
};
use keys::{Algorithm, TokenType};
use serde_json::json;
use vestibule_tests::{
    app::TestApp,
    client::{decode_claims, get_userinfo},
    db::Engine,
    http::{HttpBrowser, Response},
};

use super::{address, post, send};
use crate::engines::{apply, both_engines};

/// Checks a route's answer to a request without credentials.
fn assert_challenged(route: &Route, method: &str, answer: &Response) {
    let what = format!("{method} {}", route.path);
    let challenge = answer.header("www-authenticate");
    match route.caller {
        Caller::Anyone => {
            assert_eq!(challenge, "", "{what}");
            assert_eq!(answer.header("set-cookie"), "", "{what}");
        }
        // The cookie is set here; the flow decides what a request without one may do.
        Caller::Browser => {
            assert_eq!(challenge, "", "{what}");
            assert_ne!(answer.status, 401, "{what}");
        }
        Caller::Client => {
            assert_eq!(answer.status, 401, "{what}");
            assert!(challenge.starts_with("Basic realm="), "{what}: {challenge}");
            assert_eq!(answer.header("set-cookie"), "", "{what}");
        }
        Caller::Bearer(_) => {
            assert_eq!(answer.status, 401, "{what}");
            assert!(challenge.starts_with("Bearer realm="), "{what}: {challenge}");
            assert_eq!(answer.header("set-cookie"), "", "{what}");
        }
    }
}

async fn call(browser: &HttpBrowser, route: &Route, method: &str) -> Response {
    if method == "POST" {
        post(browser, route.path, &[], &[("grant_type", "authorization_code")]).await
    } else {
        send(browser, method, &address(route), &[]).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unauthenticated_caller_is_challenged() {
    let app = TestApp::start(Engine::Sqlite).await;
    for route in ROUTES {
        for method in route.methods {
            let answer = call(&app.browser(), route, method).await;
            assert_challenged(route, method, &answer);
        }
    }
}

/// A session gives no access to the routes of clients and token holders.
#[apply(both_engines)]
async fn session_cookie_authenticates_no_client(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    browser.sign_in(&app, &client, &patient).await;
    let others = |route: &&Route| !matches!(route.caller, Caller::Browser);
    for route in ROUTES.iter().filter(others) {
        for method in route.methods {
            let answer = call(&browser, route, method).await;
            assert_challenged(route, method, &answer);
        }
    }
}

/// Browsers add cookies on their own. So a route that reads them must be for people, protect its posts, and forbid other
/// origins to read its answers.
#[test]
fn cookies_are_read_on_pages_alone() {
    for route in ROUTES {
        let policy = route.class.policy();
        let reads_cookies = match route.caller {
            Caller::Browser => true,
            Caller::Anyone | Caller::Client | Caller::Bearer(_) => false,
        };
        if reads_cookies {
            assert_eq!(policy.audience, Audience::People, "{}", route.path);
            assert_eq!(policy.origins, Origins::SameOrigin, "{}", route.path);
        }
        if route.step.is_some() {
            assert_eq!(policy.posts, Posts::FromOwnPages, "{}: a step", route.path);
        }
    }
}

/// RFC 6750, section 3.1.
#[apply(both_engines)]
async fn token_without_scope_is_forbidden(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let landed = app.browser().sign_in(&app, &client, &patient).await;
    let tokens = client.redeem_tokens(&app, &landed).await;
    let issued = tokens["access_token"].as_str().unwrap();
    assert_eq!(get_userinfo(&app, issued).await.status, 200);
    let signed_for = |scope: &str| {
        let mut claims = decode_claims(issued);
        claims["scope"] = json!(scope);
        let (ring, now) = (app.app().live.snapshot().ring.clone(), app.app().clock.now());
        ring.sign_user_token(TokenType::Access, Algorithm::RS256, &claims, now).expect("signed")
    };
    assert_eq!(get_userinfo(&app, &signed_for("email openid")).await.status, 200);
    for scope in ["", "email", "openid2 profile", "OPENID"] {
        let answer = get_userinfo(&app, &signed_for(scope)).await;
        assert_eq!(answer.status, 403, "{scope:?}: {}", answer.body);
        assert_eq!(
            answer.header("www-authenticate"),
            "Bearer realm=\"userinfo\", error=\"insufficient_scope\", scope=\"openid\"",
            "{scope:?}"
        );
        assert_eq!(answer.body, "", "{scope:?}");
        assert_eq!(answer.header("cache-control"), "no-store", "{scope:?}");
    }
}
