//! The invariant (no token without both steps), where the machine does not enforce it: in the schema, in a state that a
//! build cannot read, in what is too old, and in frames.

use std::time::Duration;

use reqwest::Method;
use store::{Sql, Timestamp, UserId};
use uuid::Uuid;
use vestibule_tests::{app::TestApp, client::PendingRequest, db::Engine};

use crate::engines::{apply, both_engines};

/// The columns of `sign_ins` that record the steps.
type StepColumns<'a> = (&'a str, Option<&'a str>, bool, bool);

/// Whether the schema accepts a sign-in with these steps: the first, the second, whether the second has a time, whether it
/// was remembered from an earlier sign-in.
async fn schema_accepts(
    app: &TestApp,
    user: UserId,
    (first, second, at, remembered): StepColumns<'_>,
) -> bool {
    let written: Result<(), store::Error> = app
        .replica_db()
        .write(async |tx| {
            let from: Option<(Uuid,)> =
                tx.q("SELECT id FROM sign_ins WHERE user_id = $1 LIMIT 1").bind(user).fetch_optional().await?;
            tx.q("INSERT INTO sign_ins (id, user_id, epoch, first, first_at, second, second_at, remembered_from, mailbox_only)
                  VALUES ($1, $2, 0, $3, 1, $4, $5, $6, FALSE)")
                .bind(Uuid::new_v4())
                .bind(user)
                .bind(first)
                .bind(second)
                .bind(at.then_some(1_i64))
                .bind(from.filter(|_| remembered).map(|(id,)| id))
                .execute()
                .await?;
            Ok(())
        })
        .await;
    written.is_ok()
}

/// The person of the only sign-in.
async fn only_user(app: &TestApp) -> UserId {
    let mut conn = app.replica_db().read().await.unwrap();
    let (user,): (UserId,) = conn.q("SELECT user_id FROM sign_ins").fetch_one().await.unwrap();
    user
}

/// Enforced by the database: half a sign-in has no row, and so no grant and no token.
#[apply(both_engines)]
async fn schema_refuses_incomplete_sign_in(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    app.browser().sign_in(&app, &client, &patient).await;
    let user = only_user(&app).await;
    for whole in [
        ("passkey_uv", None, false, false),
        ("password", Some("email_code"), true, false),
        ("password", Some("totp"), true, false),
        ("password", Some("recovery_code"), true, false),
        ("password", Some("passkey"), true, false),
        ("password", Some("remembered"), true, true),
    ] {
        assert!(schema_accepts(&app, user, whole).await, "{whole:?}");
    }
    for half in [
        ("password", None, false, false),
        ("password", None, true, false),
        ("password", Some("email_code"), false, false),
        ("password", Some("password"), true, false),
        ("password", Some(""), true, false),
        ("password", Some("remembered"), true, false),
        ("password", Some("email_code"), true, true),
        ("password", None, false, true),
        ("email_code", None, false, false),
        ("email_code", Some("email_code"), true, false),
        ("email_code", Some("password"), true, false),
        ("passkey_uv", Some("email_code"), true, false),
        ("passkey", None, false, false),
        ("", None, false, false),
    ] {
        assert!(!schema_accepts(&app, user, half).await, "{half:?}");
    }
}

/// An unknown name of a step is an error of its row; it is never read as another step.
#[apply(both_engines)]
async fn unknown_step_makes_row_unreadable(engine: Engine) {
    let app = TestApp::start(engine).await;
    let mut conn = app.replica_db().read().await.unwrap();
    for (first, second, known) in [
        ("password", Some("email_code"), true),
        ("passkey_uv", None, true),
        ("password", Some("sms"), false),
        ("password", Some("EMAIL_CODE"), false),
        ("password", Some(""), false),
        ("passkey", None, false),
        ("", Some("email_code"), false),
    ] {
        let read: Result<store::sign_in::SignInSteps, _> = conn
            .q("SELECT CAST($1 AS TEXT) AS first, CAST(1 AS BIGINT) AS first_at, CAST($2 AS TEXT) AS second,
                       CAST(2 AS BIGINT) AS second_at, 1 = 2 AS mailbox_only")
            .bind(first)
            .bind(second)
            .fetch_one()
            .await;
        assert_eq!(read.is_ok(), known, "{first:?} {second:?} {read:?}");
    }
}

/// No grant without a sign-in, even for a direct statement.
#[apply(both_engines)]
async fn schema_refuses_grant_without_sign_in(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    app.browser().sign_in(&app, &client, &patient).await;
    for sign_in in [None, Some(Uuid::new_v4())] {
        let written: Result<(), store::Error> = app
                .replica_db()
                .write(async |tx| {
                    let (user, session): (Uuid, Uuid) =
                        tx.q("SELECT user_id, id FROM sessions").fetch_one().await?;
                    tx.q("INSERT INTO grants (id, user_id, client_id, session_id, sid, sign_in_id, epoch, scopes, offline, created_at)
                          VALUES ($1, $2, 'portal', $3, 'sid', $4, 0, 'openid', FALSE, 1)")
                        .bind(Uuid::new_v4())
                        .bind(user)
                        .bind(session)
                        .bind(sign_in)
                        .execute()
                        .await?;
                    Ok(())
                })
                .await;
        assert!(written.is_err(), "{sign_in:?}");
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM grants").await, 1);
}

/// A state of another build means "start again"; it is not an internal error.
#[apply(both_engines)]
async fn unreadable_state_starts_over(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (page, code, _) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    let rewritten: Result<u64, store::Error> = app
        .replica_db()
        .write(async |tx| tx.q("UPDATE attempts SET state = '{\"Passkey\":{}}'").execute().await)
        .await;
    assert_eq!(rewritten.unwrap(), 1);
    let attempt = page.form().value("attempt").to_owned();
    let shown = browser.get(format!("/login/code?attempt={attempt}")).await;
    let posted = browser.submit_code(&page, &code).await;
    for answer in [shown, posted] {
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert!(answer.has_text("Please start again"), "{}", answer.text());
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM sign_ins").await, 0);
    // The person can continue: a new request from the client works.
    app.browser().sign_in(&app, &client, &patient).await;
}

/// A page without a row can be posted for 60 minutes (decision 12). After that it is shown anew, with a sentence.
#[apply(both_engines)]
async fn hour_old_sign_in_page_is_renewed(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (page, _) = browser.open_sign_in_page(&client).await;
    app.clock.advance(Duration::from_mins(59));
    assert!(browser.submit_password(&page, &patient).await.has_field("code"));
    let late = app.browser();
    let (page, _) = late.open_sign_in_page(&client).await;
    app.clock.advance(Duration::from_hours(26));
    let renewed = late.submit_password(&page, &patient).await;
    assert_eq!(renewed.status, 200, "{}", renewed.text());
    assert!(renewed.has_text("This page was open for a long time"), "{}", renewed.text());
    assert_eq!(renewed.form().value("email"), patient.email);
    assert_eq!(app.count("SELECT COUNT(*) FROM attempts").await, 1);
    // A reload of the old page leads to a new one, too.
    let form = page.form();
    let attempt = url::form_urlencoded::byte_serialize(form.value("attempt").as_bytes());
    let to = format!("/login/password?attempt={}", attempt.collect::<String>());
    let reloaded = late.follow(late.get(to).await).await;
    assert!(reloaded.has_text("This page was open for a long time"), "{}", reloaded.text());
    assert!(late.submit_password(&renewed, &patient).await.has_field("code"));
}

/// A session is used only for a top-level navigation: frames, images and scripts can neither detect nor use it.
#[apply(both_engines)]
async fn authorize_requires_top_level_navigation(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    browser.sign_in(&app, &client, &patient).await;
    let grants = app.count("SELECT COUNT(*) FROM grants").await;
    for headers in [
        [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")],
        [("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")],
        [("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")],
    ] {
        let pending = PendingRequest::new(&client);
        let url = pending.url(app.issuer(), &[("prompt", "none")]);
        let landed =
            browser.send(Method::GET, &url, &headers, None).await.authorization_response(pending);
        assert_eq!(landed.error(), "login_required", "{headers:?}");
        let said = landed.param("error_description").unwrap();
        assert!(said.contains("at the top level only, not in a frame"), "{headers:?}: {said}");
        let page = browser
            .send(Method::GET, &PendingRequest::new(&client).url(app.issuer(), &[]), &headers, None)
            .await;
        assert!(page.has_field("password"), "{headers:?}");
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM grants").await, grants);
    let pending = PendingRequest::new(&client);
    let whole = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
    let url = pending.url(app.issuer(), &[("prompt", "none")]);
    browser.send(Method::GET, &url, &whole, None).await.authorization_response(pending).code();
}

/// What is past its retention time is deleted; an attempt that can still be continued stays.
#[apply(both_engines)]
async fn attempts_are_swept_after_24_hours(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    app.browser().sign_in_to_code_page(&app, &client, &patient).await;
    app.clock.advance(Duration::from_hours(23));
    app.browser().sign_in_to_code_page(&app, &client, &patient).await;
    app.clock.advance(Duration::from_hours(2));
    let mut turn = flows::retention::SweepPass::default();
    while turn.next(&app.cx()).await.unwrap() {}
    assert_eq!(app.count("SELECT COUNT(*) FROM attempts").await, 1);
}

/// A lease has one holder at a time; another takes over when the term ends or after a release.
#[apply(both_engines)]
async fn lease_has_one_holder(engine: Engine) {
    let app = TestApp::start(engine).await;
    let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
    let take = async |holder: &str, from: i64, until: i64| {
        let term = store::lease::LeaseTerm { now: at(from), until: at(until) };
        app.replica_db()
            .write(async |tx| store::lease::acquire(tx, "a job", holder, term).await)
            .await
            .unwrap()
    };
    assert!(take("one", 0, 10).await);
    assert!(!take("two", 5, 15).await, "held");
    assert!(take("one", 9, 19).await, "renewed");
    assert!(!take("two", 12, 22).await, "the lease was renewed");
    assert!(take("two", 19, 29).await, "the term has ended");
    assert!(!take("one", 20, 30).await);
    app.replica_db().write(async |tx| store::lease::release_all(tx, "two").await).await.unwrap();
    assert!(take("one", 20, 30).await, "given back");
    // An end far in the future, from a wrong clock or a manual change, does not block other holders.
    assert!(take("one", 20, 4_000_000_000).await);
    assert!(take("two", 21, 31).await, "an end that is years ahead is ignored");
}
