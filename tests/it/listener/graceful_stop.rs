//! A replica stops without a lost request.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use idp::config::ShutdownConfig;
use vestibule_tests::{
    app::{Options, Replica, TestApp},
    db::Engine,
    wait::{LIMIT, retry_while_slow, until, until_equal},
};

use super::raw_client::RawConnection;
use crate::engines::{apply, both_engines};

const DELAY: Duration = Duration::from_secs(2);
const LONGEST_DELAY: Duration = Duration::from_secs(32);

pub(super) async fn app_with_shutdown(
    engine: vestibule_tests::db::Engine,
    delay: Duration,
    grace: Duration,
) -> TestApp {
    let shutdown = ShutdownConfig { delay, grace };
    TestApp::start_with(engine, Options { shutdown, ..Options::default() }).await
}

/// A post whose handler waits for its body, so it is known to be in flight.
pub(super) async fn post_in_flight(app: &TestApp, replica: &Replica) -> RawConnection {
    let host = app.issuer().split_once("//").unwrap().1;
    let mut raw = RawConnection::connect(replica.address).await;
    raw.write(&format!(
        "POST /oauth2/token HTTP/1.1\r\nhost: {host}\r\nexpect: 100-continue\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: 18\r\n\r\n"
    ))
    .await;
    assert!(
        raw.read_response().await.starts_with("HTTP/1.1 100 "),
        "the handler waits for the body"
    );
    raw
}

/// Waits until the port refuses connections.
pub(super) async fn until_refused(replica: &Replica) {
    let refused = async || tokio::net::TcpStream::connect(replica.address).await.is_err();
    until("the listener is closed", refused).await;
}

async fn ready(replica: &Replica) -> (u16, serde_json::Value) {
    let asked = async || {
        let answer = reqwest::get(format!("http://{}/readyz", replica.ops)).await?;
        Ok::<_, reqwest::Error>((answer.status().as_u16(), answer.json().await?))
    };
    until("an answer to a probe", asked).await
}

/// `/readyz` is unready first, requests are still accepted, and requests in flight are finished after the listener closes.
#[apply(both_engines)]
async fn shutdown_is_unready_before_closing(engine: Engine) {
    // Twice as long each time: on a busy machine a short delay is over before it is observed.
    let mut delay = DELAY / 2;
    let stopped = async || {
        delay = (2 * delay).min(LONGEST_DELAY);
        try_stop_after(engine, delay).await
    };
    retry_while_slow("a delay before the listener closes", stopped).await;
}

async fn try_stop_after(engine: Engine, delay: Duration) -> Option<()> {
    // The request in flight ends when the test ends it.
    let app = app_with_shutdown(engine, delay, LIMIT).await;
    let replica = app.replica().await;
    let mut begun = post_in_flight(&app, &replica).await;
    assert_eq!(ready(&replica).await.0, 200);
    let asked = Instant::now();
    replica.ask_to_stop();
    until_equal("the status of a probe during shutdown", 503, async || ready(&replica).await.0)
        .await;
    assert_eq!(ready(&replica).await.1["stopping"], true);
    // Still open, and announces that it closes.
    let page = app.browser_at(&replica).try_get("/oauth2/jwks").await;
    if asked.elapsed() >= delay {
        return None;
    }
    let page = page.expect("the listener is open");
    assert_eq!((page.status.as_u16(), page.header("connection")), (200, "close"));
    until_refused(&replica).await;
    assert!(asked.elapsed() >= delay, "it listened for {:?}", asked.elapsed());
    assert_eq!(ready(&replica).await.0, 503, "probes are answered to the end");
    begun.write("grant_type=unknown").await;
    let (response, _) = begun.until_closed().await;
    assert!(
        response.starts_with("HTTP/1.1 40") && response.contains("connection: close"),
        "{response}"
    );
    assert!(response.contains("reference") || response.contains("error"), "{response}");
    replica.wait_until_stopped().await;
    Some(())
}

/// Under load over keep-alive connections of HTTP/1.1 and over HTTP/2, one of two replicas stops. The client switches to the
/// other one when a connection is refused, and repeats nothing else: every accepted request is answered.
#[apply(both_engines)]
async fn shutdown_answers_every_accepted_request(engine: Engine) {
    let app = Arc::new(app_with_shutdown(engine, DELAY, Duration::from_secs(20)).await);
    let portal = app.client("portal").await;
    let other = app.replica().await;
    other.app.live.refresh(&other.app.db, &other.app.root).await.unwrap();
    let page = vestibule_tests::client::PendingRequest::new(&portal).url(app.issuer(), &[]);
    let path = page.strip_prefix(app.issuer()).unwrap().to_owned();
    let load = Arc::new(RequestLoad { path, ..RequestLoad::default() });
    let clients: Vec<_> = (0..12)
        .map(|nth| {
            let to = (app.issuer().to_owned(), other.address);
            tokio::spawn(send_requests(Arc::clone(&load), nth % 2 == 0, to))
        })
        .collect();
    load.wait_for_answers(100).await;
    app.first().ask_to_stop();
    until_refused(app.first()).await;
    let here = load.here.load(Ordering::SeqCst);
    load.wait_for_answers(here + load.there.load(Ordering::SeqCst) + 100).await;
    load.stop.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.unwrap();
    }
    let count = |of: &AtomicUsize| of.load(Ordering::SeqCst);
    println!(
        "{engine:?}: {} answered by the one that stopped, {} by the other, {} connections refused, {} lost",
        count(&load.here),
        count(&load.there),
        count(&load.refused),
        count(&load.lost)
    );
    assert_eq!(count(&load.lost), 0);
    assert!(count(&load.there) > 0 && count(&load.refused) > 0);
    other.stop().await;
}

#[derive(Default)]
struct RequestLoad {
    path: String,
    stop: AtomicBool,
    here: AtomicUsize,
    there: AtomicUsize,
    refused: AtomicUsize,
    lost: AtomicUsize,
}

impl RequestLoad {
    /// Waits until so many requests were answered in total.
    async fn wait_for_answers(&self, many: usize) {
        let answered = async || {
            let count = self.here.load(Ordering::SeqCst) + self.there.load(Ordering::SeqCst);
            if count < many { Err(count) } else { Ok(()) }
        };
        until("answers", answered).await;
    }
}

/// One client: it fetches sign-in pages from the first replica, and from the second once the first refuses a connection.
async fn send_requests(
    load: Arc<RequestLoad>,
    http2: bool,
    (issuer, second): (String, std::net::SocketAddr),
) {
    let builder = reqwest::Client::builder().no_proxy();
    let builder = if http2 {
        // It repeats requests that GOAWAY declares unprocessed (RFC 9113, section 6.8), and nothing else.
        builder.http2_prior_knowledge()
    } else {
        builder.http1_only().retry(reqwest::retry::never())
    };
    let first = builder.build().unwrap();
    let fallback = reqwest::Client::builder().no_proxy().build().unwrap();
    let host = issuer.split_once("//").unwrap().1;
    while !load.stop.load(Ordering::SeqCst) {
        let asked = first.get(format!("{issuer}{}", load.path)).send().await;
        match asked {
            Ok(answer) => {
                let whole = answer.status() == 200 && answer.text().await.is_ok();
                if whole { &load.here } else { &load.lost }.fetch_add(1, Ordering::SeqCst);
                continue;
            }
            Err(error) if error.is_connect() => load.refused.fetch_add(1, Ordering::SeqCst),
            Err(error) => {
                println!("lost (http2: {http2}): {error:?}");
                load.lost.fetch_add(1, Ordering::SeqCst)
            }
        };
        let url = format!("http://{second}{}", load.path);
        let answer = fallback.get(url).header("host", host).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        load.there.fetch_add(1, Ordering::SeqCst);
    }
}
