//! Challenges across tabs, resets and impatient presses: what the exhaustive search finds, on the real executor.

use vestibule_tests::{app::TestApp, db::Engine};

use crate::engines::{apply, both_engines};

#[apply(both_engines)]
async fn newest_code_works_in_other_tab(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    app.set("sign_in.resend_wait", "0s").await;
    let browser = app.browser();
    let (one, code, _) = browser.up_to_code(&app, &client, &patient).await;
    let (start, pending_two) = browser.start(&client).await;
    let two = browser.password(&start, &patient).await;
    for nth in 0..5u32 {
        let wrong = format!("{:06}", (code.parse::<u32>().unwrap() + nth + 1) % 1_000_000);
        browser.code(&one, &wrong).await;
    }
    let mails = app.mail.codes_to(&patient.email).len();
    browser.follow(browser.post(&one.form(), "resend").await).await;
    let next = app.mail.code(&patient.email, mails + 1).await;
    assert_ne!(next, code);
    // The second tab still shows the page of the first code: the older code is told apart there, the newest works.
    browser.code(&two, &code).await;
    assert_eq!(app.outcomes("code.checked").await.pop().unwrap(), "superseded");
    let landed = browser.code(&two, &next).await.landed(pending_two);
    client.tokens(&app, &landed).await;
    assert_eq!(app.mail.codes_to(&patient.email).len(), mails + 1);
}

#[apply(both_engines)]
async fn code_before_reset_is_not_joined(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (_, old, _) = browser.up_to_code(&app, &client, &patient).await;
    app.reset(&patient).await;
    let (page, new, _) = browser.up_to_code(&app, &client, &patient).await;
    assert_ne!(old, new, "a new challenge, a new code");
    let answer = browser.code(&page, &old).await;
    assert!(answer.has_field("code"), "{}", answer.text());
    assert_eq!(app.outcomes("code.checked").await.pop().unwrap(), "superseded");
    let answer = browser.code(&page, &new).await;
    assert!(answer.has_field("new_password"), "{}", answer.text());
}

#[apply(both_engines)]
async fn concurrent_resends_mail_once(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (page, _, _) = browser.up_to_code(&app, &client, &patient).await;
    app.settled().await;
    app.clock.advance(std::time::Duration::from_mins(1));
    let presses: Vec<_> = (0..10)
        .map(|_| {
            let (browser, page) = (browser.copied(), page.clone());
            tokio::spawn(async move { browser.post(&page.form(), "resend").await })
        })
        .collect();
    for press in presses {
        press.await.unwrap();
    }
    app.settled().await;
    assert_eq!(app.count("SELECT sends FROM email_challenges").await, 2);
    assert_eq!(app.mail.codes_to(&patient.email).len(), 2);
}
