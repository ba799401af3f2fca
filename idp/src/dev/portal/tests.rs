//! Tests of the parts that need no provider, or only its metadata.

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::dev::portal::pages::ProblemPage;

fn portal(issuer: &str) -> Portal {
    Portal {
        issuer: issuer.parse().unwrap(),
        client_id: "demo-portal".to_owned(),
        client_secret: Secret::new("portal-canary".to_owned()),
        base: "http://localhost:8081".parse().unwrap(),
        clock: Clock::system(),
        time_zone: TimeZone::UTC,
    }
}

/// Starts a provider that answers discovery only; returns its issuer.
async fn provider() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let metadata = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/oauth2/authorize"),
        "token_endpoint": format!("{issuer}/oauth2/token"),
        "userinfo_endpoint": format!("{issuer}/oauth2/userinfo"),
        "end_session_endpoint": format!("{issuer}/oauth2/logout"),
        "jwks_uri": format!("{issuer}/oauth2/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256"],
    });
    let refusal = || async {
        let body = json!({"error": "invalid_grant", "error_description": "the code is spent"});
        (StatusCode::BAD_REQUEST, Json(body))
    };
    let app = Router::new()
        .route("/.well-known/openid-configuration", get(|| async { Json(metadata) }))
        .route("/oauth2/jwks", get(|| async { Json(json!({"keys": []})) }))
        .route("/oauth2/token", post(refusal));
    tokio::spawn(async move { axum::serve(listener, app).await });
    issuer
}

struct Page {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Page {
    fn cookie(&self) -> String {
        self.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned()
    }

    fn location(&self) -> Url {
        self.headers["location"].to_str().unwrap().parse().unwrap()
    }
}

async fn visit(app: &Router, path: &str, cookie: &str) -> Page {
    let request = Request::get(path).header("cookie", cookie).body(Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    Page { status, headers, body: String::from_utf8(body.to_vec()).unwrap() }
}

fn parameter(url: &Url, name: &str) -> String {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap()
}

#[test]
fn redirect_uris_have_no_double_slash() {
    let portal = portal("http://localhost:8080");
    assert_eq!(portal.redirect_uri(), "http://localhost:8081/callback");
    assert_eq!(portal.post_logout_redirect_uri(), "http://localhost:8081/signed-out");
    assert!(!format!("{portal:?}").contains("canary"));
}

#[tokio::test]
async fn front_page_has_strict_csp() {
    let app = portal("http://localhost:8080").router().unwrap();
    let page = visit(&app, "/", "vestibule-portal=nonsense").await;
    assert!(page.body.contains("href=\"/sign-in\"") && !page.body.contains("<script"));
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("form-action 'self' http://localhost:8080;"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
    assert!(
        visit(&app, "/portal.css", "").await.headers["content-type"] == "text/css; charset=utf-8"
    );
    assert_eq!(visit(&app, "/nothing", "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn sign_in_sends_pkce_state_nonce() {
    let issuer = provider().await;
    let app = portal(&issuer).router().unwrap();
    let page = visit(&app, "/sign-in", "").await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
    let url = page.location();
    assert_eq!(url.path(), "/oauth2/authorize");
    for (name, value) in [
        ("client_id", "demo-portal"),
        ("redirect_uri", "http://localhost:8081/callback"),
        ("response_type", "code"),
        ("scope", "openid profile email"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(parameter(&url, name), value);
    }
    for name in ["state", "nonce", "code_challenge"] {
        assert!(parameter(&url, name).len() >= 22, "{name}");
    }
    let cookie = page.headers["set-cookie"].to_str().unwrap();
    assert!(
        cookie.starts_with("vestibule-portal=") && cookie.contains("; HttpOnly; SameSite=Lax"),
        "{cookie}"
    );
    let again = visit(&app, "/sign-in", &page.cookie()).await;
    assert_eq!(again.cookie(), page.cookie());
    assert_ne!(parameter(&again.location(), "state"), parameter(&url, "state"));
}

#[tokio::test]
async fn callback_works_once_per_browser() {
    let issuer = provider().await;
    let app = portal(&issuer).router().unwrap();
    let begun = visit(&app, "/sign-in", "").await;
    let state = parameter(&begun.location(), "state");
    let path = format!(
        "/callback?error=access_denied&error_description=Not+now&state={state}&iss={issuer}"
    );
    let lost = "This sign-in is no longer open";
    assert!(visit(&app, &path, "").await.body.contains(lost));
    assert!(visit(&app, &path, "vestibule-portal=other").await.body.contains(lost));
    let page = visit(&app, &path, &begun.cookie()).await;
    assert!(
        page.body.contains("You did not sign in") && page.body.contains("access_denied: Not now")
    );
    assert!(page.body.contains("href=\"/sign-in\">Try again"));
    assert!(visit(&app, &path, &begun.cookie()).await.body.contains(lost));
    assert!(visit(&app, "/callback?state=a&state=b", &begun.cookie()).await.body.contains(lost));
}

#[tokio::test]
async fn bad_code_or_issuer_shows_problem() {
    let app = portal(&provider().await).router().unwrap();
    let cases = [
        ("code=x", "invalid_grant: the code is spent"),
        ("code=x&iss=http://evil", "another provider"),
    ];
    for (query, expected) in cases {
        let begun = visit(&app, "/sign-in", "").await;
        let state = parameter(&begun.location(), "state");
        let page = visit(&app, &format!("/callback?{query}&state={state}"), &begun.cookie()).await;
        assert_eq!(page.status, StatusCode::BAD_GATEWAY);
        assert!(
            page.body.contains("Signing in did not work") && page.body.contains(expected),
            "{}",
            page.body
        );
    }
}

#[tokio::test]
async fn unreachable_provider_is_bad_gateway() {
    let app = portal("http://127.0.0.1:1").router().unwrap();
    let page = visit(&app, "/sign-in", "").await;
    assert_eq!(page.status, StatusCode::BAD_GATEWAY);
    assert!(page.body.contains("The sign-in service does not answer"));
}

#[tokio::test]
async fn signed_out_page_verifies_state() {
    let app = portal("http://localhost:8080").router().unwrap();
    let page = visit(&app, "/signed-out?state=x", "vestibule-portal=x").await;
    assert!(
        page.body.contains("You are signed out") && !page.body.contains("and the sign-in service")
    );
    let response = app
        .oneshot(
            Request::post("/sign-out")
                .header("content-type", "application/x-www-form-urlencoded")
                .body(Body::from("form=x"))
                .unwrap(),
        )
        .await
        .unwrap();
    assert_eq!(response.headers()["location"], "/");
}

#[test]
fn provider_error_text_is_escaped() {
    let page = ProblemPage::from_callback("x", "<script>alert(1)</script>");
    assert!(!page.render().unwrap().contains("<script>"));
    let busy = ProblemPage::from_callback("temporarily_unavailable", "");
    assert_eq!(
        (busy.title, busy.detail.as_str()),
        ("The sign-in service is busy", "temporarily_unavailable")
    );
    assert!(ProblemPage::from_callback("x", &"y".repeat(5000)).detail.len() <= 300);
}

#[tokio::test]
async fn oldest_visitors_are_evicted() {
    let provider =
        Provider::discover(&portal(&provider().await), &Fetch::loopback().unwrap()).await.unwrap();
    let visitors = Sessions::default();
    let first = visitors.begin_sign_in(None, provider.authorize().1);
    for _ in 0..1000 {
        visitors.begin_sign_in(None, provider.authorize().1);
    }
    assert!(visitors.take_pending(&first, "any").is_none());
    assert_ne!(visitors.begin_sign_in(Some(&first), provider.authorize().1), first);
    assert!(visitors.sign_out(&first, "").is_none());
}

#[test]
fn claim_rows_are_human_readable() {
    let object = |value: Value| value.as_object().cloned().unwrap();
    let token = object(json!({"sub": "s1", "exp": 1_795_513_260, "amr": ["pwd", "mca"]}));
    let profile = object(json!({"sub": "s1", "name": "Mere", "picture": null}));
    let rows = pages::claims(&token, &profile, &TimeZone::UTC);
    let rows: Vec<_> =
        rows.iter().map(|row| (row.name.as_str(), row.value.as_str(), row.source)).collect();
    let expected = [
        ("amr", "[\"pwd\",\"mca\"]", "ID token"),
        ("exp", "1795513260 (9:41 am)", "ID token"),
        ("sub", "s1", "ID token"),
        ("name", "Mere", "userinfo"),
    ];
    assert_eq!(rows, expected);
    assert_eq!(pages::display_name(&profile, &token), "Mere");
    assert_eq!(pages::display_name(&object(json!({})), &token), "s1");
}
