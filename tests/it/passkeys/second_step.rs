//! A passkey as the second step after a password.

use serde_json::json;
use vestibule_tests::{app::TestApp, client::decode_claims, db::Engine};

use crate::engines::{apply, both_engines};

#[apply(both_engines)]
async fn passkey_after_password_is_phr(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let (mut device, _) = app.browser().register_passkey(&app, &patient).await;
    // A key that keeps no user handle: it is known by its id.
    device.user_handle = None;
    let browser = app.browser();
    let (start, pending) = browser.open_sign_in_page(&client).await;
    let code_page = browser.submit_password(&start, &patient).await;
    let page = browser.choose_method(&code_page, "passkey").await;
    assert_eq!(page.url.path(), "/login/passkey");
    let landed = browser.use_passkey(&page, &mut device).await;
    let tokens = client.redeem_tokens(&app, &landed.authorization_response(pending)).await;
    let claims = decode_claims(tokens["id_token"].as_str().expect("an ID token"));
    assert_eq!(
        (&claims["acr"], &claims["amr"]),
        (&json!("phr"), &json!(["pwd", "swk", "user", "mfa"]))
    );
    // The method that was used last is asked for first.
    let browser = app.browser();
    let (start, _) = browser.open_sign_in_page(&client).await;
    let page = browser.submit_password(&start, &patient).await;
    assert_eq!(page.url.path(), "/login/passkey", "{}", page.text());
}

/// Misuse case 5: another person's passkey completes no sign-in that this password began.
#[apply(both_engines)]
async fn case_5_foreign_passkey_is_refused(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, mere) = (app.client("portal").await, app.patient("Mere").await);
    let rua = app.patient("Rua").await;
    app.browser().register_passkey(&app, &mere).await;
    let (mut foreign, _) = app.browser().register_passkey(&app, &rua).await;
    let browser = app.browser();
    let (start, _) = browser.open_sign_in_page(&client).await;
    let code_page = browser.submit_password(&start, &mere).await;
    let page = browser.choose_method(&code_page, "passkey").await;
    let before = app.count("SELECT COUNT(*) FROM sign_ins").await;
    let page = browser.use_passkey(&page, &mut foreign).await;
    assert!(page.has_text("This passkey is of another account"), "{}", page.text());
    assert_eq!(app.count("SELECT COUNT(*) FROM sign_ins").await, before);
    // The ceremony of the password page is for its own purpose: Rua signs in as Rua, and nothing of Mere's password is left.
    let (options, form) = start.ceremony();
    let landed = browser.post(&form.with("answer", &foreign.get(&options)), "").await;
    assert!(landed.location().is_none(), "{}", landed.text());
}

/// Misuse case 3: a password page's ceremony is no second step, and one of the second step no sign-in.
#[apply(both_engines)]
async fn case_3_ceremony_serves_its_purpose_alone(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let (mut device, _) = app.browser().register_passkey(&app, &patient).await;
    let browser = app.browser();
    let (start, _) = browser.open_sign_in_page(&client).await;
    let code_page = browser.submit_password(&start, &patient).await;
    let page = browser.choose_method(&code_page, "passkey").await;
    let (options, form) = page.ceremony();
    let other = app.browser();
    let (elsewhere, _) = other.open_sign_in_page(&client).await;
    let (_, there) = elsewhere.ceremony();
    let moved =
        there.with("ceremony", form.value("ceremony")).with("answer", &device.get(&options));
    let refused = other.post(&moved, "").await;
    assert!(refused.has_text("That took too long or was sent twice"), "{}", refused.text());
}

/// Misuse case 3: a passkey as both steps cannot be chosen after the password: the choice changes nothing.
#[apply(both_engines)]
async fn case_3_both_steps_are_no_choice(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    app.browser().register_passkey(&app, &patient).await;
    let browser = app.browser();
    let (start, _) = browser.open_sign_in_page(&client).await;
    let page = browser.submit_password(&start, &patient).await;
    let page = browser.choose_method(&page, "passkey_uv").await;
    assert_eq!(page.url.path(), "/login/passkey", "{}", page.text());
}
