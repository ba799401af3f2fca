//! Misuse cases 8, 19, 24 and 56: a stolen mailbox, mail scanners, a planted cookie at a reset, and an overload.

use std::time::Duration;

use reqwest::Method;
use vestibule_tests::{
    app::{Options, Patient, TestApp},
    client::decode_claims,
    db::Engine,
    mail_server::MailFault,
};

use crate::engines::{apply, both_engines};

const NEW: &str = "a walk along the river at noon";

/// The mailbox proves one step: a code is no password, works once, and `acr` and `amr` claim what was proven.
#[apply(both_engines)]
async fn case_8_code_proves_one_step(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (page, code, pending) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    // A code instead of the password, in another tab and in another browser.
    for other in [browser.clone(), app.browser()] {
        let (start, _) = other.open_sign_in_page(&client).await;
        let by_code = Patient { password: code.clone(), ..patient.clone() };
        assert!(other.submit_password(&start, &by_code).await.has_field("password"));
    }
    let tokens = client
        .redeem_tokens(
            &app,
            &browser.submit_code(&page, &code).await.authorization_response(pending),
        )
        .await;
    let id = decode_claims(tokens["id_token"].as_str().unwrap());
    assert_eq!(
        (&id["acr"], &id["amr"]),
        (&"urn:vestibule:two-step".into(), &serde_json::json!(["pwd", "mca"]))
    );
    // If the mailbox proved both steps, as a later recovery flow may record it, the token claims less.
    let pending = vestibule_tests::client::PendingRequest::new(&client);
    app.replica_db()
        .write(async |tx| {
            store::Sql::q(tx, "UPDATE sign_ins SET mailbox_only = $1").bind(true).execute().await
        })
        .await
        .unwrap();
    let landed = browser.get(pending.url(app.issuer(), &[])).await.authorization_response(pending);
    let tokens = client.redeem_tokens(&app, &landed).await;
    let id = decode_claims(tokens["id_token"].as_str().unwrap());
    assert_eq!(
        (&id["acr"], &id["amr"]),
        (&"urn:vestibule:restricted".into(), &serde_json::json!(["pwd"]))
    );
}

/// A scanner opens and posts whatever it finds in a mail: it finds nothing, and no GET changes anything.
#[apply(both_engines)]
async fn case_19_mail_scanner_changes_nothing(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (page, code, pending) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    app.wait_for_jobs().await;
    let mail = app.mail.mails_to(&patient.email).pop().unwrap();
    for part in [&mail.text, &mail.html] {
        assert!(!part.contains("http") && !part.contains("href"), "{part}");
    }
    let attempt = page.form().value("attempt").to_owned();
    let before = app.count("SELECT CAST(SUM(version) AS BIGINT) FROM attempts").await;
    let rows = app.count("SELECT COUNT(*) FROM audit").await;
    for method in [Method::GET, Method::HEAD] {
        for path in ["/login/code", "/login/password", "/login/new-password", "/login/consent"] {
            let to = format!("{path}?attempt={attempt}&code={code}&action=continue");
            for asking in [browser.clone(), app.browser()] {
                asking.send(method.clone(), &to, &[], None).await;
            }
        }
    }
    // A scanner's post has neither the browser's cookie nor a page of ours.
    let fields = [("attempt", attempt.as_str()), ("code", &code), ("action", "continue")];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let posted = app.browser().send(Method::POST, "/login/code", &[], Some(&fields)).await;
    assert_eq!(posted.status, 400, "it sends no cookie");
    assert_eq!(app.count("SELECT CAST(SUM(version) AS BIGINT) FROM attempts").await, before);
    assert_eq!(app.count("SELECT COUNT(*) FROM audit").await, rows);
    assert_eq!(app.count("SELECT CAST(SUM(tries) AS BIGINT) FROM email_challenges").await, 0);
    browser.submit_code(&page, &code).await.authorization_response(pending).code();
}

/// An attacker who shares the browser cookie, because they planted it, does not choose the new password.
#[apply(both_engines)]
async fn case_24_planted_cookie_sets_no_password(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    app.force_reset(&patient).await;
    let victim = app.browser();
    let (page, code, pending) = victim.sign_in_to_code_page(&app, &client, &patient).await;
    let attacker = victim.with_copied_cookies();
    let twin = victim.with_copied_cookies();
    let chosen = victim.submit_code(&page, &code).await;
    assert!(chosen.has_field("new_password"), "{}", chosen.text());
    assert_ne!(victim.cookie("browser"), attacker.cookie("browser"));
    let attempt = page.form().value("attempt").to_owned();
    let viewed = attacker.get(format!("/login/new-password?attempt={attempt}")).await;
    assert!(!viewed.has_field("new_password"), "{}", viewed.text());
    let form = chosen.form().with("new_password", "the choice of somebody else");
    let posted = attacker.post(&form, "continue").await;
    assert!(posted.location().is_none(), "{:?}", posted.location());
    assert_eq!(app.audit_outcomes("user.password_changed").await.len(), 0);
    // A double click still works: the same code with the previous cookie value leads to the page with one more new value.
    let again = twin.submit_code(&page, &code).await;
    assert!(again.has_field("new_password"), "{}", again.text());
    let form = again.form().with("new_password", NEW);
    twin.follow(twin.post(&form, "continue").await).await.authorization_response(pending).code();
    // After a minute it no longer does.
    app.clock.advance(Duration::from_secs(61));
    assert!(attacker.submit_code(&page, &code).await.location().is_none());
    assert_eq!(app.count("SELECT COUNT(*) FROM sign_ins").await, 1);
}

/// The mail server refuses, the queue is full, and this replica's clock is 90 seconds ahead: pages open and say what is
/// wrong, and no request signs in without both steps.
#[apply(both_engines)]
async fn case_56_overload_never_fails_open(engine: Engine) {
    let hashing = keys::HasherConfig { threads: 1, queue: 1, wait: Duration::from_millis(100) };
    let app = TestApp::start_with(engine, Options { hashing, ..Options::default() }).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    app.mail.inject_fault(MailFault::Refuse(451), 2);
    let (start, pending) = browser.open_sign_in_page(&client).await;
    let page = browser.submit_password(&start, &patient).await;
    assert!(page.has_field("code") && page.has_text("We are sending"), "{}", page.text());
    app.mail.wait_for_refusals(1).await;
    let held = (
        app.app().hasher.admit(keys::HashingCaller::Stranger).await.unwrap(),
        app.app().hasher.admit(keys::HashingCaller::Stranger).await.unwrap(),
    );
    let (other, _) = app.browser().open_sign_in_page(&client).await;
    assert!(other.status == 200 && other.has_field("password"));
    let newcomer = app.browser();
    let (start, _) = newcomer.open_sign_in_page(&client).await;
    let form = start.form().with("email", &patient.email).with("password", &patient.password);
    let full = newcomer.post(&form, "continue").await;
    assert_eq!((full.status.as_u16(), full.form().value("email")), (503, patient.email.as_str()));
    drop(held);
    assert!(browser.submit_code(&page, "000000").await.location().is_none());
    app.clock.advance(Duration::from_secs(90));
    let code = app.mail.wait_for_code(&patient.email, 1).await;
    assert_eq!(app.count("SELECT COUNT(*) FROM sign_ins").await, 0);
    let answer = browser.submit_code(&page, &code).await;
    answer.authorization_response(pending).code();
}
