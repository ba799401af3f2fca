//! A network that opens many connections uses up only its own limit, and a full listener answers with 503.

use idp::config::LimitsConfig;
use vestibule_tests::{
    app::{Options, TestApp},
    db::{Engine, TestDb},
    serve_process::ServeSetup,
    wait::until,
};

use super::raw_client::RawConnection;

async fn app_with_limits(limits: LimitsConfig, proxies: Vec<&'static str>) -> TestApp {
    TestApp::start_with(Engine::Sqlite, Options { limits, proxies, ..Options::default() }).await
}

fn request(app: &TestApp) -> String {
    let host = app.issuer().split_once("//").expect("an address").1;
    format!("GET /oauth2/jwks HTTP/1.1\r\nhost: {host}\r\n\r\n")
}

/// Keep-alive connections that are idle after one response.
async fn open_idle_connections(app: &TestApp, own: &str, many: usize) -> Vec<RawConnection> {
    let mut all = Vec::new();
    for _ in 0..many {
        let mut one = RawConnection::connect_from(own, app.first().address).await;
        one.write(&request(app)).await;
        assert!(one.read_response().await.starts_with("HTTP/1.1 200"));
        all.push(one);
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn network_limit_spares_other_networks() {
    let limits = LimitsConfig { connections_per_network: 8, ..LimitsConfig::default() };
    let app = app_with_limits(limits, Vec::new()).await;
    let mut held = open_idle_connections(&app, "127.0.0.1", 8).await;
    let mut more = RawConnection::connect_from("127.0.0.1", app.first().address).await;
    more.write(&request(&app)).await;
    let (response, open_for) = more.until_closed().await;
    println!("the ninth connection of a network was answered after {open_for:?}: {response:?}");
    assert!(
        response.starts_with("HTTP/1.1 503 ") && response.contains("\r\nretry-after: 5\r\n"),
        "{response}"
    );
    assert!(response.ends_with("Please try again in a moment."));
    // Another network is served, and so are the open connections.
    open_idle_connections(&app, "127.0.0.2", 1).await;
    held[0].write(&request(&app)).await;
    assert!(held[0].read_response().await.starts_with("HTTP/1.1 200"));
    // A released permit can be used again.
    held.truncate(4);
    wait_until_served(&app, "127.0.0.1").await;
}

/// Waits until a connection of a network is served: the server needs a moment to detect a closed one.
async fn wait_until_served(app: &TestApp, own: &str) {
    let served = async || {
        let mut one = RawConnection::connect_from(own, app.first().address).await;
        one.write(&request(app)).await;
        let answer = one.read_response().await;
        if answer.starts_with("HTTP/1.1 200") { Ok(()) } else { Err(answer) }
    };
    until("a connection is served again", served).await;
}

/// All clients share the proxy's address: it has no limit of its own, but the listener can be full.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trusted_proxy_has_no_network_limit() {
    let limits =
        LimitsConfig { connections: 6, connections_per_network: 2, ..LimitsConfig::default() };
    let app = app_with_limits(limits, vec!["127.0.0.9/32"]).await;
    let proxy = open_idle_connections(&app, "127.0.0.9", 6).await;
    let mut more = RawConnection::connect_from("127.0.0.1", app.first().address).await;
    let (response, _) = more.until_closed().await;
    assert!(response.starts_with("HTTP/1.1 503 "), "{response}");
    drop(proxy);
    wait_until_served(&app, "127.0.0.1").await;
}

/// The limit of open files is below the limit of connections: the accept loop pauses, raises an alarm, and continues.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exhausted_file_descriptors_raise_alarm() {
    let db = TestDb::create(Engine::Sqlite).await;
    let served = ServeSetup::prepare(Engine::Sqlite, &db).await;
    let mut serve = served
        .serve_with(|command| {
            let command = command.into_std();
            let mut limited = tokio::process::Command::new("sh");
            limited.args(["-c", "ulimit -n 100; exec \"$@\"", "sh"]);
            limited.arg(command.get_program()).args(command.get_args());
            limited
        })
        .await;
    let address = served.issuer().replace("http://localhost", "127.0.0.1").parse().unwrap();
    let mut many = Vec::new();
    for _ in 0..140 {
        many.push(RawConnection::connect(address).await);
    }
    serve.wait_for_output("alarm: no connection can be accepted").await;
    drop(many);
    let jwks = format!("{}/oauth2/jwks", served.issuer());
    assert_eq!(reqwest::get(jwks).await.unwrap().status(), 200, "it still serves");
    assert!(serve.terminate().await.success());
}
