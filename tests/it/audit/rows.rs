//! Each row has the actor, the person, the client, the network and the reference.

use flows::audit::{self, AuditEntry, event::SettingChanged};
use vestibule_tests::{app::TestApp, client::PendingRequest, db::Engine};

use super::{rows_of_request, trail};
use crate::engines::{apply, both_engines};

/// Actors whose rows no request of a person or client causes.
const OF_THE_PROGRAM: [&str; 2] = ["system:", "cli:"];

/// A transaction inserts all its rows in one statement, and in several when there are many.
#[apply(both_engines)]
async fn transaction_writes_many_audit_rows(engine: Engine) {
    let app = TestApp::start(engine).await;
    let cx = app.cx();
    for count in 0..=9_i64 {
        let written = cx.db.write(async |tx| {
            for version in 0..count {
                let (name, before, after) = (count.to_string(), String::new(), String::new());
                let changed = SettingChanged { name, version, before, after };
                audit::record(&cx, tx, AuditEntry::done(changed)).await?;
            }
            Ok::<_, flows::Error>(())
        });
        written.await.unwrap();
    }
    let rows = trail(&app).await;
    let mut seen: Vec<(i64, i64)> = rows
        .iter()
        .filter(|row| row.event == "setting.changed")
        .map(|row| serde_json::from_str::<serde_json::Value>(&row.detail).unwrap())
        .map(|detail| {
            let of = detail["name"].as_str().unwrap().parse().unwrap();
            (of, detail["version"].as_i64().unwrap())
        })
        .collect();
    seen.sort_unstable();
    let all = (0..=9).flat_map(|count| (0..count).map(move |version| (count, version)));
    assert_eq!(seen, all.collect::<Vec<_>>());
}

#[apply(both_engines)]
async fn sign_in_leaves_complete_rows(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (page, code, pending) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    browser.submit_code(&page, "000000").await;
    let landed = browser.submit_code(&page, &code).await.authorization_response(pending);
    let tokens = client.redeem_tokens(&app, &landed).await;
    client.redeem(&app, &landed).await;
    let hint = tokens["id_token"].as_str().unwrap();
    browser.get(format!("/oauth2/logout?id_token_hint={hint}")).await;
    app.wait_for_jobs().await;
    let mut seen = std::collections::BTreeSet::new();
    for row in trail(&app).await {
        assert_eq!(row.reference.len(), 6, "{row:?}");
        assert!(
            serde_json::from_str::<serde_json::Value>(&row.detail).unwrap().is_object(),
            "{row:?}"
        );
        assert!(!row.actor.is_empty() && !row.outcome.is_empty(), "{row:?}");
        if OF_THE_PROGRAM.iter().any(|part| row.actor.starts_with(part)) {
            continue;
        }
        assert!(["person", "client"].contains(&row.actor.as_str()), "{row:?}");
        assert_eq!(row.network.as_deref(), Some("127.0.0.1"), "{row:?}");
        assert_eq!(row.client_id.as_deref(), Some("portal"), "{row:?}");
        assert!(row.user_id.is_some(), "{row:?}");
        seen.insert(row.event);
    }
    let wanted = [
        "code.checked",
        "code.requested",
        "grant.code_reused",
        "grant.created",
        "password.checked",
        "session.signed_out",
        "sign_in.completed",
        "token.issued",
    ];
    assert_eq!(seen.iter().map(String::as_str).collect::<Vec<_>>(), wanted);
}

/// Misuse case 1: however a step out of turn is posted, the trail records it and the account.
#[apply(both_engines)]
async fn out_of_turn_step_is_recorded(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (page, code, _) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    let post = async |action: &str| {
        let mut form = page.form().with("new_password", "another long password 4711");
        form.action = action.to_owned();
        browser.post_only(&form, "continue").await.expect("an answer")
    };
    // This page's token is for the step that is due: nothing is out of turn.
    browser.post(&page.form().with("code", "1"), "continue").await;
    assert_eq!(app.audit_outcomes("attempt.sequence_fail").await.len(), 0);
    for (nth, path) in
        ["/login/consent", "/login/new-password", "/login/password"].into_iter().enumerate()
    {
        let rows = rows_of_request(&app, &post(path).await).await;
        assert_eq!(rows.len(), 1, "{path}");
        assert_eq!(
            (rows[0].event.as_str(), rows[0].outcome.as_str()),
            ("attempt.sequence_fail", "refused")
        );
        assert_eq!(rows[0].client_id.as_deref(), Some("portal"));
        assert!(rows[0].user_id.is_some() && rows[0].network.is_some(), "{path}");
        assert_eq!(app.audit_outcomes("attempt.sequence_fail").await.len(), nth + 1, "{path}");
    }
    // A page that stayed open while the code was entered in another tab.
    browser.submit_code(&page, &code).await;
    let before = app.audit_outcomes("attempt.sequence_fail").await.len();
    let stale = browser.post(&page.form().with("code", "123456"), "continue").await;
    assert_eq!(rows_of_request(&app, &stale).await[0].event, "attempt.sequence_fail");
    assert_eq!(app.audit_outcomes("attempt.sequence_fail").await.len(), before + 1);
}

/// The reference on an error page finds the rows and the log line; a program finds it in a header.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_response_carries_reference() {
    let app = TestApp::start(Engine::Sqlite).await;
    let client = app.client("portal").await;
    let browser = app.browser();
    let (page, _) = browser.open_sign_in_page(&client).await;
    let mut seen = std::collections::BTreeSet::new();
    let refused = browser.get("/oauth2/authorize?client_id=nobody").await;
    let shown = refused.header("x-request-id").to_owned();
    assert!(refused.has_text(&shown), "the page shows {shown}: {}", refused.text());
    let form = page.form().with("email", "a@b.nz").with("password", "x");
    let wrong = browser.post_only(&form, "continue").await.expect("an answer");
    assert_eq!(rows_of_request(&app, &wrong).await[0].event, "password.checked");
    let pending = PendingRequest::new(&client);
    for answer in [
        refused,
        wrong,
        page,
        browser.get(pending.url(app.issuer(), &[("prompt", "none")])).await,
        browser.get("/oauth2/jwks").await,
        browser.get("/.well-known/openid-configuration").await,
        browser.get("/oauth2/userinfo").await,
        browser.get("/nothing").await,
        browser.get("/oauth2/token").await,
        client.call_token(&app, &[("grant_type", "password")]).await,
    ] {
        let reference = answer.header("x-request-id").to_owned();
        assert_eq!(reference.len(), 6, "{}", answer.url);
        assert!(seen.insert(reference), "each request has its own: {}", answer.url);
    }
}
