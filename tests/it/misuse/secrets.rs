//! Misuse case 57: canaries. The secrets of a sign-in are searched for wherever they must not be.

use vestibule_tests::{app::TestApp, client::Client, db::Engine, log::CapturedLog};

/// One thread, so that this test captures the log of every task.
#[tokio::test(flavor = "current_thread")]
async fn case_57_logs_and_errors_hide_secrets() {
    let log = CapturedLog::start();
    for engine in Engine::ALL {
        let app = TestApp::start(engine).await;
        let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
        let browser = app.browser();
        let (page, code, pending) = browser.sign_in_to_code_page(&app, &client, &patient).await;
        let first_cookie = browser.cookie("browser").unwrap();
        let wrong = if code == "135790" { "135791" } else { "135790" };
        let refused = browser.submit_code(&page, wrong).await;
        let landed =
            browser.submit_code(&refused, &code).await.authorization_response(pending.clone());
        let tokens = client.redeem_tokens(&app, &landed).await;
        let wrong_secret =
            Client { secret: Some("client-secret-canary".to_owned()), ..client.clone() };
        let error = wrong_secret.redeem(&app, &landed).await;
        let secrets = [
            patient.password.as_str(),
            &code,
            wrong,
            &first_cookie,
            &browser.cookie("browser").unwrap(),
            &browser.cookie("session").unwrap(),
            &landed.code(),
            &landed.pending.verifier,
            client.secret.as_deref().unwrap(),
            "client-secret-canary",
            tokens["id_token"].as_str().unwrap(),
            tokens["access_token"].as_str().unwrap(),
        ];
        let trail = trail(&app).await;
        let logged = log.text();
        assert!(logged.contains("/login/code"), "requests are logged: {logged}");
        for secret in secrets {
            assert!(!logged.contains(secret), "in the log on {engine:?}: {secret}");
            assert!(!trail.contains(secret), "in the trail: {secret}");
            assert!(!error.body.contains(secret), "in an error: {secret}");
        }
        assert!(!refused.url.as_str().contains(&code) && !page.url.as_str().contains(&code));
        // A person's mail address is in no log line either.
        assert!(!logged.contains(&patient.email), "{engine:?}");
    }
}

async fn trail(app: &TestApp) -> String {
    let mut conn = app.replica_db().read().await.unwrap();
    let rows: Vec<(String, String, String, String)> =
        store::Sql::q(&mut conn, "SELECT event, outcome, actor, detail FROM audit")
            .fetch_all()
            .await
            .unwrap();
    format!("{rows:?}")
}

/// With the database alone, no code can be computed and no secret decrypted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn database_holds_no_plain_secret() {
    let app = TestApp::start(Engine::Sqlite).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (page, code, pending) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    let wrong = if code == "135790" { "135791" } else { "135790" };
    let page = browser.submit_code(&page, wrong).await;
    let landed = browser.submit_code(&page, &code).await.authorization_response(pending);
    let tokens = client.redeem_tokens(&app, &landed).await;
    let store::DbConfig::Sqlite { file, .. } = app.db.config() else { unreachable!() };
    let mut bytes = std::fs::read(file).unwrap();
    bytes.extend(std::fs::read(file.with_extension("db-wal")).unwrap_or_default());
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds(&patient.email), "the file is the one in use");
    let session = browser.cookie("session").unwrap();
    for secret in [
        patient.password.as_str(),
        wrong,
        &session,
        &landed.code(),
        client.secret.as_deref().unwrap(),
        tokens["access_token"].as_str().unwrap(),
        "-----BEGIN",
    ] {
        assert!(!holds(secret), "{secret}");
    }
    // Six digits may be in any number; the code is nowhere a text of its own.
    assert!(!holds(&format!("\"{code}\"")) && !holds(&format!(" {code} ")));
    // Another root key decrypts none of it.
    let mut foreign =
        keys::RootKeys::new(&[keys::RootKey::parse("test", &[8; 32]).unwrap()]).unwrap();
    let mut conn = app.replica_db().read().await.unwrap();
    assert!(flows::signing_keys::load(&foreign, &mut conn).await.is_err());
    assert!(flows::root_keys::load_carried(&mut foreign, &mut conn).await.is_err());
}
