//! Rows that a newer program wrote: each row is unusable by itself; the snapshot and the program remain usable.

use serde_json::Value;
use store::{JobId, Sql};
use uuid::Uuid;
use vestibule_tests::{
    app::TestApp,
    client::{Client, PendingRequest, get_userinfo},
    db::Engine,
    metrics::Scrape,
    proc::{run, run_with_status},
    serve_process::ServeSetup,
};

use crate::engines::{apply, both_engines};

/// Changes that a newer program may have made to clients that this one registered.
const NEWER_CLIENTS: [(&str, &str); 5] = [
    (
        "method",
        "UPDATE clients SET metadata = REPLACE(metadata, 'client_secret_basic', 'private_key_jwt'), secret_1 = NULL
         WHERE id = 'method'",
    ),
    (
        "algorithm",
        "UPDATE clients SET metadata = REPLACE(metadata, '\"RS256\"', '\"ML-DSA-65\"') WHERE id = 'algorithm'",
    ),
    (
        "subject",
        "UPDATE clients SET metadata = REPLACE(REPLACE(metadata, '\"public\"', '\"ephemeral\"'), '\"pairwise\"', '\"ephemeral\"')
         WHERE id = 'subject'",
    ),
    // Not a newer program but a manual change: it breaks a rule that the schema cannot enforce.
    ("secret", "UPDATE clients SET secret_1 = NULL WHERE id = 'secret'"),
    (
        "pkce",
        "UPDATE clients SET metadata = REPLACE(metadata, 'client_secret_basic', 'none'), secret_1 = NULL,
                            operator = REPLACE(operator, '\"required\"', '\"optional\"') WHERE id = 'pkce'",
    ),
];

/// Keys and jobs that a newer program may have added.
const NEWER_ROWS: [&str; 4] = [
    "INSERT INTO signing_keys (id, algorithm, sealed, created_at, signs_from) VALUES ('newer', 'ML-DSA-65', $1, 0, 0)",
    "INSERT INTO ended_keys (id, algorithm, public, ended_at) VALUES ('newer-ended', 'ML-DSA-65', $1, 4000000000000)",
    "INSERT INTO key_successions (algorithm, follows, kid) VALUES ('ML-DSA-65', '', 'newer')",
    "UPDATE revisions SET version = version + 1",
];

/// Registers the clients and adds the rows.
async fn fill(app: &TestApp) -> Vec<Client> {
    let mut clients = Vec::new();
    for (id, _) in NEWER_CLIENTS {
        clients.push(app.client_with(id, |_| {}).await);
    }
    let written: store::Result<()> = app
        .replica_db()
        .write(async |tx| {
            for (_, sql) in NEWER_CLIENTS {
                assert_eq!(tx.q(sql).execute().await?, 1, "{sql}");
            }
            for sql in NEWER_ROWS {
                let statement = tx.q(sql);
                let bytes = vec![1_u8; 64];
                let statement = if sql.contains("$1") { statement.bind(bytes) } else { statement };
                assert!(statement.execute().await? > 0, "{sql}");
            }
            for (lane, kind) in [("logout", "mail"), ("notice", "logout"), ("logout", "logout")] {
                tx.q("INSERT INTO jobs (id, lane, kind, payload, created_at, run_at, tries)
                      VALUES ($1, $2, $3, '{\"of\":\"a newer build\"}', 0, 0, 0)")
                    .bind(JobId::from(Uuid::new_v4()))
                    .bind(lane)
                    .bind(kind)
                    .execute()
                    .await?;
            }
            Ok(())
        })
        .await;
    written.unwrap();
    clients
}

#[apply(both_engines)]
async fn newer_row_is_unusable_alone(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (portal, patient) = (app.client("portal").await, app.patient("Mere").await);
    let unusable = fill(&app).await;
    // A running replica reads them, and so does one that starts with them.
    app.refresh().await;
    let late = app.replica().await;
    for replica in [app.first(), &late] {
        let ready = reqwest::get(format!("http://{}/readyz", replica.ops)).await.unwrap();
        assert_eq!(ready.status(), 200, "{}", ready.text().await.unwrap());
        let browser = app.browser_at(replica);
        let landed = browser.sign_in(&app, &portal, &patient).await;
        let tokens = portal.redeem_tokens(&app, &landed).await;
        assert_eq!(get_userinfo(&app, tokens["access_token"].as_str().unwrap()).await.status, 200);
        for client in &unusable {
            let page = browser.get(PendingRequest::new(client).url(app.issuer(), &[])).await;
            assert_eq!(page.status, 400, "{}: {}", client.id, page.text());
            let params = [("grant_type", "authorization_code"), ("code", "x")];
            let refused = client.call_token_at(&browser, &params).await;
            assert_eq!(refused.json()["error"], "invalid_client", "{}", client.id);
        }
        let set: Value = browser.get("/oauth2/jwks").await.json();
        let keys = set["keys"].as_array().unwrap();
        assert!(keys.len() == 3 && keys.iter().all(|key| key["kid"] != "newer"), "{set}");
        let scrape = Scrape::fetch(replica).await;
        for (table, rows) in
            [("clients", 5.0), ("signing_keys", 1.0), ("ended_keys", 1.0), ("jobs", 3.0)]
        {
            let shown = scrape.value("vestibule_unusable_rows", &[("table", table)]);
            assert_eq!(shown, Some(rows), "{table}");
        }
    }
}

/// The periodic tasks read all keys and leave these unchanged. So does every command.
#[apply(both_engines)]
async fn tasks_and_commands_keep_newer_rows(engine: Engine) {
    let app = TestApp::start(engine).await;
    app.client("portal").await;
    fill(&app).await;
    let served = ServeSetup::prepare(engine, &app.db).await;
    let tended = flows::signing_keys::maintain(&app.cx()).await.unwrap();
    assert_eq!(tended, flows::signing_keys::MaintenanceReport::default());
    flows::signing_keys::ensure(&app.cx()).await.unwrap();
    let listed = run(served.command(&["key", "list"]), "").await;
    assert!(listed.contains("newer") && listed.contains("ML-DSA-65"), "{listed}");
    run(served.change_command(&["key", "rotate", "--alg", "es256"]), "").await;
    let clients = run(served.command(&["client", "list"]), "").await;
    let algorithm = clients.lines().find(|line| line.starts_with("algorithm "));
    assert!(
        clients.contains("portal") && algorithm.is_some_and(|line| line.contains("unusable")),
        "{clients}"
    );
    let (code, _, error) = run_with_status(served.command(&["client", "show", "method"]), "").await;
    assert!(code == 1 && error.contains("method cannot be used by this build"), "{error}");
    let (_, found, _) = run_with_status(served.command(&["doctor"]), "").await;
    assert!(found.contains("opens the signing keys (4)"), "the newer one is not opened: {found}");
    assert!(served.serve().await.terminate().await.success());
    let kept = "SELECT (SELECT COUNT(*) FROM signing_keys WHERE id = 'newer')
                     + (SELECT COUNT(*) FROM ended_keys WHERE id = 'newer-ended')
                     + (SELECT COUNT(*) FROM jobs WHERE payload LIKE '%a newer build%'
                        AND done_at IS NULL AND failed_at IS NULL)";
    assert_eq!(app.count(kept).await, 5);
}
