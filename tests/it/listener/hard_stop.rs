//! A replica stops at once, and still answers every request in flight.

use std::time::{Duration, Instant};

use store::Sql;
use vestibule_tests::{
    app::{Replica, TestApp},
    blocking_tx::{BlockingTx, MOST_OF_LOCK_WAIT},
    db::Engine,
    http::HttpBrowser,
    page::Form,
    starvation_probe::StarvationProbe,
    wait,
};

use super::{
    graceful_stop::{app_with_shutdown, post_in_flight, until_refused},
    http2_client::{Http2Client, RETRY_AFTER_2, STATUS_503},
    http2_frames::{DATA, HEADERS},
    raw_client::RawConnection,
};
use crate::engines::{apply, both_engines};

/// A grace period that no test waits for.
const LONG_GRACE: Duration = Duration::from_mins(5);
/// How long a hard stop may take at most (docs/listener.md).
const HARD_STOP: Duration = Duration::from_millis(1500);

fn host(app: &TestApp) -> &str {
    app.issuer().split_once("//").expect("an address").1
}

/// The timing of a hard stop.
#[derive(Debug)]
struct HardStopTiming {
    took: Duration,
    /// How long the runtime was starved meanwhile.
    starved: Duration,
}

impl HardStopTiming {
    /// Whether there may have been no time to answer: the time limit of a hard stop also runs while the runtime is starved.
    fn was_starved(&self) -> bool {
        self.starved > HARD_STOP / 3
    }
}

/// Sends the second signal to a replica that has received the first.
async fn stop_hard(replica: Replica) -> HardStopTiming {
    let probe = StarvationProbe::start();
    let watch = probe.stopwatch();
    replica.ask_to_stop();
    replica.wait_until_stopped().await;
    let timing = HardStopTiming { took: watch.wall(), starved: watch.starved() };
    // The time for answers, and a moment to exit.
    assert!(timing.took.saturating_sub(timing.starved) < HARD_STOP * 2, "{timing:?}");
    timing
}

/// An HTTP/1.1 response that asks to retry, on another connection.
fn assert_retry_later(response: &str) {
    let head = response.split("\r\n\r\n").next().unwrap_or_default();
    assert!(response.starts_with("HTTP/1.1 503 "), "{response}");
    assert!(
        head.contains("\r\nconnection: close") && head.contains("\r\nretry-after: 2"),
        "{head}"
    );
}

/// Posts a form and returns the connection once the handler has asked for its body and the body is sent.
async fn post_form(
    app: &TestApp,
    replica: &Replica,
    browser: &HttpBrowser,
    form: &Form,
) -> RawConnection {
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    let body = body.extend_pairs(&form.fields).append_pair("action", "continue").finish();
    let cookie = browser.cookie("browser").expect("a cookie");
    let mut raw = RawConnection::connect(replica.address).await;
    raw.write(&format!(
        "POST {} HTTP/1.1\r\nhost: {}\r\nexpect: 100-continue\r\ncookie: vestibule-browser={cookie}\r\n\
         sec-fetch-site: same-origin\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {}\r\n\r\n",
        form.action,
        host(app),
        body.len()
    ))
    .await;
    assert!(
        raw.read_response().await.starts_with("HTTP/1.1 100 "),
        "the handler waits for the body"
    );
    assert!(raw.write(&body).await);
    raw
}

/// A second signal skips the grace period. Requests in flight are answered, and an incomplete request is not waited for.
#[apply(both_engines)]
async fn second_signal_stops_hard(engine: Engine) {
    wait::retry_while_slow("a hard stop", async || try_second_signal(engine).await).await;
}

async fn try_second_signal(engine: Engine) -> Option<()> {
    let app = app_with_shutdown(engine, Duration::ZERO, LONG_GRACE).await;
    let replica = app.replica().await;
    let mut begun = post_in_flight(&app, &replica).await;
    let mut half = RawConnection::connect(replica.address).await;
    half.write("GET /oauth2/jwks HTTP/1.1\r\nhost:").await;
    let mut multiplexed = Http2Client::connect(replica.address).await;
    multiplexed.begin_post(host(&app), "/oauth2/token").await;
    replica.ask_to_stop();
    until_refused(&replica).await;
    multiplexed.wait_for_goaway().await;
    let timing = stop_hard(replica).await;
    println!(
        "{engine:?}: stopped after the second signal, with a grace of {LONG_GRACE:?}: {timing:?}"
    );
    assert!(timing.took < LONG_GRACE / 2);
    let (response, _) = begun.until_closed().await;
    let frames = multiplexed.until_closed().await;
    let of = |kind, stream| frames.iter().rposition(|f| (f.kind, f.stream) == (kind, stream));
    let unanswered = response.is_empty() || of(HEADERS, 1).is_none() || of(DATA, 1).is_none();
    if unanswered && timing.was_starved() {
        return None;
    }
    assert_retry_later(&response);
    assert!(
        response.contains("temporarily_unavailable") && response.contains("reference"),
        "{response}"
    );
    assert_eq!(half.until_closed().await.0, "");
    let at = of(HEADERS, 1).unwrap_or_else(|| panic!("no answer: {frames:?}"));
    let holds = |part: &[u8]| frames[at].payload.windows(part.len()).any(|bytes| bytes == part);
    assert!(holds(STATUS_503) && holds(RETRY_AFTER_2), "{:?}", frames[at]);
    let body = of(DATA, 1).unwrap_or_else(|| panic!("no body: {frames:?}"));
    assert!(String::from_utf8_lossy(&frames[body].payload).contains("temporarily_unavailable"));
    Some(())
}

/// A request that never ends is answered after the grace period.
#[apply(both_engines)]
async fn endless_request_ends_after_grace(engine: Engine) {
    wait::retry_while_slow("the end of the grace", async || try_end_of_grace(engine).await).await;
}

async fn try_end_of_grace(engine: Engine) -> Option<()> {
    let grace = Duration::from_millis(300);
    let app = app_with_shutdown(engine, Duration::ZERO, grace).await;
    let replica = app.replica().await;
    let mut begun = post_in_flight(&app, &replica).await;
    let probe = StarvationProbe::start();
    let watch = probe.stopwatch();
    replica.stop().await;
    let starved = watch.starved() > HARD_STOP / 3;
    let (response, open_for) = begun.until_closed().await;
    if response.is_empty() && starved {
        return None;
    }
    println!("{engine:?}: a request in flight was given up after {open_for:?}");
    assert_retry_later(&response);
    Some(())
}

/// A post that waits for the database is cancelled: the page says that nothing is lost, nothing was written, and another
/// replica accepts the same form.
#[apply(both_engines)]
async fn uncommitted_post_is_reported_undone(engine: Engine) {
    wait::retry_while_slow("a post that waits", async || try_uncommitted_post(engine).await).await;
}

async fn try_uncommitted_post(engine: Engine) -> Option<()> {
    let app = app_with_shutdown(engine, Duration::ZERO, LONG_GRACE).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let replica = app.replica().await;
    let browser = app.browser();
    let (page, _) = browser.open_sign_in_page(&client).await;
    let form = page.form().with("email", &patient.email).with("password", &patient.password);
    let held = BlockingTx::open(
        app.db.open().await,
        match engine {
            // Blocks the single writer.
            Engine::Sqlite => "UPDATE revisions SET version = version WHERE topic = 'settings'",
            Engine::Postgres => "LOCK TABLE email_challenges IN ACCESS EXCLUSIVE MODE",
        },
    )
    .await;
    let begun = Instant::now();
    let mut waiting = post_form(&app, &replica, &browser, &form).await;
    replica.ask_to_stop();
    until_refused(&replica).await;
    let timing = stop_hard(replica).await;
    let too_late = timing.was_starved() || begun.elapsed() > MOST_OF_LOCK_WAIT;
    let (response, _) = waiting.until_closed().await;
    if !response.contains("Nothing is lost") && too_late {
        return None;
    }
    println!("{engine:?}: cancelled and answered within {:?}", timing.took);
    assert_retry_later(&response);
    assert!(
        response.contains("Nothing is lost") && response.contains("class=\"reference\""),
        "{response}"
    );
    held.commit().await;
    assert_eq!(app.count("SELECT COUNT(*) FROM email_challenges").await, 0);
    let page = browser.follow(browser.post(&form, "continue").await).await;
    assert!(page.has_field("code"), "{}", page.text());
    Some(())
}

/// Makes the commit of a new challenge wait for lock 77, as a slow disk would.
const SLOW_COMMIT: [&str; 2] = [
    "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN PERFORM pg_advisory_xact_lock(77); RETURN NULL; END'",
    "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON email_challenges DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION slow()",
];

/// A commit that is under way may still succeed: the page must not say that nothing happened, and posting again is safe.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pending_commit_is_reported_unknown() {
    wait::retry_while_slow("a commit that waits", try_commit_under_way).await;
}

async fn try_commit_under_way() -> Option<()> {
    let app = app_with_shutdown(Engine::Postgres, Duration::ZERO, LONG_GRACE).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let replica = app.replica().await;
    let browser = app.browser();
    let (page, pending) = browser.open_sign_in_page(&client).await;
    let form = page.form().with("email", &patient.email).with("password", &patient.password);
    let db = app.db.open().await;
    for sql in SLOW_COMMIT {
        db.write(async |tx| tx.q(sql).execute().await).await.expect("it runs");
    }
    let held = BlockingTx::open(db.clone(), "SELECT pg_advisory_xact_lock(77)").await;
    let mut waiting = post_form(&app, &replica, &browser, &form).await;
    let commits = "SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    wait::until_equal("commits that wait", 1, async || app.count(commits).await).await;
    let begun = Instant::now();
    replica.ask_to_stop();
    until_refused(&replica).await;
    let timing = stop_hard(replica).await;
    println!("cancelled in its commit and answered within {:?}", timing.took);
    let too_late = timing.was_starved() || begun.elapsed() > MOST_OF_LOCK_WAIT;
    let (response, _) = waiting.until_closed().await;
    if !response.contains("We do not know") && too_late {
        return None;
    }
    assert_retry_later(&response);
    assert!(response.contains("We do not know whether that worked"), "{response}");
    held.commit().await;
    let page = browser.follow(browser.post(&form, "continue").await).await;
    assert!(page.has_field("code"), "{}", page.text());
    let code = app.mail.wait_for_code(&patient.email, 1).await;
    let landed = browser.submit_code(&page, &code).await.authorization_response(pending);
    client.redeem_tokens(&app, &landed).await;
    assert_eq!(app.count("SELECT COUNT(*) FROM sign_ins").await, 1);
    Some(())
}
