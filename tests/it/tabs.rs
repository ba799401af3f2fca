//! Challenges across tabs, resets and repeated presses: what the exhaustive search finds, on the real executor.

use vestibule_tests::{app::TestApp, db::Engine};

use crate::engines::{apply, both_engines};

#[apply(both_engines)]
async fn newest_code_works_in_other_tab(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    app.set_setting("sign_in.resend_wait", "0s").await;
    let browser = app.browser();
    let (one, code, _) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    let (start, pending_two) = browser.open_sign_in_page(&client).await;
    let two = browser.submit_password(&start, &patient).await;
    for nth in 0..5u32 {
        let wrong = format!("{:06}", (code.parse::<u32>().unwrap() + nth + 1) % 1_000_000);
        browser.submit_code(&one, &wrong).await;
    }
    let mails = app.mail.codes_to(&patient.email).len();
    browser.follow(browser.post(&one.form(), "resend").await).await;
    let next = app.mail.wait_for_code(&patient.email, mails + 1).await;
    assert_ne!(next, code);
    // The second tab still shows the page of the first code: the older code is recognised there, and the newest works.
    browser.submit_code(&two, &code).await;
    assert_eq!(app.audit_outcomes("code.checked").await.pop().unwrap(), "superseded");
    let landed = browser.submit_code(&two, &next).await.authorization_response(pending_two);
    client.redeem_tokens(&app, &landed).await;
    assert_eq!(app.mail.codes_to(&patient.email).len(), mails + 1);
}

#[apply(both_engines)]
async fn code_before_reset_is_not_joined(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (_, old, _) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    app.force_reset(&patient).await;
    let (page, new, _) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    assert_ne!(old, new, "a new challenge, a new code");
    let answer = browser.submit_code(&page, &old).await;
    assert!(answer.has_field("code"), "{}", answer.text());
    assert_eq!(app.audit_outcomes("code.checked").await.pop().unwrap(), "superseded");
    let answer = browser.submit_code(&page, &new).await;
    assert!(answer.has_field("new_password"), "{}", answer.text());
}

#[apply(both_engines)]
async fn concurrent_resends_mail_once(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (page, _, _) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    app.wait_for_jobs().await;
    app.clock.advance(std::time::Duration::from_mins(1));
    let presses: Vec<_> = (0..10)
        .map(|_| {
            let (browser, page) = (browser.with_copied_cookies(), page.clone());
            tokio::spawn(async move { browser.post(&page.form(), "resend").await })
        })
        .collect();
    for press in presses {
        press.await.unwrap();
    }
    app.wait_for_jobs().await;
    assert_eq!(app.count("SELECT sends FROM email_challenges").await, 2);
    assert_eq!(app.mail.codes_to(&patient.email).len(), 2);
}
