//! People without an e-mail address: no mail is sent to them, no lookup finds them by an address, and other people are
//! unaffected.

use std::time::Duration;

use store::throttle::ThrottleKind;
use store::{Sql, UserId};
use uuid::Uuid;
use vestibule_tests::{
    app::{Patient, TestApp},
    client::{Client, get_userinfo},
    db::{Engine, TestDb},
    http::HttpBrowser,
    mail_server::MailFault,
    proc::run,
    serve_process::ServeSetup,
};

use crate::engines::{apply, both_engines};

/// Adds a person without an address, with Mere's password, by SQL.
async fn add_without_address(db: &store::Db, name: &'static str) -> UserId {
    let id = UserId::from(Uuid::new_v4());
    let added: store::Result<u64> = db
        .write(async |tx| {
            tx.q("INSERT INTO users (id, subject, pairwise_seed, user_handle, email_verified, name, claims, epoch, created_at,
                                     updated_at)
                  VALUES ($1, $2, 'seed', $3, FALSE, $2, '{}', 0, 0, 0)")
                .bind(id)
                .bind(name)
                .bind(Uuid::new_v4())
                .execute()
                .await?;
            tx.q("INSERT INTO passwords (user_id, phc, version, set_at) SELECT $1, phc, 1, 0 FROM passwords LIMIT 1")
                .bind(id)
                .execute()
                .await
        })
        .await;
    assert_eq!(added.unwrap(), 1);
    id
}

/// Removes the address of a person.
async fn take_address(app: &TestApp, patient: &Patient) {
    let sql = "UPDATE users SET email = NULL, email_canonical = NULL, email_verified = FALSE WHERE email = $1";
    let rows: store::Result<u64> =
        app.replica_db().write(async |tx| tx.q(sql).bind(&patient.email).execute().await).await;
    assert_eq!(rows.unwrap(), 1);
}

#[apply(both_engines)]
async fn person_without_address_disturbs_no_other(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    // Two people: addresses are unique, and several may be missing.
    for name in ["Tui", "Aroha"] {
        let id = add_without_address(app.replica_db(), name).await;
        let mut conn = app.replica_db().read().await.unwrap();
        let found = store::user::by_id(&mut conn, id).await.unwrap().unwrap();
        assert!(found.is_active() && found.email.is_none() && found.email_canonical.is_none());
        for typed in ["", name, &id.to_string()] {
            assert!(store::user::by_email(&mut conn, typed).await.unwrap().is_none());
            let (counters, kind) = ([&[1][..], &[2][..]], ThrottleKind::Password);
            let found =
                store::user::look_up_address(&mut conn, typed, counters, kind).await.unwrap();
            assert!(found.person().is_none() && found.waits_until.is_none());
        }
    }
    let landed = app.browser().sign_in(&app, &client, &patient).await;
    client.redeem_tokens(&app, &landed).await;
    // Nor by a text that could replace a missing address.
    for email in ["tui@patients.example", "null@patients.example"] {
        let browser = app.browser();
        let (page, _) = browser.open_sign_in_page(&client).await;
        let typed = Patient { email: email.to_owned(), ..patient.clone() };
        assert!(browser.submit_password(&page, &typed).await.has_field("password"));
    }
    app.clock.advance(Duration::from_hours(24 * 600));
    let mut turn = flows::retention::SweepPass::default();
    while turn.next(&app.cx()).await.unwrap() {}
    assert_eq!(app.count("SELECT COUNT(*) FROM users").await, 3);
}

#[apply(both_engines)]
async fn commands_tolerate_person_without_address(engine: Engine) {
    let data = TestDb::create(engine).await;
    let served = ServeSetup::prepare(engine, &data).await;
    let add = ["user", "add", "mere@patients.example", "--name", "Mere", "--password-stdin"];
    run(served.change_command(&add), "a walk along the river\n").await;
    add_without_address(&data.open().await, "Tui").await;
    let shown = run(served.command(&["user", "show", "mere@patients.example"]), "").await;
    assert!(shown.starts_with("Mere <mere@patients.example>"), "{shown}");
    let reset = ["user", "reset", "mere@patients.example", "--reason", "test"];
    run(served.command(&reset), "").await;
    for args in [&["audit", "export"][..], &["audit", "export", "--user", "mere@patients.example"]]
    {
        let exported = run(served.command(args), "").await;
        assert!(exported.lines().count() >= 2, "{exported}");
    }
}

/// A person who is signed in and has no address any more: session and grants stay valid, without an address in them.
#[apply(both_engines)]
async fn session_without_address_omits_email(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let third = app.client_with("third", |new| new.operator.first_party = false).await;
    let browser = app.browser();
    browser.sign_in(&app, &client, &patient).await;
    take_address(&app, &patient).await;
    let claims = claims_of(&app, &browser, &client).await;
    assert!(claims.get("email").is_none() && claims.get("email_verified").is_none(), "{claims}");
    let (page, _) = browser.open_sign_in_page(&third).await;
    assert!(page.has_text("You are signed in as Mere."), "{}", page.text());
}

/// The claims of userinfo for the person who is signed in.
async fn claims_of(app: &TestApp, browser: &HttpBrowser, client: &Client) -> serde_json::Value {
    let pending = vestibule_tests::client::PendingRequest::new(client);
    let url = pending.url(app.issuer(), &[("scope", "openid profile email")]);
    let landed = browser.get(url).await.authorization_response(pending);
    let tokens = client.redeem_tokens(app, &landed).await;
    let answer = get_userinfo(app, tokens["access_token"].as_str().unwrap()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

/// A sign-in that began with an address does not complete without one: the second step of this build is a mail.
#[apply(both_engines)]
async fn sign_in_without_address_starts_over(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (page, code, _) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    take_address(&app, &patient).await;
    for button in ["resend", "continue"] {
        let form = page.form().with("code", &code);
        let answer = browser.follow(browser.post(&form, button).await).await;
        assert!(answer.has_field("password") && answer.status.as_u16() < 500, "{}", answer.text());
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM sign_ins").await, 0);
    assert_eq!(app.mail.mails_to(&patient.email).len(), 1);
}

/// A waiting notice is not mailed when the address is gone, and its job is done.
#[apply(both_engines)]
async fn notice_without_address_is_not_mailed(engine: Engine) {
    let app = TestApp::start(engine).await;
    let patient = app.patient("Mere").await;
    app.mail.inject_fault(MailFault::Refuse(451), 1);
    app.force_reset(&patient).await;
    let put_back =
        "SELECT COUNT(*) FROM jobs WHERE last_error IS NOT NULL AND locked_until IS NULL";
    for _ in 0..1_000 {
        if app.count(put_back).await == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    take_address(&app, &patient).await;
    app.clock.advance(Duration::from_mins(5));
    app.wait_for_jobs().await;
    assert_eq!(app.mail.all().len(), 0);
    assert_eq!(app.audit_outcomes("mail.failed").await, ["superseded"]);
}
