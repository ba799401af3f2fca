//! `/login/totp`: codes of an authenticator app.

use std::time::Duration;

use vestibule_tests::{
    app::{Patient, TestApp},
    authenticator_app::AuthenticatorApp,
    client::{Client, decode_claims},
    db::Engine,
    http::{HttpBrowser, Response},
};

use crate::{
    engines::{apply, both_engines},
    relying_party::python,
};

/// A person with an app, and the page of a new browser that asks for its code. The code of the enrolment is past.
async fn at_totp_page(app: &TestApp) -> (Client, Patient, AuthenticatorApp, HttpBrowser, Response) {
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let (generator, _) = app.browser().enroll(app, &patient).await;
    app.clock.advance(Duration::from_secs(90));
    let browser = app.browser();
    let (start, _) = browser.open_sign_in_page(&client).await;
    let page = browser.submit_password(&start, &patient).await;
    assert_eq!(page.url.path(), "/login/totp", "{}", page.text());
    (client, patient, generator, browser, page)
}

#[apply(both_engines)]
async fn app_code_signs_in_as_mfa(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let (generator, _) = app.browser().enroll(&app, &patient).await;
    app.clock.advance(Duration::from_secs(90));
    let mails = app.mail.codes_to(&patient.email).len();
    let browser = app.browser();
    let (start, pending) = browser.open_sign_in_page(&client).await;
    let page = browser.submit_password(&start, &patient).await;
    assert_eq!(page.url.path(), "/login/totp");
    let landed = browser.submit_code(&page, &generator.code(&app)).await;
    let tokens = client.redeem_tokens(&app, &landed.authorization_response(pending)).await;
    let claims = decode_claims(tokens["id_token"].as_str().expect("an ID token"));
    assert_eq!(claims["acr"], "urn:vestibule:mfa");
    assert_eq!(claims["amr"], serde_json::json!(["pwd", "otp", "mfa"]));
    assert_eq!(app.mail.codes_to(&patient.email).len(), mails, "no code is mailed");
    assert_eq!(app.audit_outcomes("totp.checked").await, ["right"]);
}

/// Misuse case 21 and RFC 6238, section 5.2: one step of drift either way, at enrolment and here.
#[apply(both_engines)]
async fn case_21_one_drift_step_is_accepted(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient, generator, browser, page) = at_totp_page(&app).await;
    let landed = browser.submit_code(&page, &generator.code_ahead(&app, -30)).await;
    assert!(landed.location().is_some(), "{}", landed.text());
    let browser = app.browser();
    let (start, _) = browser.open_sign_in_page(&client).await;
    let page = browser.submit_password(&start, &patient).await;
    let landed = browser.submit_code(&page, &generator.code_ahead(&app, 30)).await;
    assert!(landed.location().is_some(), "{}", landed.text());
    // The code between the two is older than the last one.
    let browser = app.browser();
    let (start, _) = browser.open_sign_in_page(&client).await;
    let page = browser.submit_password(&start, &patient).await;
    let page = browser.submit_code(&page, &generator.code(&app)).await;
    assert!(page.has_text("That code was used already. Wait for the next one"), "{}", page.text());
}

/// Misuse case 20: no code works twice, and the one that proved the enrolment has been used.
#[apply(both_engines)]
async fn case_20_used_app_code_is_refused(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    app.stop_clock_in_new_window();
    let (generator, _) = app.browser().enroll(&app, &patient).await;
    let code = generator.code(&app);
    for expected in ["used already", "used already"] {
        let browser = app.browser();
        let (start, _) = browser.open_sign_in_page(&client).await;
        let page = browser.submit_password(&start, &patient).await;
        let page = browser.submit_code(&page, &code).await;
        assert!(page.has_text(expected), "{}", page.text());
    }
    app.clock.advance(Duration::from_secs(30));
    let browser = app.browser();
    let (start, _) = browser.open_sign_in_page(&client).await;
    let page = browser.submit_password(&start, &patient).await;
    let landed = browser.submit_code(&page, &generator.code(&app)).await;
    assert!(landed.location().is_some(), "{}", landed.text());
    let outcomes = app.audit_outcomes("totp.checked").await;
    assert_eq!(outcomes, ["used", "used", "right"]);
}

/// Ruling A4: a page that says how early a code is gives away no code for its time.
#[apply(both_engines)]
async fn early_code_is_dead_at_its_time(engine: Engine) {
    let app = TestApp::start(engine).await;
    app.stop_clock_in_new_window();
    let (_, _, generator, browser, page) = at_totp_page(&app).await;
    let early = generator.code_ahead(&app, 240);
    let page = browser.submit_code(&page, &early).await;
    assert!(page.has_text("about 4 minutes ahead"), "{}", page.text());
    app.clock.advance(Duration::from_mins(4));
    let page = browser.submit_code(&page, &early).await;
    assert!(page.has_text("used already"), "{}", page.text());
    let landed = browser.submit_code(&page, &generator.code_ahead(&app, 30)).await;
    assert!(landed.location().is_some(), "a later one works: {}", landed.text());
    assert_eq!(app.audit_outcomes("totp.checked").await, ["clock_off", "used", "right"]);
}

#[apply(both_engines)]
async fn late_code_names_slow_clock(engine: Engine) {
    let app = TestApp::start(engine).await;
    app.stop_clock_in_new_window();
    let (_, _, generator, browser, page) = at_totp_page(&app).await;
    app.clock.advance(Duration::from_mins(10));
    let page = browser.submit_code(&page, &generator.code_ahead(&app, -300)).await;
    assert!(page.has_text("about 5 minutes behind"), "{}", page.text());
    let page = browser.submit_code(&page, &generator.code_ahead(&app, -330)).await;
    assert!(page.has_text("That code is not right"), "further off: {}", page.text());
}

/// Tries share the person's counters of wrong codes, and the site's guess budget is charged with every code that would have
/// been right (ruling A35).
#[apply(both_engines)]
async fn wrong_app_codes_pause_and_count(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient, generator, browser, mut page) = at_totp_page(&app).await;
    let wrong = |nth: usize| {
        let right = [-30, 0, 30].map(|ahead| generator.code_ahead(&app, ahead));
        let guesses = (0..1000).map(|guess| format!("{:06}", 1000 * nth + guess));
        guesses.into_iter().find(|guess| !right.contains(guess)).expect("a wrong one")
    };
    for nth in 0..5 {
        page = browser.submit_code(&page, &wrong(nth)).await;
        let left = format!("You have {} tries left", 9 - nth);
        assert!(page.has_text(&left), "{left}: {}", page.text());
    }
    let site = "SELECT CAST(SUM(wrong) AS BIGINT) FROM wrong_codes";
    assert_eq!(app.count(site).await, 15, "three codes would have been right each time");
    for nth in 5..10 {
        page = browser.submit_code(&page, &wrong(nth)).await;
    }
    assert_eq!(page.status, 429);
    assert!(page.has_text("You cannot sign in at this moment") && !page.has_field("code"));
    // Codes by e-mail wait as well.
    let other = app.browser();
    let (start, _) = other.open_sign_in_page(&client).await;
    let page = other.submit_password(&start, &patient).await;
    assert_eq!(page.status, 429, "{}", page.text());
}

/// What cannot be a code is compared with nothing and costs no try (misuse case 6).
#[apply(both_engines)]
async fn malformed_app_code_is_not_charged(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (_, _, generator, browser, mut page) = at_totp_page(&app).await;
    for typed in ["", "12345", "1234567", "letters"] {
        page = browser.submit_code(&page, typed).await;
        assert!(page.has_field("code"), "{}", page.text());
    }
    let failures = "SELECT COUNT(*) FROM throttles WHERE kind = 'code' AND spent > 0";
    assert_eq!(app.count(failures).await, 0);
    let code = generator.code(&app);
    let spaced = format!("{} {}", &code[..3], &code[3..]);
    let landed = browser.submit_code(&page, &spaced).await;
    assert!(landed.location().is_some(), "{}", landed.text());
}

/// Ruling A30: the code posted again by the browser that completed reaches the same end.
#[apply(both_engines)]
async fn repeated_app_code_reaches_same_end(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (_, _, generator, browser, page) = at_totp_page(&app).await;
    let code = generator.code(&app);
    let posts: Vec<_> = (0..20)
        .map(|_| {
            let (browser, page, code) = (browser.with_copied_cookies(), page.clone(), code.clone());
            tokio::spawn(async move { browser.submit_code(&page, &code).await })
        })
        .collect();
    for post in posts {
        let landed = post.await.unwrap();
        assert!(landed.location().is_some(), "{}", landed.text());
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM sign_ins").await, 2, "the enrolment's and one");
}

/// A generator that other people wrote reads our address and signs in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pyotp_reads_address_and_signs_in() {
    let app = TestApp::start(Engine::Sqlite).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let owner = app.browser();
    let page = owner.open_account(&app, &patient, "/account/authenticator-apps").await;
    let page = owner.follow(owner.post(&page.form(), "add").await).await;
    let address = page.link("a[href^='otpauth:']").expect("an address");
    let now = app.app().clock.now().millis() / 1000;
    let moments: Vec<_> = (0..50).map(|nth| now + 30 * nth).collect();
    let codes = pyotp_codes(&address, &moments).await;
    let ours = AuthenticatorApp::with_address(&address);
    for (moment, code) in moments.iter().zip(&codes) {
        let at = store::Timestamp::from_millis(moment * 1000);
        assert_eq!(ours.code_at(at), *code, "{moment}");
    }
    let form = page.form().with("code", &codes[0]).with("name", "pyotp");
    let page = owner.follow(owner.post(&form, "confirm").await).await;
    assert!(page.has_text("The app was added"), "{}", page.text());
    let browser = app.browser();
    let (start, _) = browser.open_sign_in_page(&client).await;
    let page = browser.submit_password(&start, &patient).await;
    let landed = browser.submit_code(&page, &codes[1]).await;
    assert!(landed.location().is_some(), "{}", landed.text());
}

/// The key that is typed by hand, in groups of four, is what another generator makes the same codes of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oathtool_takes_typed_key() {
    let app = TestApp::start(Engine::Sqlite).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let owner = app.browser();
    let page = owner.open_account(&app, &patient, "/account/authenticator-apps").await;
    let page = owner.follow(owner.post(&page.form(), "add").await).await;
    let key = page.texts("p.key code").concat();
    let code = oathtool_code(&key, app.app().clock.now().millis() / 1000).await;
    let form = page.form().with("code", &code).with("name", "oathtool");
    let page = owner.follow(owner.post(&form, "confirm").await).await;
    assert!(page.has_text("The app was added"), "{}", page.text());
    app.clock.advance(Duration::from_mins(1));
    let browser = app.browser();
    let (start, _) = browser.open_sign_in_page(&client).await;
    let page = browser.submit_password(&start, &patient).await;
    let code = oathtool_code(&key, app.app().clock.now().millis() / 1000).await;
    let landed = browser.submit_code(&page, &code).await;
    assert!(landed.location().is_some(), "{}", landed.text());
}

async fn oathtool_code(key: &str, seconds: i64) -> String {
    let mut command = tokio::process::Command::new("oathtool");
    command.args(["--totp", "--base32", key, &format!("--now=@{seconds}")]);
    let output = command.output().await.expect("oathtool runs: scripts/prepare installs it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

async fn pyotp_codes(address: &str, moments: &[i64]) -> Vec<String> {
    let script = vestibule_tests::workspace_root().join("tests/clients/totp_codes.py");
    let mut command = tokio::process::Command::new(python());
    command.arg(script).arg(address).args(moments.iter().map(i64::to_string));
    let output = command.output().await.expect("pyotp runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").lines().map(str::to_owned).collect()
}
