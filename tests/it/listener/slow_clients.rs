//! A client that takes its time is cut off, whatever it does with it, and nobody else waits meanwhile.

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

/// A provider whose limit of one kind is short, and the others long.
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

/// Another client is served. A connection whose head the machine did not let through within [`SHORT`] is cut like any other
/// that is slow, and is made again; what is answered is good.
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
    let ((said, lived), ()) = tokio::join!(slow.drip(b'a'), assert_served(&app));
    println!("a head that grows by a byte every 30 ms lived {lived:?} (limit {SHORT:?})");
    assert_eq!(said, "");
    assert!(lived >= SHORT);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_connection_is_closed() {
    let app = app_with_limits(|limits| limits.header_time = SHORT).await;
    let (said, lived) = RawConnection::connect(app.first().address).await.until_closed().await;
    println!("a connection that says nothing lived {lived:?} (limit {SHORT:?})");
    assert!(said.is_empty() && lived >= SHORT);
}

/// The limit of a head holds for every request of a connection, not for the first alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unfinished_later_header_is_closed() {
    let app = app_with_limits(|limits| limits.header_time = SHORT).await;
    let mut slow = RawConnection::connect(app.first().address).await;
    slow.write(&(head(&app, "GET /oauth2/jwks") + "\r\n")).await;
    assert!(slow.read_response().await.starts_with("HTTP/1.1 200"));
    // It may rest for longer than a head may take, and then ask: time itself is what is tested, and no clock moves it.
    tokio::time::sleep(2 * SHORT).await;
    slow.write(&(head(&app, "GET /oauth2/jwks") + "\r\n")).await;
    assert!(slow.read_response().await.starts_with("HTTP/1.1 200"));
    slow.write(&head(&app, "GET /oauth2/jwks")).await;
    let (said, lived) = slow.drip(b'a').await;
    println!("the third head of a connection was cut; the connection lived {lived:?}");
    assert_eq!(said, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connection_is_closed() {
    let app = app_with_limits(|limits| limits.idle_time = SHORT).await;
    let mut idle = RawConnection::connect(app.first().address).await;
    idle.write(&(head(&app, "GET /oauth2/jwks") + "\r\n")).await;
    assert!(idle.read_response().await.starts_with("HTTP/1.1 200"));
    let (said, lived) = idle.until_closed().await;
    println!("a connection that rests after an answer lived {lived:?} (limit {SHORT:?})");
    assert!(said.is_empty() && lived >= SHORT);
}

/// It asks and asks and reads no answer: once nothing more can be sent to it, nothing more is taken from it, and it
/// counts as one that rests.
#[tokio::test]
async fn unread_responses_close_connection() {
    let log = CapturedLog::start();
    let app = app_with_limits(|limits| limits.idle_time = SHORT).await;
    let mut deaf = RawConnection::connect_with_small_window(app.first().address).await;
    let page = head(&app, "GET /nothing/is/here") + "\r\n";
    let ((taken, lived), ()) = tokio::join!(deaf.write_without_reading(&page), assert_served(&app));
    println!(
        "a client that reads no answer lived {lived:?} (limit {SHORT:?}); {taken} bytes of its requests were taken"
    );
    assert!(lived >= SHORT && taken > page.len());
    // It was asked to end first, and could not, for want of somebody who reads.
    let cut = log.lines("message", "a connection took too long");
    assert!(cut.len() == 1 && cut[0]["doing"] == "Idle", "{}", log.text());
}

/// A total, not a limit per piece: each byte comes well within it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unfinished_body_is_408() {
    let app = app_with_limits(|limits| limits.body_time = SHORT).await;
    for path in ["/login/password", "/oauth2/token"] {
        let mut slow = RawConnection::connect(app.first().address).await;
        let head = head(&app, &format!("POST {path}"))
            + "content-type: application/x-www-form-urlencoded\r\ncontent-length: 60000\r\n\r\n";
        slow.write(&head).await;
        let (said, lived) = slow.drip(b'a').await;
        println!(
            "{path}: a body that grows by a byte every 30 ms lived {lived:?} (limit {SHORT:?})"
        );
        assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
        assert!(lived >= SHORT);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unfinished_handshake_is_closed() {
    let app = app_with_limits_and_tls(|limits| limits.handshake_time = SHORT, true).await;
    let address = app.first().address;
    let mut silent = RawConnection::connect(address).await;
    let mut begun = RawConnection::connect(address).await;
    // A record of a client's greeting that says 512 bytes, and then comes byte by byte.
    begun.write("\x16\x03\x01\x02\x00\x01").await;
    // Handshakes do not wait for each other.
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
        let (said, _) = large.until_closed().await;
        assert!(
            said.starts_with("HTTP/1.1 431 ") || said.starts_with("HTTP/1.1 414 "),
            "{what}: {said}"
        );
        println!("{what}: {}", said.lines().next().unwrap_or_default());
    }
}

/// HTTP/2 has the same limits: a head that is too large, and a body that never ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http2_header_and_body_are_limited() {
    let app = app_with_limits(|limits| limits.body_time = SHORT).await;
    let client = reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().unwrap();
    let jwks = format!("{}/oauth2/jwks", app.issuer());
    let large = client.get(&jwks).header("x-large", "a".repeat(20_000)).send().await.unwrap();
    assert_eq!((large.status().as_u16(), large.version()), (431, reqwest::Version::HTTP_2));
    // A client that takes its time is what is tested.
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
