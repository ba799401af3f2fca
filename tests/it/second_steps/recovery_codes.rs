//! `/login/recovery-code`: a code of a printed list.

use std::time::Duration;

use vestibule_tests::{
    app::{Patient, TestApp},
    client::Client,
    db::Engine,
    http::{HttpBrowser, Response},
};

use crate::engines::{apply, both_engines};

/// The page of a new browser that asks for a recovery code.
async fn at_page(app: &TestApp, client: &Client, patient: &Patient) -> (HttpBrowser, Response) {
    let browser = app.browser();
    let (start, _) = browser.open_sign_in_page(client).await;
    let page = browser.submit_password(&start, patient).await;
    let page = browser.choose_method(&page, "recovery_code").await;
    assert_eq!(page.url.path(), "/login/recovery-code", "{}", page.text());
    (browser, page)
}

#[apply(both_engines)]
async fn case_23_recovery_code_signs_in_once(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let (_, codes) = app.browser().enroll(&app, &patient).await;
    assert_eq!(codes.len(), 10);
    app.clock.advance(Duration::from_secs(90));
    let (browser, page) = at_page(&app, &client, &patient).await;
    let typed = codes[3].to_lowercase().replace('-', " ");
    let landed = browser.submit_code(&page, &typed).await;
    assert!(landed.location().is_some(), "{}", landed.text());
    let (browser, page) = at_page(&app, &client, &patient).await;
    let page = browser.submit_code(&page, &codes[3]).await;
    assert!(page.has_text("That recovery code was used before"), "{}", page.text());
    let page = browser.submit_code(&page, "7K3M-Q9XV").await;
    assert!(page.has_text("16 letters and digits. You entered 8"), "{}", page.text());
    assert!(!page.body.contains("7K3M-Q9XV\""), "a code is not put back into the page");
    let landed = browser.submit_code(&page, &codes[0]).await;
    assert!(landed.location().is_some(), "{}", landed.text());
    let outcomes = app.audit_outcomes("recovery_code.checked").await;
    assert_eq!(outcomes, ["right", "used", "right"]);
    app.wait_for_jobs().await;
    let notice = app.mail.find(&patient.email, "8 are left", 0);
    assert!(notice.is_some(), "a use is told, with what is left");
}

/// Misuse case 23: a new list makes the old one void, and so does a forced reset.
#[apply(both_engines)]
async fn case_23_void_recovery_codes_are_refused(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let owner = app.browser();
    let (_, old) = owner.enroll(&app, &patient).await;
    let page = owner.get("/account/recovery-codes").await;
    let sheet = owner.follow(owner.post(&page.form(), "make").await).await;
    let new = sheet.texts("ol.codes code");
    assert_eq!((new.len(), new.iter().any(|code| old.contains(code))), (10, false));
    app.clock.advance(Duration::from_secs(90));
    let (browser, page) = at_page(&app, &client, &patient).await;
    let page = browser.submit_code(&page, &old[0]).await;
    assert!(page.has_text("not one of your recovery codes"), "{}", page.text());
    let landed = browser.submit_code(&page, &new[0]).await;
    assert!(landed.location().is_some());
    app.force_reset(&patient).await;
    assert_eq!(app.count("SELECT COUNT(*) FROM recovery_codes").await, 0);
    // The app is asked for before the new password, and a code by e-mail is not enough.
    let browser = app.browser();
    let (start, _) = browser.open_sign_in_page(&client).await;
    let page = browser.submit_password(&start, &patient).await;
    assert_eq!(page.url.path(), "/login/totp");
    assert!(page.link("a[href^='/login/other-ways']").is_none(), "{}", page.text());
}

/// The database alone gives away no code and no secret (ruling A10).
#[apply(both_engines)]
async fn stored_second_steps_are_not_readable(engine: Engine) {
    let app = TestApp::start(engine).await;
    let patient = app.patient("Mere").await;
    app.browser().enroll(&app, &patient).await;
    let lengths = "SELECT COUNT(*) FROM recovery_codes WHERE length(hash) = 32";
    assert_eq!(app.count(lengths).await, 10);
    let apps = "SELECT COUNT(*) FROM totp_apps WHERE length(sealed) > 40";
    assert_eq!(app.count(apps).await, 1, "an AEAD with its nonce and tag, not 20 bytes");
}
