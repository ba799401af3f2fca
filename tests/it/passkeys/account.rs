//! `/account/passkeys`.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_tests::{
    app::{Options, TestApp},
    db::{Engine, TestDb},
    passkey_device::PasskeyDevice,
    proc::run,
    serve_process::ServeSetup,
};

use crate::engines::{apply, both_engines};

#[apply(both_engines)]
async fn passkey_is_added_renamed_and_removed(engine: Engine) {
    let app = TestApp::start(engine).await;
    let patient = app.patient("Mere").await;
    let browser = app.browser();
    browser.open_account(&app, &patient, "/account/passkeys").await;
    let mut device = PasskeyDevice::new(app.issuer());
    // The AAGUID of Bitwarden.
    device.model = 0xd548_826e_79b4_db40_a3d8_1111_6f7e_8349_u128.to_be_bytes();
    let sheet = browser.add_passkey(&mut device).await;
    assert_eq!(sheet.url.path(), "/account/recovery-codes");
    assert_eq!(sheet.texts("ol.codes code").len(), 10);
    let page = browser.get("/account/passkeys").await;
    assert_eq!(page.texts("section.item h2"), ["Bitwarden"]);
    assert!(page.has_text("On one device alone"), "{}", page.text());
    let rename = page.forms()[0].clone().with("name", "Blue key");
    let page = browser.follow(browser.post(&rename, "rename").await).await;
    assert_eq!(page.texts("section.item h2"), ["Blue key"]);
    let page = browser.follow(browser.post(&page.forms()[1], "remove").await).await;
    assert!(page.has_text("The passkey was removed"), "{}", page.text());
    assert!(page.texts("section.item h2").is_empty());
    assert_eq!(
        app.count("SELECT COUNT(*) FROM recovery_codes").await,
        0,
        "void with the last method"
    );
    app.wait_for_jobs().await;
    let mails = app.mail.mails_to(&patient.email);
    for text in ["A passkey was added to your account", "The last passkey was removed"] {
        assert!(
            mails.iter().any(|mail| mail.subject.contains(text) || mail.text.contains(text)),
            "{text}"
        );
    }
    assert_eq!(app.audit_outcomes("method.added").await, ["ok"]);
    assert_eq!(app.audit_outcomes("method.removed").await, ["ok"]);
}

/// A lost answer: the same ceremony posted twice makes one passkey.
#[apply(both_engines)]
async fn repeated_registration_adds_one_passkey(engine: Engine) {
    let app = TestApp::start(engine).await;
    let patient = app.patient("Mere").await;
    let browser = app.browser();
    let page = browser.open_account(&app, &patient, "/account/passkeys").await;
    let mut device = PasskeyDevice::new(app.issuer());
    let (options, form) = page.ceremony();
    let form = form.with("answer", &device.create(&options));
    for _ in 0..2 {
        let page = browser.follow(browser.post(&form, "").await).await;
        assert!(page.has_text("The passkey was added"), "{}", page.text());
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM passkeys").await, 1);
    // Removed, it does not come back by the same answer.
    let page = browser.get("/account/passkeys").await;
    browser.follow(browser.post(&page.forms()[1], "remove").await).await;
    let page = browser.follow(browser.post(&form, "").await).await;
    assert!(page.has_text("That can no longer be finished"), "{}", page.text());
    assert_eq!(app.count("SELECT COUNT(*) FROM passkeys").await, 0);
}

/// An authenticator that does not verify the person cannot be used, and one belongs to one account.
#[apply(both_engines)]
async fn unsuitable_registrations_are_refused(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (mere, rua) = (app.patient("Mere").await, app.patient("Rua").await);
    let (mut device, _) = app.browser().register_passkey(&app, &mere).await;
    let browser = app.browser();
    browser.open_account(&app, &rua, "/account/passkeys").await;
    let page = browser.add_passkey(&mut device).await;
    assert!(page.has_text("has a passkey for your account already"), "{}", page.text());
    let mut weak = PasskeyDevice::new(app.issuer());
    weak.verifies = false;
    let page = browser.add_passkey(&mut weak).await;
    assert!(page.has_text("Your device did not check that it is you"), "{}", page.text());
    for client_data in [json!({ "crossOrigin": true }), json!({ "origin": "https://a.example" })] {
        let mut framed = PasskeyDevice::new(app.issuer());
        framed.client_data = client_data;
        let page = browser.add_passkey(&mut framed).await;
        assert!(page.has_text("This passkey could not be checked"), "{}", page.text());
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM passkeys").await, 1);
}

/// Misuse case 22: with a passkey, neither an e-mailed code nor an app is enough to change methods; a recovery code is.
#[apply(both_engines)]
async fn case_22_passkey_guards_methods(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let (_, codes) = app.browser().register_passkey(&app, &patient).await;
    app.clock.advance(Duration::from_secs(30));
    let browser = app.browser();
    let (start, _) = browser.open_sign_in_page(&client).await;
    let page = browser.submit_password(&start, &patient).await;
    let mails = app.mail.codes_to(&patient.email).len();
    let page = browser.choose_method(&page, "email_code").await;
    let code = app.mail.wait_for_code(&patient.email, mails + 1).await;
    browser.submit_code(&page, &code).await;
    let page = browser.get("/account/passkeys").await;
    assert!(page.has_text("To change something here, sign in again"), "{}", page.text());
    let again = browser.get("/account/passkeys?again=1").await;
    let page = browser.submit_password(&again, &patient).await;
    assert_eq!(page.url.path(), "/login/passkey", "{}", page.text());
    let page = browser.choose_method(&page, "recovery_code").await;
    let page = browser.follow(browser.submit_code(&page, &codes[0]).await).await;
    assert_eq!(page.url.path(), "/account/passkeys", "{}", page.text());
    assert!(page.has_field("ceremony"), "{}", page.text());
}

/// `passkeys.limit`.
#[apply(both_engines)]
async fn passkeys_have_a_limit(engine: Engine) {
    let app = TestApp::start(engine).await;
    let patient = app.patient("Mere").await;
    app.set_setting("passkeys.limit", "1").await;
    let browser = app.browser();
    let page = browser.open_account(&app, &patient, "/account/passkeys").await;
    let (options, form) = page.ceremony();
    let mut device = PasskeyDevice::new(app.issuer());
    browser.add_passkey(&mut device).await;
    assert!(!browser.get("/account/passkeys").await.has_field("ceremony"));
    let mut second = PasskeyDevice::new(app.issuer());
    let posted = browser.post(&form.with("answer", &second.create(&options)), "").await;
    let page = browser.follow(posted).await;
    assert!(page.has_text("You have 1 passkeys already"), "{}", page.text());
}

/// Misuse case 22: a page that was fetched before another session's change is stored, by a clock ahead of that change, is no
/// way around it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_22_change_ends_open_registration() {
    let app = TestApp::start(Engine::Postgres).await;
    let patient = app.patient("Mere").await;
    let (ahead, _) = app.replica_with_clock_ahead(Duration::from_millis(1500)).await;
    let intruder = app.browser();
    intruder.open_account(&app, &patient, "/account/passkeys").await;
    let there = intruder.at_replica(ahead.address);
    let (options, form) = there.get("/account/passkeys").await.ceremony();
    app.browser().register_passkey(&app, &patient).await;
    let mut device = PasskeyDevice::new(app.issuer());
    let posted = intruder.post(&form.with("answer", &device.create(&options)), "").await;
    let page = intruder.follow(posted).await;
    assert!(page.has_text("That can no longer be finished"), "{}", page.text());
    assert_eq!(app.count("SELECT COUNT(*) FROM passkeys").await, 1);
}

/// The button pressed twice: what the device has made is what is stored, and the recovery codes are seen.
#[apply(both_engines)]
async fn second_answer_shows_codes_or_is_refused(engine: Engine) {
    let app = TestApp::start(engine).await;
    let patient = app.patient("Mere").await;
    let browser = app.browser();
    let page = browser.open_account(&app, &patient, "/account/passkeys").await;
    let (options, form) = page.ceremony();
    let (mut first, mut second) =
        (PasskeyDevice::new(app.issuer()), PasskeyDevice::new(app.issuer()));
    let form = form.with("answer", &first.create(&options));
    // The answer to the first post is lost.
    browser.post(&form, "").await;
    let page = browser.follow(browser.post(&form, "").await).await;
    let codes = page.texts("ol.codes code");
    assert_eq!(codes.len(), 10, "{}", page.text());
    // Later the list may have been printed: the same answer voids nothing.
    app.clock.advance(Duration::from_secs(90));
    let page = browser.follow(browser.post(&form, "").await).await;
    assert!(page.texts("ol.codes code").is_empty(), "{}", page.text());
    let other = form.with("answer", &second.create(&options));
    let page = browser.follow(browser.post(&other, "").await).await;
    assert!(page.has_text("That can no longer be finished"), "{}", page.text());
    let again = app.browser();
    let start = again.get("/account/passkeys").await;
    let page = again.submit_password(&start, &patient).await;
    let page = again.choose_method(&page, "recovery_code").await;
    let page = again.follow(again.submit_code(&page, &codes[0]).await).await;
    assert_eq!(page.url.path(), "/account/passkeys", "{}", page.text());
}

/// Support removes a passkey that was lost, and the mail says that it was support.
#[apply(both_engines)]
async fn support_removes_passkey_and_says_so(engine: Engine) {
    let db = TestDb::create(engine).await;
    let served = ServeSetup::prepare(engine, &db).await;
    let app = TestApp::start_on(db, engine.redis_url(), Options::default()).await;
    let patient = app.patient("Mere").await;
    app.browser().register_passkey(&app, &patient).await;
    let shown = run(served.command(&["user", "show", &patient.email, "--json"]), "").await;
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(shown["methods"][0]["method"], "passkey", "{shown}");
    assert!(!shown.to_string().contains("credential"), "{shown}");
    let id = shown["methods"][0]["id"].as_str().expect("an id");
    let remove = ["user", "remove-method", &patient.email, id];
    let said = run(served.change_command(&remove), "").await;
    assert!(said.contains("It was the last one"), "{said}");
    app.wait_for_jobs().await;
    let mails = app.mail.mails_to(&patient.email);
    assert!(mails.iter().any(|mail| mail.text.contains("Our staff did this on")), "{mails:?}");
    assert_eq!(app.count("SELECT COUNT(*) FROM passkeys").await, 0);
}
