//! Misuse cases 11 to 13 and 15 to 17: guessing, sharing and reusing codes.

use std::time::Duration;

use vestibule_tests::{
    app::{Options, TestApp},
    db::Engine,
    http::HttpBrowser,
    wait::retry_while_slow,
};

use crate::engines::{apply, both_engines};

/// A code that differs from this one.
fn wrong_code(code: &str, nth: usize) -> String {
    let number: usize = code.parse().unwrap();
    format!("{:06}", (number + 1 + nth) % 1_000_000)
}

async fn tries(app: &TestApp) -> i64 {
    app.count("SELECT CAST(SUM(tries) AS BIGINT) FROM email_challenges").await
}

#[apply(both_engines)]
async fn case_11_concurrent_guesses_respect_tries(engine: Engine) {
    retry_while_slow("200 guesses before the database gives one up", async || {
        guess_200(engine).await
    })
    .await;
}

async fn guess_200(engine: Engine) -> Option<()> {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (page, code, _) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    let guesses = (0..200).map(|nth| {
        let (browser, page, guess) = (browser.clone(), page.clone(), wrong_code(&code, nth));
        tokio::spawn(async move { browser.submit_code(&page, &guess).await })
    });
    let mut given_up = 0;
    for guess in guesses.collect::<Vec<_>>() {
        let answer = guess.await.unwrap();
        assert!(answer.location().is_none());
        given_up += i32::from(answer.status == 503);
    }
    let tried = tries(&app).await;
    assert!(tried <= 5, "{tried}");
    // A guess that waited 5 s for the database may be charged, but is not checked.
    if given_up > 0 {
        return None;
    }
    assert_eq!(tried, 5);
    let outcomes = app.audit_outcomes("code.checked").await;
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "wrong").count(), 5, "{outcomes:?}");
    // With no tries left, even the right code is not compared any more.
    let answer = browser.submit_code(&page, &code).await;
    assert!(answer.location().is_none());
    assert_eq!(app.count("SELECT COUNT(*) FROM sign_ins").await, 0);
    Some(())
}

#[apply(both_engines)]
async fn case_12_concurrent_code_signs_in_once(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (page, code, pending) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    let posts: Vec<_> = (0..20)
        .map(|_| {
            // Each has a copy of the earlier cookies: twenty clicks before the first response.
            let (browser, page, code) = (browser.with_copied_cookies(), page.clone(), code.clone());
            tokio::spawn(async move {
                let answer = browser.submit_code(&page, &code).await;
                (browser, answer)
            })
        })
        .collect();
    let mut landed = Vec::new();
    for post in posts {
        let (_, answer) = post.await.unwrap();
        if answer.location().is_some_and(|to| to.as_str().starts_with(&pending.redirect_uri)) {
            landed.push(answer.authorization_response(pending.clone()));
        }
    }
    assert!(!landed.is_empty());
    assert_eq!(app.count("SELECT COUNT(*) FROM sign_ins").await, 1);
    assert_eq!(app.count("SELECT COUNT(*) FROM sessions").await, 1);
    // One of the issued authorization codes is valid; the others were revoked.
    let mut good = 0;
    for landed in &landed {
        good += i32::from(client.redeem(&app, landed).await.status == 200);
    }
    assert_eq!(good, 1, "of {}", landed.len());
}

/// A lost response: the browser that completed the sign-in posts the same again and gets the same result.
#[apply(both_engines)]
async fn case_12_repeated_code_reaches_same_end(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (page, code, pending) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    let before = browser.with_copied_cookies();
    let first = browser.submit_code(&page, &code).await.authorization_response(pending.clone());
    app.clock.advance(Duration::from_secs(30));
    let second = before.submit_code(&page, &code).await.authorization_response(pending.clone());
    assert_ne!(first.code(), second.code());
    assert_ne!(browser.cookie("session"), before.cookie("session"));
    assert_eq!(
        client.redeem(&app, &first).await.json()["error"],
        "invalid_grant",
        "the first one is revoked"
    );
    assert_eq!(client.redeem(&app, &second).await.status, 200);
    assert_eq!(app.count("SELECT COUNT(*) FROM sign_ins").await, 1);
    // Later, and in any other browser, the code is used up.
    app.clock.advance(Duration::from_secs(61));
    let late = before.with_copied_cookies();
    assert!(late.submit_code(&page, &code).await.location().is_none());
    let stranger = app.browser();
    assert!(stranger.submit_code(&page, &code).await.location().is_none());
    assert_eq!(app.count("SELECT COUNT(*) FROM sessions").await, 1);
}

/// Two tabs: one mail, one code; the second tab continues with the session.
#[apply(both_engines)]
async fn case_12_second_tab_follows_session(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (one, code, pending_one) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    let (start, pending_two) = browser.open_sign_in_page(&client).await;
    let two = browser.submit_password(&start, &patient).await;
    assert!(two.has_field("code"));
    assert_eq!(app.mail.mails_to(&patient.email).len(), 1, "one mail for both");
    assert_eq!(app.count("SELECT COUNT(*) FROM email_challenges").await, 1);
    browser.submit_code(&one, &code).await.authorization_response(pending_one).code();
    // The second tab, with or without the code, is signed in.
    let attempt = two.form().value("attempt").to_owned();
    let page = browser.follow(browser.get(format!("/login/code?attempt={attempt}")).await).await;
    let answer = browser.follow(browser.post(&page.form(), "continue").await).await;
    client.redeem_tokens(&app, &answer.authorization_response(pending_two)).await;
    assert_eq!(app.count("SELECT COUNT(*) FROM sign_ins").await, 1);
}

#[apply(both_engines)]
async fn case_13_failures_count_across_challenges(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    app.set_setting("sign_in.resend_wait", "0s").await;
    let browser = app.browser();
    let (mut page, mut code, _) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    for round in 0..2 {
        for nth in 0..5 {
            browser.submit_code(&page, &wrong_code(&code, nth)).await;
        }
        if round == 0 {
            // All five tries are used: a new challenge with a new code.
            let mails = app.mail.codes_to(&patient.email).len();
            let form = page.form();
            page = browser.follow(browser.post(&form, "resend").await).await;
            let next = app.mail.wait_for_code(&patient.email, mails + 1).await;
            assert_ne!(next, code);
            code = next;
        }
    }
    // Ten wrong codes of one person: paused even for the right code, in this browser and in any other.
    let answer = browser.submit_code(&page, &code).await;
    assert!(answer.location().is_none(), "{}", answer.text());
    assert_eq!(app.audit_outcomes("code.checked").await.last().map(String::as_str), Some("paused"));
    // The page has nothing to type and nothing to send, and nothing is mailed.
    let mails = app.mail.codes_to(&patient.email).len();
    let other = app.browser();
    let (start, pending) = other.open_sign_in_page(&client).await;
    let page = other.submit_password(&start, &patient).await;
    for page in [&answer, &page] {
        assert_eq!(page.status, 429, "{}", page.text());
        assert!(page.has_text("You cannot sign in at this moment"), "{}", page.text());
        assert!(page.has_text("(in about 60 minutes)"), "{}", page.text());
        assert!(!page.has_field("code") && !page.body.contains("value=\"resend\""));
    }
    assert!(other.post(&page.form(), "resend").await.has_text("You cannot sign in at this moment"));
    app.wait_for_jobs().await;
    assert_eq!(app.mail.codes_to(&patient.email).len(), mails);
    assert_eq!(
        app.audit_outcomes("code.requested").await.last().map(String::as_str),
        Some("paused")
    );
    // It delays sign-ins, it does not lock the account.
    app.clock.advance(Duration::from_hours(1));
    let mails = app.mail.codes_to(&patient.email).len();
    let page = other.follow(other.post(&page.form(), "resend").await).await;
    let code = app.mail.wait_for_code(&patient.email, mails + 1).await;
    other.submit_code(&page, &code).await.authorization_response(pending).code();
}

#[apply(both_engines)]
async fn case_15_cookies_and_headers_reset_nothing(engine: Engine) {
    let app = TestApp::start_with(
        engine,
        Options { proxies: vec!["192.0.2.0/24"], ..Options::default() },
    )
    .await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    app.set_setting("sign_in.password_failures", "3").await;
    let mut guessed = patient.clone();
    for nth in 0..4 {
        guessed.password = format!("a wrong password number {nth}");
        let mut fresh = app.browser();
        fresh.extra_headers.push(("x-forwarded-for", format!("198.51.100.{nth}")));
        let (page, _) = fresh.open_sign_in_page(&client).await;
        assert!(fresh.submit_password(&page, &guessed).await.has_field("password"));
    }
    assert_eq!(app.audit_outcomes("password.checked").await, ["wrong", "wrong", "wrong", "paused"]);
    let mut conn = app.replica_db().read().await.unwrap();
    let networks: Vec<(String,)> =
        store::Sql::q(&mut conn, "SELECT network FROM audit WHERE event = 'password.checked'")
            .fetch_all()
            .await
            .unwrap();
    assert!(
        networks.iter().all(|(network,)| network == "127.0.0.1"),
        "no trusted proxy wrote that header"
    );
}

#[apply(both_engines)]
async fn case_16_code_is_bound_to_browser(engine: Engine) {
    let app = TestApp::start(engine).await;
    let client = app.client("portal").await;
    let (mere, hemi) = (app.patient("Mere").await, app.patient("Hemi").await);
    let (hers, his, another) = (app.browser(), app.browser(), app.browser());
    let (page, code, pending) = hers.sign_in_to_code_page(&app, &client, &mere).await;
    let (other_page, other_code, _) = another.sign_in_to_code_page(&app, &client, &mere).await;
    assert_ne!(code, other_code, "another browser has another challenge");
    let (his_page, _, _) = his.sign_in_to_code_page(&app, &client, &hemi).await;
    assert!(
        his.submit_code(&his_page, &code).await.location().is_none(),
        "Mere's in Hemi's attempt"
    );
    let answer = another.submit_code(&other_page, &code).await;
    assert!(answer.location().is_none(), "her code in another browser");
    assert_eq!(
        app.audit_outcomes("code.checked").await.last().map(String::as_str),
        Some("other_browser")
    );
    // A page without its cookie is worthless.
    let thief = app.browser();
    assert!(thief.submit_code(&page, &code).await.location().is_none());
    hers.submit_code(&page, &code).await.authorization_response(pending).code();
}

#[apply(both_engines)]
async fn case_17_late_and_expired_codes_resend(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let outcome = async || app.audit_outcomes("code.checked").await.pop().unwrap();
    let browser = app.browser();
    let (page, code, pending) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    app.wait_for_jobs().await;
    // One second after the window: late, and the same code is sent again.
    app.clock.advance(Duration::from_secs(15 * 60 + 1));
    let late = browser.submit_code(&page, &code).await;
    assert!(late.has_field("code") && outcome().await == "late", "{}", late.text());
    assert_eq!(app.mail.wait_for_code(&patient.email, 2).await, code);
    app.wait_for_jobs().await;
    let landed = browser.submit_code(&late, &code).await.authorization_response(pending);
    client.redeem_tokens(&app, &landed).await;
    // After the cap: expired, and a new code is sent.
    let (page, code, pending) = start_new_sign_in(&app, &browser, &client, &patient).await;
    app.clock.advance(Duration::from_mins(30));
    let mails = app.mail.codes_to(&patient.email).len();
    let expired = browser.submit_code(&page, &code).await;
    assert!(
        expired.has_field("code") && outcome().await == "expired",
        "{} {:?} {}",
        expired.status,
        expired.location(),
        expired.text()
    );
    let next = app.mail.wait_for_code(&patient.email, mails + 1).await;
    assert_ne!(next, code);
    // The earlier code on the new page: recognized as superseded, and charged.
    let before = tries(&app).await;
    browser.submit_code(&expired, &code).await;
    assert_eq!(outcome().await, "superseded");
    assert_eq!(tries(&app).await, before + 1);
    browser.submit_code(&expired, &next).await.authorization_response(pending).code();
    // After a reset, the earlier code does not work.
    let (page, code, _) = start_new_sign_in(&app, &browser, &client, &patient).await;
    app.force_reset(&patient).await;
    assert!(browser.submit_code(&page, &code).await.location().is_none());
}

/// Starts a new sign-in of the same person, even with a session.
async fn start_new_sign_in(
    app: &TestApp,
    browser: &HttpBrowser,
    client: &vestibule_tests::client::Client,
    patient: &vestibule_tests::app::Patient,
) -> (vestibule_tests::http::Response, String, vestibule_tests::client::PendingRequest) {
    let pending = vestibule_tests::client::PendingRequest::new(client);
    let page =
        browser.follow(browser.get(pending.url(app.issuer(), &[("prompt", "login")])).await).await;
    let mails = app.mail.codes_to(&patient.email).len();
    let page = browser.submit_password(&page, patient).await;
    let code = app.mail.wait_for_code(&patient.email, mails + 1).await;
    app.wait_for_jobs().await;
    (page, code, pending)
}
