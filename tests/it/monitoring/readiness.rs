//! `/readyz`: no request is routed to a replica that cannot serve it.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;
use vestibule_tests::{
    app::TestApp,
    db::Engine,
    dedicated_servers::{DedicatedPostgres, StopMode},
    mail_server::MailServer,
    proc::{ChildProcess, idp_command, run},
    serve_process,
    tls::write_private_file,
    wait,
};

use crate::engines::{apply, both_engines};

async fn ready(ops: &str) -> (u16, Value) {
    let answer = reqwest::get(format!("http://{ops}/readyz")).await.expect("it answers");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

/// Waits until the response is as wanted; returns it, and how long that took.
async fn until(ops: &str, wanted: impl Fn(u16, &Value) -> bool) -> (Value, Duration) {
    let begun = Instant::now();
    let asked = async || {
        let (status, body) = ready(ops).await;
        if wanted(status, &body) { Ok(body) } else { Err((status, body)) }
    };
    (wait::until("the response of /readyz", asked).await, begun.elapsed())
}

/// Codes, sessions and leases depend on the time: a replica with a wrong clock gets no requests.
#[apply(both_engines)]
async fn wrong_clock_is_not_ready(engine: Engine) {
    let app = TestApp::start(engine).await;
    let ops = app.first().ops.to_string();
    assert_eq!(ready(&ops).await.0, 200);
    app.clock.advance(Duration::from_secs(3));
    let (body, _) = until(&ops, |status, _| status == 503).await;
    assert!(
        body["database"].as_str().unwrap().contains("clock of the database differs by"),
        "{body}"
    );
    app.clock.set(idp::clock::Clock::system().now());
    until(&ops, |status, _| status == 200).await;
}

/// A free port of this machine, as an address.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_outage_is_reported_and_recovers() {
    let (postgres, mail) = (DedicatedPostgres::start(), MailServer::start().await);
    let (folder, ops) = (TempDir::new().unwrap(), free_address());
    let root = folder.path().join("root.key");
    write_private_file(&root, &[7; 32]);
    let issuer = format!("http://localhost:{}", free_address().rsplit(':').next().unwrap());
    let text = serve_process::config_toml(&issuer, &postgres.url(None), None, &mail, &root);
    let file = folder.path().join("idp.toml");
    write_private_file(&file, text.as_bytes());
    let command = |name: &str| {
        let mut command = idp_command();
        command.args([name, "--config"]).arg(&file).env("IDP__LISTEN__OPS", &ops);
        command
    };
    run(command("migrate"), "").await;
    let mut serve = ChildProcess::spawn(command("serve"));
    let alive = async || reqwest::get(format!("http://{ops}/healthz")).await.map(drop);
    wait::until("it is alive", alive).await;
    assert_eq!(ready(&ops).await.0, 200, "{}", serve.output());
    postgres.stop_server(StopMode::Fast);
    let (body, after) = until(&ops, |_, body| body["database"] != "ok").await;
    println!("stopped: reported after {} ms: {body}", after.as_millis());
    // Still ready and alive: the sign-in page opens, a restart would not help, and no metric is stale.
    assert_eq!(ready(&ops).await.0, 200);
    assert_eq!(reqwest::get(format!("http://{ops}/healthz")).await.unwrap().status(), 200);
    let figures =
        reqwest::get(format!("http://{ops}/metrics")).await.unwrap().text().await.unwrap();
    for line in ["vestibule_ready 1.0", "vestibule_database_up 0.0"] {
        assert!(figures.contains(line), "{figures}");
    }
    assert!(!figures.contains("vestibule_database_clock_skew_seconds "), "{figures}");
    postgres.start_server();
    let (_, after) = until(&ops, |_, body| body["database"] == "ok").await;
    println!("started: reported after {} ms", after.as_millis());
    assert!(serve.terminate().await.success());
    postgres.stop_server(StopMode::Fast);
}
