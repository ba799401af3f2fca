//! People whose account is not active: whatever was issued is invalid, and nothing new is issued (fail closed).

use std::time::Duration;

use store::{Sql, UserId, user::Activity};
use vestibule_tests::{
    app::{Patient, TestApp},
    client::{Client, PendingRequest, get_userinfo},
    db::Engine,
    http::HttpBrowser,
    mail_server::MailFault,
};

use crate::engines::{apply, both_engines};

/// A planned status, one of a later build, and two that a careless comparison takes for `active`.
const INACTIVE: [&str; 4] = ["suspended", "status of a later build", "Active", ""];

/// Sets a person's status by SQL.
async fn set_status(app: &TestApp, patient: &Patient, status: &str) {
    let sql = "UPDATE users SET status = $2 WHERE email = $1";
    let rows: store::Result<u64> = app
        .replica_db()
        .write(async |tx| tx.q(sql).bind(&patient.email).bind(status).execute().await)
        .await;
    assert_eq!(rows.unwrap(), 1);
}

async fn signs_in_silently(app: &TestApp, browser: &HttpBrowser, client: &Client) -> bool {
    let pending = PendingRequest::new(client);
    let url = pending.url(app.issuer(), &[("prompt", "none")]);
    let landed = browser.get(url).await.authorization_response(pending);
    assert!(landed.param("code").is_some() || landed.error() == "login_required");
    landed.param("code").is_some()
}

#[apply(both_engines)]
async fn inactive_account_invalidates_everything_issued(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let landed = browser.sign_in(&app, &client, &patient).await;
    let tokens = client.redeem_tokens(&app, &landed).await;
    let token = tokens["access_token"].as_str().unwrap();
    for status in INACTIVE {
        let pending = PendingRequest::new(&client);
        let url = pending.url(app.issuer(), &[]);
        let unredeemed = browser.get(url).await.authorization_response(pending);
        set_status(&app, &patient, status).await;
        // The session: no silent sign-in, and no page that shows the person's name.
        assert!(!signs_in_silently(&app, &browser, &client).await, "{status}");
        let (page, _) = browser.open_sign_in_page(&client).await;
        assert!(page.has_field("password") && !page.has_text(&patient.name), "{}", page.text());
        // The code and the token.
        let refused = client.redeem(&app, &unredeemed).await;
        assert_eq!(
            (refused.status.as_u16(), refused.json()["error"].as_str()),
            (400, Some("invalid_grant"))
        );
        assert_eq!(get_userinfo(&app, token).await.status, 401, "{status}");
        // Only the status changed: nothing was ended, and a reactivated account continues.
        set_status(&app, &patient, "active").await;
        assert_eq!(get_userinfo(&app, token).await.status, 200, "{status}");
        assert!(signs_in_silently(&app, &browser, &client).await, "{status}");
    }
}

/// The page is the same as for a wrong password, to the byte, and it costs a try.
#[apply(both_engines)]
async fn inactive_accounts_password_looks_wrong(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let post = async |patient: &Patient| {
        let browser = app.browser();
        let (page, _) = browser.open_sign_in_page(&client).await;
        browser.submit_password(&page, patient).await
    };
    let wrong = post(&Patient { password: "not the password".to_owned(), ..patient.clone() }).await;
    for status in INACTIVE {
        set_status(&app, &patient, status).await;
        let answer = post(&patient).await;
        assert_eq!((answer.status, answer.masked()), (wrong.status, wrong.masked()), "{status}");
    }
    assert_eq!(app.audit_outcomes("password.checked").await, ["wrong"; 1 + INACTIVE.len()]);
    app.wait_for_jobs().await;
    assert_eq!(app.mail.codes_to(&patient.email).len(), 0);
    let failures =
        "SELECT spent FROM throttles WHERE kind = 'password' ORDER BY spent DESC LIMIT 1";
    assert_eq!(app.count(failures).await, 5, "each costs a try");
}

/// At every step: an account that becomes inactive meanwhile is not signed in to.
#[apply(both_engines)]
async fn inactive_account_cannot_complete_sign_in(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (page, code, _) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    set_status(&app, &patient, "suspended").await;
    let answer = browser.submit_code(&page, &code).await;
    assert!(answer.location().is_none() && answer.has_field("password"), "{}", answer.text());
    // Nor with a new code, nor with a new password after both steps.
    let other = app.browser();
    set_status(&app, &patient, "active").await;
    app.force_reset(&patient).await;
    let (page, code, _) = other.sign_in_to_code_page(&app, &client, &patient).await;
    let page = other.submit_code(&page, &code).await;
    set_status(&app, &patient, "suspended").await;
    let form = page.form().with("new_password", "a walk along the river at noon");
    let answer = other.follow(other.post(&form, "continue").await).await;
    assert!(answer.location().is_none() && answer.has_field("password"), "{}", answer.text());
    for table in ["sign_ins", "sessions", "grants", "devices"] {
        let sql: &str = format!("SELECT COUNT(*) FROM {table}").leak();
        assert_eq!(app.count(sql).await, 0, "{table}");
    }
}

/// The last guard of every sign-in, with the person's row locked: it detects a suspension that was committed after all other
/// reads.
#[apply(both_engines)]
async fn sign_in_commit_checks_account_status(engine: Engine) {
    let app = TestApp::start(engine).await;
    let patient = app.patient("Mere").await;
    let mut conn = app.replica_db().read().await.unwrap();
    let (user, epoch): (UserId, i64) =
        conn.q("SELECT id, epoch FROM users").fetch_one().await.unwrap();
    drop(conn);
    let now = app.app().clock.now();
    let seen = Activity { language: "en", second: None, at: now };
    let passes = async || -> store::Result<bool> {
        app.replica_db()
            .write(async |tx| store::user::lock_and_touch(tx, user, epoch, seen).await)
            .await
    };
    assert!(passes().await.unwrap());
    for status in INACTIVE {
        set_status(&app, &patient, status).await;
        assert!(!passes().await.unwrap(), "{status}");
    }
}

/// A known device has tries of its own while its person is active.
#[apply(both_engines)]
async fn inactive_accounts_device_is_unknown(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    browser.sign_in(&app, &client, &patient).await;
    let mut conn = app.replica_db().read().await.unwrap();
    let (hash,): (store::TokenHash,) =
        conn.q("SELECT hash FROM devices").fetch_one().await.unwrap();
    let after = store::Timestamp::from_millis(0);
    for (status, live) in [("active", true), ("suspended", false), ("", false)] {
        set_status(&app, &patient, status).await;
        let found = store::device::is_live(&mut conn, &hash, &patient.email, after).await;
        assert_eq!(found.unwrap(), live, "{status}");
    }
}

/// No code is mailed to an account that is no longer active.
#[apply(both_engines)]
async fn inactive_account_gets_no_code(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    app.mail.inject_fault(MailFault::Refuse(451), 1);
    let (page, _) = browser.open_sign_in_page(&client).await;
    assert!(browser.submit_password(&page, &patient).await.has_field("code"));
    let put_back =
        "SELECT COUNT(*) FROM jobs WHERE last_error IS NOT NULL AND locked_until IS NULL";
    for _ in 0..1_000 {
        if app.count(put_back).await == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    set_status(&app, &patient, "suspended").await;
    app.clock.advance(Duration::from_mins(5));
    app.wait_for_jobs().await;
    assert_eq!(app.mail.codes_to(&patient.email).len(), 0);
    assert_eq!(app.audit_outcomes("mail.failed").await, ["superseded"]);
}
