//! A slow client is disconnected in every phase of a request, and other clients do not wait meanwhile.

use std::time::Duration;

use idp::config::LimitsConfig;
use vestibule_tests::{
    app::{Options, TestApp},
    db::Engine,
    log::CapturedLog,
    wait::until,
};

use super::raw_client::RawConnection;

pub(super) const SHORT: Duration = Duration::from_millis(400);

/// A provider with one short limit; the other limits are long.
pub(super) async fn app_with_limits(change: impl FnOnce(&mut LimitsConfig)) -> TestApp {
    app_with_limits_and_tls(change, false).await
}

async fn app_with_limits_and_tls(change: impl FnOnce(&mut LimitsConfig), tls: bool) -> TestApp {
    let long = Duration::from_mins(10);
    let mut limits = LimitsConfig {
        handshake_time: long,
        header_time: long,
        body_time: long,
        idle_time: long,
        ..LimitsConfig::default()
    };
    change(&mut limits);
    TestApp::start_with(Engine::Sqlite, Options { limits, tls, ..Options::default() }).await
}

/// Another client is served. A connection that the busy machine delays beyond [`SHORT`] is closed like any slow one, and is
/// opened again; what matters is that a response arrives.
pub(super) async fn assert_served(app: &TestApp) {
    let answered = async || app.browser().try_get("/oauth2/jwks").await;
    assert_eq!(until("others are served", answered).await.status, 200);
}

fn head(app: &TestApp, request: &str) -> String {
    let host = app.issuer().split_once("//").expect("an address").1;
    format!("{request} HTTP/1.1\r\nhost: {host}\r\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unfinished_header_is_closed() {
    let app = app_with_limits(|limits| limits.header_time = SHORT).await;
    let mut slow = RawConnection::connect(app.first().address).await;
    slow.write(&head(&app, "GET /oauth2/jwks")).await;
    slow.write("x-slow: ").await;
    let ((response, open_for), ()) = tokio::join!(slow.drip(b'a'), assert_served(&app));
    println!(
        "a header that grows by a byte every 30 ms was closed after {open_for:?} (limit {SHORT:?})"
    );
    assert_eq!(response, "");
    assert!(open_for >= SHORT);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_connection_is_closed() {
    let app = app_with_limits(|limits| limits.header_time = SHORT).await;
    let (response, open_for) =
        RawConnection::connect(app.first().address).await.until_closed().await;
    println!("a silent connection was closed after {open_for:?} (limit {SHORT:?})");
    assert!(response.is_empty() && open_for >= SHORT);
}

/// The time limit of a header applies to every request of a connection, not only to the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unfinished_later_header_is_closed() {
    let app = app_with_limits(|limits| limits.header_time = SHORT).await;
    let mut slow = RawConnection::connect(app.first().address).await;
    slow.write(&(head(&app, "GET /oauth2/jwks") + "\r\n")).await;
    assert!(slow.read_response().await.starts_with("HTTP/1.1 200"));
    // It may be idle for longer than a header may take, and then send a request: real time is tested, so no clock is moved.
    tokio::time::sleep(2 * SHORT).await;
    slow.write(&(head(&app, "GET /oauth2/jwks") + "\r\n")).await;
    assert!(slow.read_response().await.starts_with("HTTP/1.1 200"));
    slow.write(&head(&app, "GET /oauth2/jwks")).await;
    let (response, open_for) = slow.drip(b'a').await;
    println!(
        "the third header of a connection timed out; the connection was open for {open_for:?}"
    );
    assert_eq!(response, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connection_is_closed() {
    let app = app_with_limits(|limits| limits.idle_time = SHORT).await;
    let mut idle = RawConnection::connect(app.first().address).await;
    idle.write(&(head(&app, "GET /oauth2/jwks") + "\r\n")).await;
    assert!(idle.read_response().await.starts_with("HTTP/1.1 200"));
    let (response, open_for) = idle.until_closed().await;
    println!("an idle connection was closed after {open_for:?} (limit {SHORT:?})");
    assert!(response.is_empty() && open_for >= SHORT);
}

/// It sends requests and reads no responses: once the send buffer is full, the server reads no more from it, and the
/// connection counts as idle.
#[tokio::test]
async fn unread_responses_close_connection() {
    let log = CapturedLog::start();
    let app = app_with_limits(|limits| limits.idle_time = SHORT).await;
    let mut non_reading = RawConnection::connect_with_small_window(app.first().address).await;
    let page = head(&app, "GET /nothing/is/here") + "\r\n";
    let ((taken, open_for), ()) =
        tokio::join!(non_reading.write_without_reading(&page), assert_served(&app));
    println!(
        "a client that reads no response was closed after {open_for:?} (limit {SHORT:?}); {taken} bytes of its requests were read"
    );
    assert!(open_for >= SHORT && taken > page.len());
    // A graceful close was tried first, and failed because the client does not read.
    let cut = log.lines("message", "a connection took too long");
    assert!(cut.len() == 1 && cut[0]["doing"] == "Idle", "{}", log.text());
}

/// The limit is for the whole body, not for each piece: every byte arrives well within it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unfinished_body_is_408() {
    let app = app_with_limits(|limits| limits.body_time = SHORT).await;
    for path in ["/login/password", "/oauth2/token"] {
        let mut slow = RawConnection::connect(app.first().address).await;
        let head = head(&app, &format!("POST {path}"))
            + "content-type: application/x-www-form-urlencoded\r\ncookie: a=b\r\ncontent-length: 6000\r\n\r\n";
        slow.write(&head).await;
        let (response, open_for) = slow.drip(b'a').await;
        println!(
            "{path}: a body that grows by a byte every 30 ms was closed after {open_for:?} (limit {SHORT:?})"
        );
        assert!(response.starts_with("HTTP/1.1 408 "), "{response}");
        assert!(open_for >= SHORT);
    }
}

/// A body that no handler reads is waited for shortly: without a cookie of ours, or of another type than a form's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unused_body_is_not_awaited() {
    let app = app_with_limits(|_| {}).await;
    for (path, kind, status, words) in [
        ("/login/password", "application/x-www-form-urlencoded", "400", "does not keep our cookie"),
        ("/oauth2/token", "application/json", "415", "invalid_request"),
    ] {
        let mut slow = RawConnection::connect(app.first().address).await;
        let head = head(&app, &format!("POST {path}"))
            + &format!("content-type: {kind}\r\ncontent-length: 6000\r\n\r\n");
        slow.write(&head).await;
        let (response, open_for) = slow.drip(b'a').await;
        println!("{path}: answered without its body after {open_for:?}");
        assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{response}");
        assert!(response.contains(words), "{response}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unfinished_handshake_is_closed() {
    let app = app_with_limits_and_tls(|limits| limits.handshake_time = SHORT, true).await;
    let address = app.first().address;
    let mut silent = RawConnection::connect(address).await;
    let mut begun = RawConnection::connect(address).await;
    // The header of a ClientHello record that declares 512 bytes, which then arrive byte by byte.
    begun.write("\x16\x03\x01\x02\x00\x01").await;
    // Handshakes do not block each other.
    let (silent, begun, ()) =
        tokio::join!(silent.until_closed(), begun.drip(0), assert_served(&app));
    println!("handshakes: silent {:?}, byte by byte {:?} (limit {SHORT:?})", silent.1, begun.1);
    assert!(silent.1 >= SHORT && silent.0.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn header_over_limit_is_431() {
    let app = app_with_limits(|_| {}).await;
    let long = "a".repeat(20_000);
    let many = "x-many: y\r\n".repeat(150);
    for (what, request) in [
        ("a header of 20 kB", head(&app, "GET /oauth2/jwks") + &format!("x-large: {long}\r\n\r\n")),
        ("150 headers", head(&app, "GET /oauth2/jwks") + &many + "\r\n"),
        (
            "an address of 20 kB",
            head(&app, &format!("GET /oauth2/authorize?state={long}")) + "\r\n",
        ),
    ] {
        let mut large = RawConnection::connect(app.first().address).await;
        large.write(&request).await;
        let (response, _) = large.until_closed().await;
        assert!(response.starts_with("HTTP/1.1 431 "), "{what}: {response}");
        assert!(response.contains("\r\ncontent-type: text/plain"), "{what}: {response}");
        let (_, body) = response.split_once("\r\n\r\n").expect("a head");
        assert!(body.contains("Delete the cookies of this site"), "{what}: {response}");
        assert!(response.contains(&format!("\r\ncontent-length: {}\r\n", body.len())), "{what}");
        println!("{what}: {}", response.lines().next().unwrap_or_default());
    }
}

/// HTTP/2 has the same limits: a header that is too large, and a body that never ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http2_header_and_body_are_limited() {
    let app = app_with_limits(|limits| limits.body_time = SHORT).await;
    let client = reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().unwrap();
    let jwks = format!("{}/oauth2/jwks", app.issuer());
    let large = client.get(&jwks).header("x-large", "a".repeat(20_000)).send().await.unwrap();
    assert_eq!((large.status().as_u16(), large.version()), (431, reqwest::Version::HTTP_2));
    assert!(large.text().await.unwrap().contains("Delete the cookies of this site"));
    let larger = client.get(&jwks).header("x-large", "a".repeat(40_000)).send().await.unwrap();
    assert_eq!(larger.status(), 431, "with or without a text");
    // The delay between pieces is the slow client under test.
    let drops = futures_util::stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        Some((Ok::<_, std::io::Error>("a"), ()))
    });
    let slow = client
        .post(format!("{}/oauth2/token", app.issuer()))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(reqwest::Body::wrap_stream(drops));
    let (slow, other) = tokio::join!(slow.send(), client.get(&jwks).send());
    assert_eq!(other.unwrap().status(), 200, "another stream of the connection");
    assert_eq!(slow.unwrap().status(), 408);
}
