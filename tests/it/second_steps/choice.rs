//! `/login/other-ways`: choosing another method for the second step.

use std::time::Duration;

use vestibule_tests::{app::TestApp, client::decode_claims, db::Engine};

use crate::engines::{apply, both_engines};

#[apply(both_engines)]
async fn method_switch_loses_nothing(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let (generator, _) = app.browser().enroll(&app, &patient).await;
    app.clock.advance(Duration::from_secs(90));
    let browser = app.browser();
    let (start, pending) = browser.open_sign_in_page(&client).await;
    let page = browser.submit_password(&start, &patient).await;
    let mails = app.mail.codes_to(&patient.email).len();
    let page = browser.choose_method(&page, "email_code").await;
    assert_eq!(page.url.path(), "/login/code");
    let code = app.mail.wait_for_code(&patient.email, mails + 1).await;
    let page = browser.choose_method(&page, "totp").await;
    assert_eq!(page.url.path(), "/login/totp");
    // The mailed code is still good after the way back.
    let page = browser.choose_method(&page, "email_code").await;
    let landed = browser.submit_code(&page, &code).await;
    let tokens = client.redeem_tokens(&app, &landed.authorization_response(pending)).await;
    assert_eq!(
        decode_claims(tokens["id_token"].as_str().expect("an ID token"))["acr"],
        "urn:vestibule:two-step"
    );
    assert_eq!(app.mail.codes_to(&patient.email).len(), mails + 1, "one mail");
    // What was used last comes first.
    let next = app.browser();
    let (start, _) = next.open_sign_in_page(&client).await;
    let page = next.submit_password(&start, &patient).await;
    assert_eq!(page.url.path(), "/login/code");
    let page = next.choose_method(&page, "totp").await;
    let landed = next.submit_code(&page, &generator.code(&app)).await;
    assert!(landed.location().is_some(), "{}", landed.text());
    let last = app.browser();
    let (start, _) = last.open_sign_in_page(&client).await;
    assert_eq!(last.submit_password(&start, &patient).await.url.path(), "/login/totp");
}

/// Before the password is proven, no client learns which methods an account has.
#[apply(both_engines)]
async fn methods_are_listed_after_password_alone(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    app.browser().enroll(&app, &patient).await;
    app.clock.advance(Duration::from_secs(90));
    let browser = app.browser();
    let (start, _) = browser.open_sign_in_page(&client).await;
    let attempt = start.form().value("attempt").to_owned();
    let ways = browser.get(format!("/login/other-ways?attempt={attempt}")).await;
    assert!(!ways.text().contains("Authenticator app"), "{}", ways.text());
    let page = browser.submit_password(&start, &patient).await;
    let link = page.link("a[href^='/login/other-ways']").unwrap();
    let other = app.browser();
    let stranger = other.follow(other.get(&link).await).await;
    assert!(!stranger.text().contains("Authenticator app"), "{}", stranger.text());
    let ways = browser.get(&link).await;
    assert_eq!(ways.texts("ul.choices button").len(), 3, "{}", ways.text());
}

/// A method that the account has not got cannot be chosen, nor answered.
#[apply(both_engines)]
async fn absent_method_is_refused(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (page, code, pending) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    let attempt = page.form().value("attempt").to_owned();
    let ways = browser.get(format!("/login/other-ways?attempt={attempt}")).await;
    let form = ways.form();
    for method in ["totp", "recovery_code", "passkey", "", "email_code2"] {
        let page =
            browser.follow(browser.post(&form.clone().with("method", method), "").await).await;
        assert_eq!(page.url.path(), "/login/code", "{method}");
    }
    let landed = browser.submit_code(&page, &code).await;
    client.redeem_tokens(&app, &landed.authorization_response(pending)).await;
}

/// Misuse case 3: a switch proves nothing, and what is not awaited is not accepted.
#[apply(both_engines)]
async fn case_3_method_switch_proves_nothing(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    app.browser().enroll(&app, &patient).await;
    app.clock.advance(Duration::from_secs(90));
    let browser = app.browser();
    let (start, _) = browser.open_sign_in_page(&client).await;
    let page = browser.submit_password(&start, &patient).await;
    let mails = app.mail.codes_to(&patient.email).len();
    let code_page = browser.choose_method(&page, "email_code").await;
    let code = app.mail.wait_for_code(&patient.email, mails + 1).await;
    let totp_page = browser.choose_method(&code_page, "totp").await;
    let attempt = totp_page.form().value("attempt").to_owned();
    for step in ["consent", "new-password", "code", "recovery-code"] {
        let page = browser.follow(browser.get(format!("/login/{step}?attempt={attempt}")).await);
        assert_eq!(page.await.url.path(), "/login/totp", "{step}");
    }
    // The mailed code is right, and not what is awaited now.
    let page = browser.submit_code(&code_page, &code).await;
    assert_eq!(page.url.path(), "/login/totp", "{}", page.text());
    assert!(browser.cookie("session").is_none());
    assert_eq!(app.audit_outcomes("attempt.sequence_fail").await, ["refused"]);
}
