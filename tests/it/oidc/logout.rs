//! `/oauth2/logout` (OpenID Connect RP-Initiated Logout 1.0).

use serde_json::Value;
use url::Url;
use vestibule_tests::{
    app::TestApp,
    client::{Client, PendingRequest, get_userinfo},
    db::Engine,
    http::HttpBrowser,
};

use crate::engines::{apply, both_engines};

fn logout_url(app: &TestApp, params: &[(&str, &str)]) -> String {
    let mut url = Url::parse(&format!("{}/oauth2/logout", app.issuer())).unwrap();
    url.query_pairs_mut().extend_pairs(params);
    url.into()
}

async fn is_signed_in(app: &TestApp, browser: &HttpBrowser, client: &Client) -> bool {
    let pending = PendingRequest::new(client);
    let landed = browser
        .get(pending.url(app.issuer(), &[("prompt", "none")]))
        .await
        .authorization_response(pending);
    landed.param("code").is_some()
}

async fn start(app: &TestApp) -> (Client, HttpBrowser, Value) {
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let landed = browser.sign_in(app, &client, &patient).await;
    let tokens = client.redeem_tokens(app, &landed).await;
    (client, browser, tokens)
}

const POST_LOGOUT_REDIRECT_URI: &str = "https://portal.example/signed-out";

#[apply(both_engines)]
async fn hint_ends_session_and_tokens(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, browser, tokens) = start(&app).await;
    let hint = tokens["id_token"].as_str().unwrap();
    let url = logout_url(
        &app,
        &[
            ("id_token_hint", hint),
            ("client_id", "portal"),
            ("post_logout_redirect_uri", POST_LOGOUT_REDIRECT_URI),
            ("state", "a b&c"),
        ],
    );
    let answer = browser.get(url).await;
    assert_eq!(
        answer.location().unwrap().as_str(),
        format!("{POST_LOGOUT_REDIRECT_URI}?state=a+b%26c")
    );
    assert_eq!(browser.cookie("session"), None);
    assert!(!is_signed_in(&app, &browser, &client).await);
    assert_eq!(get_userinfo(&app, tokens["access_token"].as_str().unwrap()).await.status, 401);
    assert_eq!(app.audit_outcomes("session.signed_out").await, ["ok"]);
}

#[apply(both_engines)]
async fn expired_hint_is_accepted(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, browser, tokens) = start(&app).await;
    app.clock.advance(std::time::Duration::from_mins(15));
    let hint = tokens["id_token"].as_str().unwrap();
    let page = browser.get(logout_url(&app, &[("id_token_hint", hint)])).await;
    assert!(page.has_text("You are signed out"), "{}", page.text());
    assert!(!is_signed_in(&app, &browser, &client).await);
}

/// Misuse case 41: an image on another site ends no session.
#[apply(both_engines)]
async fn case_41_logout_without_hint_asks(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, browser, tokens) = start(&app).await;
    let (other, hemi) = (app.browser(), app.patient("Hemi").await);
    let foreign = client.redeem_tokens(&app, &other.sign_in(&app, &client, &hemi).await).await;
    let hint = tokens["id_token"].as_str().unwrap();
    let broken = format!("{}x", &hint[..hint.len() - 1]);
    for params in [
        &[][..],
        &[("post_logout_redirect_uri", POST_LOGOUT_REDIRECT_URI)],
        &[("state", "x")],
        &[
            ("id_token_hint", foreign["id_token"].as_str().unwrap()),
            ("post_logout_redirect_uri", POST_LOGOUT_REDIRECT_URI),
        ],
        &[("id_token_hint", &broken), ("post_logout_redirect_uri", POST_LOGOUT_REDIRECT_URI)],
        &[("id_token_hint", hint), ("client_id", "another")],
    ] {
        let page = browser.get(logout_url(&app, params)).await;
        assert_eq!(page.status, 200, "{params:?}: never a redirect");
        assert!(!page.has_text("You are signed out"), "{params:?}");
        assert!(is_signed_in(&app, &browser, &client).await, "{params:?}");
    }
    let page = browser.get(logout_url(&app, &[])).await;
    let stayed = browser.post(&page.form(), "cancel").await;
    assert_eq!(stayed.status, 200);
    assert!(is_signed_in(&app, &browser, &client).await);
    let ended = browser.post(&page.form(), "continue").await;
    assert!(ended.has_text("You are signed out"), "{}", ended.text());
    assert!(!is_signed_in(&app, &browser, &client).await);
}

#[apply(both_engines)]
async fn only_registered_logout_uri_is_followed(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (_, browser, tokens) = start(&app).await;
    let hint = tokens["id_token"].as_str().unwrap();
    for address in [
        "https://evil.example/signed-out",
        "//evil.example",
        "https://portal.example/signed-out?x=1",
        "https://portal.example/signed-out/",
        "https://portal.example/Signed-out",
        "javascript:alert(1)",
    ] {
        let params = [("id_token_hint", hint), ("post_logout_redirect_uri", address)];
        let page = browser.get(logout_url(&app, &params)).await;
        assert_eq!(page.status, 200, "{address}");
        assert!(page.has_text("You are signed out"), "{address}");
        // The person reads that it worked, the developers of the page why it was not left.
        assert!(page.has_text("is not registered for this client"), "{address}");
        assert!(page.has_text("idp client set"), "{address}");
    }
    let params = [("post_logout_redirect_uri", POST_LOGOUT_REDIRECT_URI)];
    let page = browser.get(logout_url(&app, &params)).await;
    assert!(page.has_text("has no id_token_hint of this client"), "{}", page.text());
    let page = browser.get(logout_url(&app, &[("id_token_hint", hint)])).await;
    assert!(
        !page.has_text("For the developer of the page"),
        "no address was named: {}",
        page.text()
    );
}

/// In both languages, also after the switch of the language.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unfollowed_logout_uri_is_told_bilingually() {
    let app = TestApp::start(Engine::Sqlite).await;
    let (_, browser, tokens) = start(&app).await;
    let hint = tokens["id_token"].as_str().unwrap();
    let address = ("post_logout_redirect_uri", "https://evil.example/");
    let params = [("id_token_hint", hint), address, ("ui_locales", "mi")];
    let page = browser.get(logout_url(&app, &params)).await;
    assert!(page.has_text("Kua takiputa koe"), "{}", page.text());
    assert!(page.has_text("kia rēhitatia mō tēnei kiritaki"), "{}", page.text());
    let own = [("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "navigate")];
    let switch = page.language_switch();
    let page = browser.send(reqwest::Method::GET, &switch, &own, None).await;
    assert!(page.has_text("is not registered for this client"), "{}", page.text());
}

/// The answer to the question is a page of ours that leads back to the registered address, and to no other (decision 31).
#[apply(both_engines)]
async fn logout_question_returns_to_client(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, _, _) = start(&app).await;
    let (other, hemi) = (app.browser(), app.patient("Hemi").await);
    let tokens = client.redeem_tokens(&app, &other.sign_in(&app, &client, &hemi).await).await;
    let hint = tokens["id_token"].as_str().unwrap();
    for (address, leads_on) in [("https://evil.example/x", false), (POST_LOGOUT_REDIRECT_URI, true)]
    {
        let person = app.patient(&format!("Ana {leads_on}")).await;
        let browser = app.browser();
        browser.sign_in(&app, &client, &person).await;
        let params = [("id_token_hint", hint), ("post_logout_redirect_uri", address)];
        let page = browser.get(logout_url(&app, &params)).await;
        assert!(page.header("content-security-policy").contains("form-action 'self';"));
        let answer = browser.post(&page.form(), "continue").await;
        let to = answer.location().map(|to| to.to_string());
        assert_eq!(
            to.as_deref(),
            leads_on.then_some(POST_LOGOUT_REDIRECT_URI),
            "{}",
            answer.text()
        );
        assert_eq!(answer.status, 200);
    }
}
