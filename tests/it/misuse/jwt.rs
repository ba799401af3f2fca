//! Misuse case 36: forged tokens, at every place that reads one.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as B64};
use serde_json::{Value, json};
use vestibule_tests::{
    app::TestApp,
    client::{Client, PendingRequest, get_userinfo},
    db,
    http::HttpBrowser,
};

use crate::engines::{apply, both_engines};

fn encode_json(value: &Value) -> String {
    B64.encode(value.to_string())
}

fn with_header(token: &str, header: &Value) -> String {
    let (_, rest) = token.split_once('.').unwrap();
    format!("{}.{rest}", encode_json(header))
}

fn header_of(token: &str) -> Value {
    let (header, _) = token.split_once('.').unwrap();
    serde_json::from_slice(&B64.decode(header).unwrap()).unwrap()
}

/// A token with changed members of its header; the signature stays.
fn with_changed_header(token: &str, changes: &Value) -> String {
    let mut header = header_of(token);
    for (name, value) in changes.as_object().unwrap() {
        header[name] = value.clone();
    }
    with_header(token, &header)
}

/// Forgeries of the token `good`, each with a name.
fn forgeries(good: &str, jwks: &Value) -> Vec<(String, String)> {
    let kid = header_of(good)["kid"].clone();
    let key = &jwks["keys"][0];
    let (message, _) = good.rsplit_once('.').unwrap();
    let (_, claims) = message.split_once('.').unwrap();
    let typ = header_of(good)["typ"].clone();
    let mut all: Vec<(String, String)> = Vec::new();
    let mut add = |what: &str, token: String| all.push((what.to_owned(), token));
    for alg in ["none", "None", "NONE", ""] {
        let header = encode_json(&json!({ "alg": alg, "typ": typ, "kid": kid }));
        add("alg none without signature", format!("{header}.{claims}."));
        add("alg none with signature", with_changed_header(good, &json!({ "alg": alg })));
    }
    for alg in ["HS256", "PS256", "ES256", "EdDSA", "RS512"] {
        add("another alg", with_changed_header(good, &json!({ "alg": alg })));
    }
    // HMAC with the public key: any tag will do, because the algorithm is refused before a tag is computed.
    let tag = B64.encode(keys::hash_text(&key.to_string()).as_bytes());
    let hs = encode_json(&json!({ "alg": "HS256", "typ": typ, "kid": kid }));
    add("HS256 by the public key", format!("{hs}.{claims}.{tag}"));
    for kid in
        ["", "unknown", "../../../../dev/null", "' OR '1'='1", "https://evil.example/jwks", "\u{0}"]
    {
        add("another kid", with_changed_header(good, &json!({ "kid": kid })));
    }
    add("no kid", with_header(good, &json!({ "alg": header_of(good)["alg"], "typ": typ })));
    add("an embedded key", with_changed_header(good, &json!({ "kid": "mine", "jwk": key })));
    for name in ["jku", "x5u"] {
        add(
            "an address of keys",
            with_changed_header(good, &json!({ "kid": "mine", name: "https://evil.example/k" })),
        );
    }
    add("crit", with_changed_header(good, &json!({ "crit": ["exp"] })));
    // Both halves zero, with an ES256 header if there is such a key (CVE-2022-21449).
    if let Some(es) = jwks["keys"].as_array().unwrap().iter().find(|key| key["alg"] == "ES256") {
        let header = encode_json(&json!({ "alg": "ES256", "typ": typ, "kid": es["kid"] }));
        add("a psychic signature", format!("{header}.{claims}.{}", B64.encode([0; 64])));
    }
    for typ in ["JWT", "at+jwt", "logout+jwt", "jwt", ""] {
        if header_of(good)["typ"] != typ {
            add("another typ", with_changed_header(good, &json!({ "typ": typ })));
        }
    }
    let twice = format!(r#"{{"alg":"none","alg":"RS256","typ":{typ},"kid":{kid}}}"#);
    add("a member twice", format!("{}.{claims}.{}", B64.encode(twice), B64.encode([0; 256])));
    add("a huge header", with_changed_header(good, &json!({ "x": "x".repeat(20_000) })));
    add("a cut signature", good[..good.len() - 4].to_owned());
    add("no signature", format!("{message}."));
    add("four parts", format!("{good}.x"));
    add("two parts", message.to_owned());
    let mut other: Value = serde_json::from_slice(&B64.decode(claims).unwrap()).unwrap();
    other["sub"] = json!("somebody else");
    let (head, _) = good.split_once('.').unwrap();
    let (_, signature) = good.rsplit_once('.').unwrap();
    add("other claims", format!("{head}.{}.{signature}", encode_json(&other)));
    all
}

/// Whether the authorization endpoint accepts a token as a hint.
async fn is_hint(app: &TestApp, client: &Client, browser: &HttpBrowser, token: &str) -> bool {
    let pending = PendingRequest::new(client);
    let changes = [("id_token_hint", token), ("prompt", "none")];
    let answer = browser.get(pending.url(app.issuer(), &changes)).await;
    // A huge one is refused before it is parsed.
    answer.location().is_some_and(|to| to.query_pairs().any(|(name, _)| name == "code"))
}

/// Whether logout accepts a token as a hint: it then signs out without a question.
async fn signs_out(browser: &HttpBrowser, token: &str) -> bool {
    let answer =
        browser.with_copied_cookies().get(format!("/oauth2/logout?id_token_hint={token}")).await;
    answer.has_text("You are signed out")
}

#[apply(both_engines)]
async fn case_36_forged_tokens_are_refused_everywhere(engine: db::Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let landed = browser.sign_in(&app, &client, &patient).await;
    let tokens = client.redeem_tokens(&app, &landed).await;
    let (access, id) =
        (tokens["access_token"].as_str().unwrap(), tokens["id_token"].as_str().unwrap());
    let jwks = browser.get("/oauth2/jwks").await.json();
    assert_eq!(get_userinfo(&app, access).await.status, 200);
    assert_eq!(get_userinfo(&app, id).await.status, 401, "an ID token is no access token");
    for (what, token) in forgeries(access, &jwks).into_iter().chain(forgeries(id, &jwks)) {
        let status = get_userinfo(&app, &token).await.status;
        assert!(status.is_client_error(), "userinfo: {what}: {status}");
    }
    assert!(is_hint(&app, &client, &browser, id).await);
    assert!(!is_hint(&app, &client, &browser, access).await, "an access token is no hint");
    for (what, token) in forgeries(id, &jwks).into_iter().chain(forgeries(access, &jwks)) {
        assert!(!is_hint(&app, &client, &browser, &token).await, "authorize: {what}");
        assert!(!signs_out(&browser, &token).await, "logout: {what}");
    }
    assert!(!signs_out(&browser, access).await, "an access token signs no session out");
    assert!(signs_out(&browser, id).await);
}
