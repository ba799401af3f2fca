//! Callers that hold a connection while they wait for another deadlock as soon as all do. With a pool of one connection, one
//! person is enough to show it.

use vestibule_tests::{
    app::{Options, TestApp},
    client::{Client, get_userinfo},
    db::{Engine, TestDb},
    http::HttpBrowser,
    page::Form,
};

use crate::engines::{apply, both_engines};

/// Redeems a code that was never issued.
async fn redeem_unknown_code(app: &TestApp, client: &Client) {
    let unknown = [("grant_type", "authorization_code"), ("code", "nobody-issued-this")];
    let answer = client.call_token(app, &unknown).await;
    assert_eq!(answer.json()["error"], "invalid_grant", "{}", answer.body);
}

async fn submit_new_password(page: Form, browser: &HttpBrowser) {
    let form = page.with("new_password", "a walk along the river at noon");
    let done = browser.post(&form, "continue").await;
    assert!(done.location().is_some(), "{}", done.text());
}

#[apply(both_engines)]
async fn one_connection_suffices_for_every_step(engine: Engine) {
    let db = TestDb::create(engine).await.with_max_connections(1);
    let app = TestApp::start_on(db, engine.redis_url(), Options::default()).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    // A wrong password, a wrong code, a resent code, the right code.
    let (page, pending) = browser.open_sign_in_page(&client).await;
    let wrong = page.form().with("email", &patient.email).with("password", "not this one");
    let page = browser.post(&wrong, "continue").await;
    let page = browser.submit_password(&page, &patient).await;
    let first = app.mail.wait_for_code(&patient.email, 1).await;
    let wrong = if first == "111111" { "222222" } else { "111111" };
    let page = browser.submit_code(&page, wrong).await;
    assert!(page.has_field("code"), "{}", page.text());
    let landed = browser.submit_code(&page, &first).await.authorization_response(pending);
    let tokens = client.redeem_tokens(&app, &landed).await;
    let token = tokens["access_token"].as_str().unwrap();
    assert_eq!(get_userinfo(&app, token).await.status, 200);
    redeem_unknown_code(&app, &client).await;
    // Used twice: everything that it issued ends.
    let again = client.redeem(&app, &landed).await;
    assert_eq!(again.json()["error"], "invalid_grant", "{}", again.body);
    assert_eq!(get_userinfo(&app, token).await.status, 401);
    app.force_reset(&patient).await;
    let (page, code, _) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    let page = browser.submit_code(&page, &code).await;
    submit_new_password(page.form(), &browser).await;
}
