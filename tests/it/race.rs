//! Races that misuse cases 11 and 12 do not cover: codes of clients, and a reset during other steps.

use vestibule_tests::{
    app::{SharedApp, TestApp},
    blocking_tx::BlockingTx,
    client::{PendingRequest, get_userinfo},
    db::Engine,
    wait,
};

use crate::engines::{apply, both_engines};

#[apply(both_engines)]
async fn concurrent_redemption_issues_once_and_revokes(engine: Engine) {
    let app = SharedApp::new(TestApp::start(engine).await);
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let landed = app.browser().sign_in(&app, &client, &patient).await;
    let redeems: Vec<_> = (0..50)
        .map(|_| {
            let (app, client, landed) = (app.clone(), client.clone(), landed.clone());
            tokio::spawn(async move { client.redeem(&app, &landed).await })
        })
        .collect();
    let mut tokens = Vec::new();
    for redeem in redeems {
        let answer = redeem.await.unwrap();
        match answer.status.as_u16() {
            200 => tokens.push(answer.json()),
            400 => assert_eq!(answer.json()["error"], "invalid_grant"),
            other => panic!("{other}: {}", answer.body),
        }
    }
    assert_eq!(tokens.len(), 1);
    assert_eq!(app.count("SELECT COUNT(*) FROM audit WHERE event = 'token.issued'").await, 1);
    // Forty-nine requests were too late, and a reused code revokes the tokens that it issued.
    assert_eq!(get_userinfo(&app, tokens[0]["access_token"].as_str().unwrap()).await.status, 401);
}

/// A reset at any moment: whatever the result, nothing from before the reset is valid after it.
#[apply(both_engines)]
async fn concurrent_reset_leaves_nothing_alive(engine: Engine) {
    let app = SharedApp::new(TestApp::start(engine).await);
    let client = app.client("portal").await;
    for round in 0..6 {
        let patient = app.patient(&format!("Mere {round}")).await;
        let browser = app.browser();
        // The step that races with the reset.
        let posted = if round % 3 == 0 {
            let (page, pending) = browser.open_sign_in_page(&client).await;
            let (racing, mine, who) = (browser.clone(), page.clone(), patient.clone());
            let post = tokio::spawn(async move { racing.submit_password(&mine, &who).await });
            app.force_reset(&patient).await;
            (post.await.unwrap(), pending)
        } else {
            let (page, code, pending) = browser.sign_in_to_code_page(&app, &client, &patient).await;
            let racing = browser.clone();
            let post = tokio::spawn(async move { racing.submit_code(&page, &code).await });
            app.force_reset(&patient).await;
            (post.await.unwrap(), pending)
        };
        let (answer, pending) = posted;
        if answer.location().is_some() {
            // The step was first: its code was issued under the old epoch and is invalid.
            let landed = answer.authorization_response(pending);
            assert_eq!(
                client.redeem(&app, &landed).await.json()["error"],
                "invalid_grant",
                "round {round}"
            );
        }
        let quiet = PendingRequest::new(&client);
        let landed = browser
            .get(quiet.url(app.issuer(), &[("prompt", "none")]))
            .await
            .authorization_response(quiet);
        assert_eq!(landed.error(), "login_required", "round {round}");
    }
    assert_eq!(
            app.count("SELECT COUNT(*) FROM grants JOIN users ON users.id = grants.user_id WHERE grants.epoch = users.epoch").await,
            0
        );
}

#[apply(both_engines)]
async fn reset_during_redemption_kills_token(engine: Engine) {
    let app = SharedApp::new(TestApp::start(engine).await);
    let client = app.client("portal").await;
    for round in 0..4 {
        let patient = app.patient(&format!("Mere {round}")).await;
        let landed = app.browser().sign_in(&app, &client, &patient).await;
        let redeem = {
            let (app, client, landed) = (app.clone(), client.clone(), landed.clone());
            tokio::spawn(async move { client.redeem(&app, &landed).await })
        };
        app.force_reset(&patient).await;
        let answer = redeem.await.unwrap();
        if answer.status == 200 {
            let tokens = answer.json();
            let token = tokens["access_token"].as_str().unwrap();
            assert_eq!(get_userinfo(&app, token).await.status, 401, "round {round}");
        }
    }
}

/// A concurrent post of the same browser does not undo a password guess: a right one is in the audit trail, and its person
/// gets the mail.
#[apply(both_engines)]
async fn password_verdict_survives_concurrent_change(engine: Engine) {
    wait::retry_while_slow("a guess that waits for a lock", async || {
        try_guess_beside_change(engine).await
    })
    .await;
}

async fn try_guess_beside_change(engine: Engine) -> Option<()> {
    let app = TestApp::start(engine).await;
    let client = app.client("portal").await;
    let (own, victim) = (app.patient("Ana").await, app.patient("Mere").await);
    let browser = app.browser();
    let (first, _) = browser.open_sign_in_page(&client).await;
    assert!(browser.submit_password(&first, &own).await.has_field("code"));
    app.wait_for_jobs().await;
    let hashed =
        || app.app().hasher.stats().totals.wait_buckets.iter().map(|(_, many)| many).sum::<u64>();
    let guess = first.form().with("email", &victim.email).with("password", &victim.password);
    let before = (hashed(), app.audit_outcomes("password.checked").await.len());
    // The guess has read the attempt; before its transaction, the attempt gets another version.
    let change = "UPDATE attempts SET version = version + 1";
    let held = BlockingTx::open(app.replica_db().clone(), change).await;
    let posted = tokio::spawn(async move { browser.post(&guess, "continue").await });
    wait::until("a password to be judged", async || hashed() > before.0).await;
    held.commit().await;
    if posted.await.unwrap().status == 503 {
        return None;
    }
    assert_eq!(app.audit_outcomes("password.checked").await[before.1..], ["right"]);
    app.mail.wait_for_code(&victim.email, 1).await;
    Some(())
}
