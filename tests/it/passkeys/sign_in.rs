//! Signing in with a passkey alone.

use std::time::Duration;

use serde_json::json;
use vestibule_tests::{
    app::TestApp, client::decode_claims, db::Engine, passkey_device::PasskeyDevice,
};

use crate::engines::{apply, both_engines};

#[apply(both_engines)]
async fn passkey_alone_signs_in_as_phr(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let (mut device, _) = app.browser().register_passkey(&app, &patient).await;
    let mails = app.mail.codes_to(&patient.email).len();
    let browser = app.browser();
    let (start, pending) = browser.open_sign_in_page(&client).await;
    let landed = browser.use_passkey(&start, &mut device).await;
    let tokens = client.redeem_tokens(&app, &landed.authorization_response(pending)).await;
    let claims = decode_claims(tokens["id_token"].as_str().expect("an ID token"));
    assert_eq!(claims["acr"], "phr");
    assert_eq!(claims["amr"], json!(["swk", "user", "mfa"]));
    assert_eq!(app.mail.codes_to(&patient.email).len(), mails, "no code is mailed");
    assert_eq!(app.audit_outcomes("passkey.checked").await, ["right"]);
    let alone = "SELECT COUNT(*) FROM sign_ins WHERE first = 'passkey_uv' AND second IS NULL";
    assert_eq!(app.count(alone).await, 1);
}

/// A lost answer, or a double click (ruling A30): the browser that completed comes to the same end, no other does.
#[apply(both_engines)]
async fn repeated_passkey_reaches_same_end(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let (mut device, _) = app.browser().register_passkey(&app, &patient).await;
    device.counter = 7;
    let browser = app.browser();
    let (start, pending) = browser.open_sign_in_page(&client).await;
    let (options, form) = start.ceremony();
    let form = form.with("answer", &device.get(&options));
    let other = app.browser();
    let before = browser.with_copied_cookies();
    assert!(browser.post(&form, "").await.location().is_some());
    let again = before.post(&form, "").await;
    let tokens = client.redeem_tokens(&app, &again.authorization_response(pending)).await;
    assert!(tokens["id_token"].is_string());
    let signed_in = "SELECT COUNT(*) FROM sign_ins WHERE first = 'passkey_uv'";
    assert_eq!(app.count(signed_in).await, 1);
    let foreign = other.post(&form, "").await;
    assert!(foreign.location().is_none(), "{}", foreign.text());
    app.clock.advance(Duration::from_secs(90));
    let late = before.post(&form, "").await;
    assert!(
        late.location().is_none_or(|to| to.query().is_none_or(|query| !query.contains("code=")))
    );
    assert_eq!(app.count(signed_in).await, 1);
}

/// One challenge, one use: an answer that was refused cannot be followed by another one to the same challenge.
#[apply(both_engines)]
async fn challenge_is_answered_once(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let (mut device, _) = app.browser().register_passkey(&app, &patient).await;
    let browser = app.browser();
    let (start, _) = browser.open_sign_in_page(&client).await;
    device.verifies = false;
    let page = browser.use_passkey(&start, &mut device).await;
    assert!(page.has_text("Your device did not check that it is you"), "{}", page.text());
    device.verifies = true;
    let refused = browser.use_passkey(&start, &mut device).await;
    assert!(refused.has_text("That took too long or was sent twice"), "{}", refused.text());
    let landed = browser.use_passkey(&refused, &mut device).await;
    assert!(landed.location().is_some(), "{}", landed.text());
    assert_eq!(app.audit_outcomes("passkey.checked").await, ["not_verified", "right"]);
}

/// A ceremony lasts five minutes; the page's script asks for another one, which writes nothing.
#[apply(both_engines)]
async fn ceremony_ends_and_is_renewed(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let (mut device, _) = app.browser().register_passkey(&app, &patient).await;
    let browser = app.browser();
    let (start, _) = browser.open_sign_in_page(&client).await;
    let attempts = app.count("SELECT COUNT(*) FROM attempts").await;
    app.clock.advance(Duration::from_secs(301));
    let (_, form) = start.ceremony();
    let renewal = format!("/login/passkey?attempt={}", form.value("attempt"));
    let headers = [("accept", "application/json"), ("sec-fetch-site", "same-origin")];
    let fresh = browser.send(reqwest::Method::GET, &renewal, &headers, None).await.json();
    assert_eq!(app.count("SELECT COUNT(*) FROM attempts").await, attempts);
    let foreign = app.browser().send(reqwest::Method::GET, &renewal, &headers, None).await;
    assert_eq!(foreign.status, 404);
    let late = browser.use_passkey(&start, &mut device).await;
    assert!(late.has_text("That took too long"), "{}", late.text());
    let answer = device.get(&fresh["options"]);
    let ceremony = fresh["ceremony"].as_str().expect("a ceremony");
    let landed = browser.post(&form.with("ceremony", ceremony).with("answer", &answer), "").await;
    assert!(landed.location().is_some(), "{}", landed.text());
}

/// Misuse case 26: after a forced reset a passkey leads to the new password.
#[apply(both_engines)]
async fn case_26_reset_comes_before_passkey(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let (mut device, _) = app.browser().register_passkey(&app, &patient).await;
    let browser = app.browser();
    let (start, _) = browser.open_sign_in_page(&client).await;
    app.force_reset(&patient).await;
    let page = browser.follow(browser.use_passkey(&start, &mut device).await).await;
    assert_eq!(page.url.path(), "/login/new-password", "{}", page.text());
    let signed_in = "SELECT COUNT(*) FROM sign_ins WHERE first = 'passkey_uv'";
    assert_eq!(app.count(signed_in).await, 0);
}

/// Misuse case 54: while a stranger's wrong passwords make the account wait, its owner's passkey works.
#[apply(both_engines)]
async fn case_54_passkey_works_while_password_waits(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let (mut device, _) = app.browser().register_passkey(&app, &patient).await;
    app.set_setting("sign_in.password_failures", "3").await;
    let stranger = app.browser();
    let (mut page, _) = stranger.open_sign_in_page(&client).await;
    for _ in 0..4 {
        let form =
            page.form().with("email", &patient.email).with("password", "not the password at all");
        page = stranger.post(&form, "continue").await;
    }
    assert!(page.has_text("too many wrong passwords"), "{}", page.text());
    let browser = app.browser();
    let (start, _) = browser.open_sign_in_page(&client).await;
    let landed = browser.use_passkey(&start, &mut device).await;
    assert!(landed.location().is_some(), "{}", landed.text());
}

/// Misuse case 24: with the cookie that it had before, a browser repeats what it has proven, and begins nothing.
#[apply(both_engines)]
async fn case_24_earlier_cookie_begins_nothing(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, mere) = (app.client("portal").await, app.patient("Mere").await);
    let rua = app.patient("Rua").await;
    let (mut device, _) = app.browser().register_passkey(&app, &mere).await;
    let (mut foreign, _) = app.browser().register_passkey(&app, &rua).await;
    let browser = app.browser();
    let (start, _) = browser.open_sign_in_page(&client).await;
    let (_, form) = start.ceremony();
    let renewal = format!("/login/passkey?attempt={}", form.value("attempt"));
    app.clock.advance(Duration::from_secs(1));
    let headers = [("accept", "application/json"), ("sec-fetch-site", "same-origin")];
    let later = browser.send(reqwest::Method::GET, &renewal, &headers, None).await.json();
    let before = browser.with_copied_cookies();
    app.force_reset(&mere).await;
    app.force_reset(&rua).await;
    let (options, form) = start.ceremony();
    let own = form.clone().with("answer", &device.get(&options));
    let page = browser.follow(browser.post(&own, "").await).await;
    assert_eq!(page.url.path(), "/login/new-password", "{}", page.text());
    let ceremony = later["ceremony"].as_str().expect("a ceremony");
    let answer = foreign.get(&later["options"]);
    let mut unknown = PasskeyDevice::new(app.issuer());
    unknown.user_handle = Some(vec![1; 16]);
    for answer in [answer, unknown.get(&later["options"])] {
        let foreign = form.clone().with("ceremony", ceremony).with("answer", &answer);
        let posted = before.post(&foreign, "").await;
        assert_eq!(posted.status, 400, "{}", posted.text());
    }
    // Nor does it keep the browser's own answer from being repeated.
    let again = before.follow(before.post(&own, "").await).await;
    assert_eq!(again.url.path(), "/login/new-password", "{}", again.text());
}

/// A right assertion that is not used is recorded as such: its attempt has come to an end without it.
#[apply(both_engines)]
async fn unused_passkey_is_recorded_so(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let (mut device, _) = app.browser().register_passkey(&app, &patient).await;
    let browser = app.browser();
    let (start, _) = browser.open_sign_in_page(&client).await;
    let page = browser.submit_password(&start, &patient).await;
    assert_eq!(page.url.path(), "/login/passkey", "the method that was added last");
    browser.choose_method(&page, "email_code").await;
    let refused = browser.use_passkey(&page, &mut device).await;
    assert!(refused.location().is_none(), "{}", refused.text());
    assert_eq!(app.audit_outcomes("passkey.checked").await, ["out_of_turn"]);
    assert_eq!(app.count("SELECT COUNT(*) FROM passkeys WHERE uses > 0").await, 0);
}

/// Passkeys that no account has count as failures of a stranger's network, and then wait.
#[apply(both_engines)]
async fn unknown_passkeys_are_limited(engine: Engine) {
    let app = TestApp::start(engine).await;
    let client = app.client("portal").await;
    app.set_setting("sign_in.network_failures_ipv4", "10").await;
    let mut device = PasskeyDevice::new(app.issuer());
    device.user_handle = Some(vec![1; 16]);
    let browser = app.browser();
    let (mut page, _) = browser.open_sign_in_page(&client).await;
    for _ in 0..12 {
        page = browser.use_passkey(&page, &mut device).await;
    }
    assert!(page.has_text("from your network"), "{}", page.text());
    assert_eq!(app.audit_outcomes("passkey.checked").await.len(), 10);
}

/// A double click with a passkey that no account has counts as one failure of its network.
#[apply(both_engines)]
async fn repeated_refusal_counts_once(engine: Engine) {
    let app = TestApp::start(engine).await;
    let client = app.client("portal").await;
    app.set_setting("sign_in.network_failures_ipv4", "10").await;
    let mut device = PasskeyDevice::new(app.issuer());
    device.user_handle = Some(vec![1; 16]);
    let browser = app.browser();
    let (start, _) = browser.open_sign_in_page(&client).await;
    let (options, form) = start.ceremony();
    let form = form.with("answer", &device.get(&options));
    for _ in 0..20 {
        browser.post(&form, "").await;
    }
    let (start, _) = browser.open_sign_in_page(&client).await;
    let page = browser.use_passkey(&start, &mut device).await;
    assert!(page.has_text("This passkey is not known here"), "{}", page.text());
    assert_eq!(app.audit_outcomes("passkey.checked").await, ["unknown", "unknown"]);
}
