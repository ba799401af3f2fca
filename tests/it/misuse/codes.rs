//! Misuse cases 11 to 13 and 15 to 17: guessing, sharing and reusing codes.

use std::time::Duration;

use vestibule_tests::{
    app::{Options, TestApp},
    db::Engine,
    http::HttpBrowser,
    wait::in_one_try,
};

use crate::engines::{apply, both_engines};

/// A code that is not this one.
fn wrong(code: &str, nth: usize) -> String {
    let number: usize = code.parse().unwrap();
    format!("{:06}", (number + 1 + nth) % 1_000_000)
}

async fn tries(app: &TestApp) -> i64 {
    app.count("SELECT CAST(SUM(tries) AS BIGINT) FROM email_challenges").await
}

#[apply(both_engines)]
async fn case_11_concurrent_guesses_respect_tries(engine: Engine) {
    in_one_try("200 guesses before the database gives one up", async || guess_200(engine).await)
        .await;
}

async fn guess_200(engine: Engine) -> Option<()> {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (page, code, _) = browser.up_to_code(&app, &client, &patient).await;
    let guesses = (0..200).map(|nth| {
        let (browser, page, guess) = (browser.clone(), page.clone(), wrong(&code, nth));
        tokio::spawn(async move { browser.code(&page, &guess).await })
    });
    let mut given_up = 0;
    for guess in guesses.collect::<Vec<_>>() {
        let answer = guess.await.unwrap();
        assert!(answer.location().is_none());
        given_up += i32::from(answer.status == 503);
    }
    let tried = tries(&app).await;
    assert!(tried <= 5, "{tried}");
    // One that waited for the database for 5 s was charged, if it was, and not judged.
    if given_up > 0 {
        return None;
    }
    assert_eq!(tried, 5);
    let outcomes = app.outcomes("code.checked").await;
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "wrong").count(), 5, "{outcomes:?}");
    // Spent, even the right one is not compared any more.
    let answer = browser.code(&page, &code).await;
    assert!(answer.location().is_none());
    assert_eq!(app.count("SELECT COUNT(*) FROM sign_ins").await, 0);
    Some(())
}

#[apply(both_engines)]
async fn case_12_concurrent_code_signs_in_once(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (page, code, pending) = browser.up_to_code(&app, &client, &patient).await;
    let posts: Vec<_> = (0..20)
        .map(|_| {
            // Each has the cookies of the moment before: twenty clicks, not twenty answers.
            let (browser, page, code) = (browser.copied(), page.clone(), code.clone());
            tokio::spawn(async move {
                let answer = browser.code(&page, &code).await;
                (browser, answer)
            })
        })
        .collect();
    let mut landed = Vec::new();
    for post in posts {
        let (_, answer) = post.await.unwrap();
        if answer.location().is_some_and(|to| to.as_str().starts_with(&pending.redirect_uri)) {
            landed.push(answer.landed(pending.clone()));
        }
    }
    assert!(!landed.is_empty());
    assert_eq!(app.count("SELECT COUNT(*) FROM sign_ins").await, 1);
    assert_eq!(app.count("SELECT COUNT(*) FROM sessions").await, 1);
    // Of the codes that went out, one is good; the others were voided.
    let mut good = 0;
    for landed in &landed {
        good += i32::from(client.redeem(&app, landed).await.status == 200);
    }
    assert_eq!(good, 1, "of {}", landed.len());
}

/// A lost answer: the browser that completed posts the same again and goes to the same end.
#[apply(both_engines)]
async fn case_12_repeated_code_reaches_same_end(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (page, code, pending) = browser.up_to_code(&app, &client, &patient).await;
    let before = browser.copied();
    let first = browser.code(&page, &code).await.landed(pending.clone());
    app.clock.advance(Duration::from_secs(30));
    let second = before.code(&page, &code).await.landed(pending.clone());
    assert_ne!(first.code(), second.code());
    assert_ne!(browser.cookie("session"), before.cookie("session"));
    assert_eq!(
        client.redeem(&app, &first).await.json()["error"],
        "invalid_grant",
        "the first is void"
    );
    assert_eq!(client.redeem(&app, &second).await.status, 200);
    assert_eq!(app.count("SELECT COUNT(*) FROM sign_ins").await, 1);
    // Later, and from anywhere else, it is used.
    app.clock.advance(Duration::from_secs(61));
    let late = before.copied();
    assert!(late.code(&page, &code).await.location().is_none());
    let stranger = app.browser();
    assert!(stranger.code(&page, &code).await.location().is_none());
    assert_eq!(app.count("SELECT COUNT(*) FROM sessions").await, 1);
}

/// Two tabs: one mail, one code; the other goes on by the session.
#[apply(both_engines)]
async fn case_12_second_tab_follows_session(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (one, code, pending_one) = browser.up_to_code(&app, &client, &patient).await;
    let (start, pending_two) = browser.start(&client).await;
    let two = browser.password(&start, &patient).await;
    assert!(two.has_field("code"));
    assert_eq!(app.mail.mails_to(&patient.email).len(), 1, "one mail for both");
    assert_eq!(app.count("SELECT COUNT(*) FROM email_challenges").await, 1);
    browser.code(&one, &code).await.landed(pending_one).code();
    // The second tab, with the code or without, finds itself signed in.
    let attempt = two.form().value("attempt").to_owned();
    let page = browser.follow(browser.get(format!("/login/code?attempt={attempt}")).await).await;
    let answer = browser.follow(browser.post(&page.form(), "continue").await).await;
    client.tokens(&app, &answer.landed(pending_two)).await;
    assert_eq!(app.count("SELECT COUNT(*) FROM sign_ins").await, 1);
}

#[apply(both_engines)]
async fn case_13_failures_count_across_challenges(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    app.set("sign_in.resend_wait", "0s").await;
    let browser = app.browser();
    let (mut page, mut code, _) = browser.up_to_code(&app, &client, &patient).await;
    for round in 0..2 {
        for nth in 0..5 {
            browser.code(&page, &wrong(&code, nth)).await;
        }
        if round == 0 {
            // Five tries spent: a new challenge with a new code.
            let mails = app.mail.codes_to(&patient.email).len();
            let form = page.form();
            page = browser.follow(browser.post(&form, "resend").await).await;
            let next = app.mail.code(&patient.email, mails + 1).await;
            assert_ne!(next, code);
            code = next;
        }
    }
    // Ten wrong codes of one person: paused, with the right code in hand, in this browser and in any other.
    let answer = browser.code(&page, &code).await;
    assert!(answer.location().is_none(), "{}", answer.text());
    assert_eq!(app.outcomes("code.checked").await.last().map(String::as_str), Some("paused"));
    let other = app.browser();
    let (page, code, pending) = other.up_to_code(&app, &client, &patient).await;
    assert!(other.code(&page, &code).await.location().is_none());
    assert_eq!(app.outcomes("code.checked").await.last().map(String::as_str), Some("paused"));
    // It delays, it does not lock.
    app.clock.advance(Duration::from_hours(1));
    let mails = app.mail.codes_to(&patient.email).len();
    let page = other.follow(other.post(&page.form(), "resend").await).await;
    let code = app.mail.code(&patient.email, mails + 1).await;
    other.code(&page, &code).await.landed(pending).code();
}

#[apply(both_engines)]
async fn case_15_cookies_and_headers_reset_nothing(engine: Engine) {
    let app =
        TestApp::with(engine, Options { proxies: vec!["192.0.2.0/24"], ..Options::default() })
            .await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    app.set("sign_in.password_failures", "3").await;
    let mut guessed = patient.clone();
    for nth in 0..4 {
        guessed.password = format!("a wrong password number {nth}");
        let mut fresh = app.browser();
        fresh.extra.push(("x-forwarded-for", format!("198.51.100.{nth}")));
        let (page, _) = fresh.start(&client).await;
        assert!(fresh.password(&page, &guessed).await.has_field("password"));
    }
    assert_eq!(app.outcomes("password.checked").await, ["wrong", "wrong", "wrong", "paused"]);
    let mut conn = app.sql().read().await.unwrap();
    let networks: Vec<(String,)> =
        store::Sql::q(&mut conn, "SELECT network FROM audit WHERE event = 'password.checked'")
            .fetch_all()
            .await
            .unwrap();
    assert!(
        networks.iter().all(|(network,)| network == "127.0.0.1"),
        "nobody's proxy wrote that header"
    );
}

#[apply(both_engines)]
async fn case_16_code_is_bound_to_browser(engine: Engine) {
    let app = TestApp::start(engine).await;
    let client = app.client("portal").await;
    let (mere, hemi) = (app.patient("Mere").await, app.patient("Hemi").await);
    let (hers, his, another) = (app.browser(), app.browser(), app.browser());
    let (page, code, pending) = hers.up_to_code(&app, &client, &mere).await;
    let (other_page, other_code, _) = another.up_to_code(&app, &client, &mere).await;
    assert_ne!(code, other_code, "another browser has another challenge");
    let (his_page, _, _) = his.up_to_code(&app, &client, &hemi).await;
    assert!(his.code(&his_page, &code).await.location().is_none(), "Mere's in Hemi's attempt");
    let answer = another.code(&other_page, &code).await;
    assert!(answer.location().is_none(), "her code in another browser");
    assert_eq!(
        app.outcomes("code.checked").await.last().map(String::as_str),
        Some("other_browser")
    );
    // A page that was taken along without its cookie is nothing.
    let thief = app.browser();
    assert!(thief.code(&page, &code).await.location().is_none());
    hers.code(&page, &code).await.landed(pending).code();
}

#[apply(both_engines)]
async fn case_17_late_and_expired_codes_resend(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let outcome = async || app.outcomes("code.checked").await.pop().unwrap();
    let browser = app.browser();
    let (page, code, pending) = browser.up_to_code(&app, &client, &patient).await;
    app.settled().await;
    // One second past the window: late, and the same code is sent again.
    app.clock.advance(Duration::from_secs(15 * 60 + 1));
    let late = browser.code(&page, &code).await;
    assert!(late.has_field("code") && outcome().await == "late", "{}", late.text());
    assert_eq!(app.mail.code(&patient.email, 2).await, code);
    app.settled().await;
    let landed = browser.code(&late, &code).await.landed(pending);
    client.tokens(&app, &landed).await;
    // Past the cap: expired, and a new code is sent.
    let (page, code, pending) = fresh(&app, &browser, &client, &patient).await;
    app.clock.advance(Duration::from_mins(30));
    let mails = app.mail.codes_to(&patient.email).len();
    let expired = browser.code(&page, &code).await;
    assert!(
        expired.has_field("code") && outcome().await == "expired",
        "{} {:?} {}",
        expired.status,
        expired.location(),
        expired.text()
    );
    let next = app.mail.code(&patient.email, mails + 1).await;
    assert_ne!(next, code);
    // The code of before, into the page of the new one: told apart, and charged.
    let before = tries(&app).await;
    browser.code(&expired, &code).await;
    assert_eq!(outcome().await, "superseded");
    assert_eq!(tries(&app).await, before + 1);
    browser.code(&expired, &next).await.landed(pending).code();
    // After a reset, the code of before is of no use.
    let (page, code, _) = fresh(&app, &browser, &client, &patient).await;
    app.reset(&patient).await;
    assert!(browser.code(&page, &code).await.location().is_none());
}

/// A new sign-in of the same person, whatever session there is.
async fn fresh(
    app: &TestApp,
    browser: &HttpBrowser,
    client: &vestibule_tests::client::Client,
    patient: &vestibule_tests::app::Patient,
) -> (vestibule_tests::http::Answer, String, vestibule_tests::client::Pending) {
    let pending = vestibule_tests::client::Pending::new(client);
    let page =
        browser.follow(browser.get(pending.url(app.issuer(), &[("prompt", "login")])).await).await;
    let mails = app.mail.codes_to(&patient.email).len();
    let page = browser.password(&page, patient).await;
    let code = app.mail.code(&patient.email, mails + 1).await;
    app.settled().await;
    (page, code, pending)
}
