//! Misuse cases 7 and 54 for networks: a rate-limited network costs no hash, and a network uses up its own tries at a
//! person, not those of all strangers. An IPv6 /64 is one network, whichever of its addresses is used.

use std::time::Duration;

use keys::{HasherConfig, HashingCaller, HashingPermit};
use store::HitResult;
use tokio::task::JoinHandle;
use vestibule_tests::{
    app::{Options, Patient, TestApp},
    client::Client,
    db::Engine,
    http::{HttpBrowser, Response},
    wait::until_equal,
};

use super::limits::browser_from;
use crate::engines::{apply, both_engines};

async fn behind_a_proxy(engine: Engine) -> TestApp {
    let app =
        TestApp::start_with(engine, Options { proxies: vec!["127.0.0.0/8"], ..Options::default() })
            .await;
    app.stop_clock_in_new_window();
    app
}

async fn guess(browser: &HttpBrowser, client: &Client, email: &str) -> u16 {
    let (page, _) = browser.open_sign_in_page(client).await;
    let form = page.form().with("email", email).with("password", "not the password");
    browser.post(&form, "continue").await.status.as_u16()
}

/// How many callers were admitted to hashing since the start.
fn admitted_count(app: &TestApp) -> u64 {
    app.app().hasher.stats().totals.wait_buckets.iter().map(|(_, many)| many).sum()
}

/// Uses up the five guesses of a new code.
async fn guess_codes(app: &TestApp, client: &Client, patient: &Patient, address: &str) {
    let thief = browser_from(app, address);
    let (page, code, _) = thief.sign_in_to_code_page(app, client, patient).await;
    let code: usize = code.parse().unwrap();
    for nth in 1..=5 {
        thief.submit_code(&page, &format!("{:06}", (code + nth) % 1_000_000)).await;
    }
}

/// The limit applies before the hashing queue: a refused post is never hashed.
#[apply(both_engines)]
async fn rate_limited_network_costs_no_hash(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let client = app.client("portal").await;
    app.set_setting("sign_in.network_failures_ipv4", "10").await;
    let attacker = browser_from(&app, "203.0.113.1");
    for nth in 0..10 {
        assert_eq!(guess(&attacker, &client, &format!("{nth}@patients.example")).await, 200);
    }
    let before = admitted_count(&app);
    assert_eq!(before, 10, "each guess was one");
    for nth in 0..20 {
        let email = format!("another{nth}@patients.example");
        assert_eq!(guess(&attacker, &client, &email).await, 429, "{nth}");
    }
    assert_eq!(admitted_count(&app), before);
    assert_eq!(
        guess(&browser_from(&app, "203.0.113.2"), &client, "one@patients.example").await,
        200
    );
    assert_eq!(admitted_count(&app), before + 1, "a neighbour is admitted");
}

#[apply(both_engines)]
async fn ipv6_64_shares_tries_per_person(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let client = app.client("portal").await;
    let patient = app.patient("Mere").await;
    for nth in 0..12 {
        let host = browser_from(&app, &format!("2001:db8:9:1::{nth:x}"));
        let status = guess(&host, &client, &patient.email).await;
        assert_eq!(status == 429, nth >= 10, "{nth}");
    }
    browser_from(&app, "2001:db8:a::1").sign_in(&app, &client, &patient).await;
}

/// The same at the second step, for an attacker who has the password.
#[apply(both_engines)]
async fn network_wait_spares_other_networks_codes(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let client = app.client("portal").await;
    let patient = app.patient("Mere").await;
    app.set_setting("sign_in.resend_wait", "0s").await;
    for host in 1..=2 {
        guess_codes(&app, &client, &patient, &format!("2001:db8:9:1::{host}")).await;
    }
    let neighbour = browser_from(&app, "2001:db8:9:1::3");
    let (start, _) = neighbour.open_sign_in_page(&client).await;
    let paused = neighbour.submit_password(&start, &patient).await;
    assert_eq!(paused.status, 429, "ten of this /64 were wrong: {}", paused.text());
    browser_from(&app, "2001:db8:a::1").sign_in(&app, &client, &patient).await;
}

/// Posts a right password 15 times to a full queue; returns the last page.
async fn assert_rejections(browser: &HttpBrowser, client: &Client, patient: &Patient) -> Response {
    let (mut page, _) = browser.open_sign_in_page(client).await;
    for _ in 0..15 {
        page = browser.submit_password(&page, patient).await;
        assert_eq!(page.status, 503, "{}", page.text());
    }
    page
}

/// A post that a full queue rejects is not counted against its network: in an overload that is nearly every post. Admitted
/// posts are counted.
#[apply(both_engines)]
async fn queue_refusal_is_not_counted(engine: Engine) {
    let (app, client, patient) = app_with_two_queue_slots(engine).await;
    let full = FullHashingPool::fill(&app).await;
    let browser = app.browser();
    let page = assert_rejections(&browser, &client, &patient).await;
    full.release().await;
    assert!(
        browser.submit_password(&page, &patient).await.has_field("code"),
        "admitted, after fifteen rejections"
    );
    assert_eq!(status_of_last(12, &app, &client).await, 429);
}

/// People whose right password is on its way when their connection ends, at any moment, do not shut their address for
/// those who share it.
#[apply(both_engines)]
async fn dropped_right_passwords_leave_no_failures(engine: Engine) {
    let hashing = HasherConfig { threads: 1, queue: 64, wait: Duration::from_mins(5) };
    let options = Options { hashing, proxies: vec!["127.0.0.0/8"], ..Options::default() };
    let app = TestApp::start_with(engine, options).await;
    app.stop_clock_in_new_window();
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    app.set_setting("sign_in.network_failures_ipv4", "10").await;
    let page = async || {
        let browser = browser_from(&app, "203.0.113.1");
        let (page, _) = browser.open_sign_in_page(&client).await;
        (browser, page.form().with("email", &patient.email).with("password", &patient.password))
    };
    let full = FullHashingPool::fill(&app).await;
    for _ in 0..12 {
        let (browser, form) = page().await;
        let post = tokio::spawn(async move { browser.try_post(&form, "continue").await });
        until_equal("callers in the queue", [2, 0], async || app.app().hasher.waiting()).await;
        post.abort();
        until_equal("callers in the queue", [1, 0], async || app.app().hasher.waiting()).await;
    }
    full.release().await;
    // From before the request is read to after it is answered, as far as the machine allows.
    for nth in 0..20 {
        let (browser, form) = page().await;
        let post = tokio::spawn(async move { browser.try_post(&form, "continue").await });
        tokio::time::sleep(Duration::from_millis(nth * 5)).await;
        post.abort();
    }
    until_equal("callers that hash", 0, async || app.app().hasher.stats().admitted).await;
    until_equal("failures", false, async || has_failures(&app, "203.0.113.1").await).await;
    for nth in 0..10 {
        let neighbour = browser_from(&app, "203.0.113.1");
        let email = format!("{nth}@patients.example");
        assert_eq!(guess(&neighbour, &client, &email).await, 200, "failure {nth} of ten");
    }
    let last = guess(&browser_from(&app, "203.0.113.1"), &client, &patient.email).await;
    assert_eq!(last, 429, "the failures of wrong passwords stay");
}

/// Whether failures of a network are counted. Looking counts none.
async fn has_failures(app: &TestApp, network: &str) -> bool {
    let (counters, now) = (&app.app().ephemeral, app.app().clock.now());
    let (key, window) = (format!("fail:{network}"), Duration::from_mins(5));
    let hit = counters.hit(&key, 1, window, now).await;
    counters.refund(&key, 1, window, now).await;
    matches!(hit, HitResult::Over { .. })
}

/// As [`queue_refusal_is_not_counted`], where the queue has slots, but none for the account.
#[apply(both_engines)]
async fn full_share_of_account_is_not_counted(engine: Engine) {
    let hashing = HasherConfig { threads: 1, queue: 64, wait: Duration::from_mins(5) };
    let app = TestApp::start_with(engine, Options { hashing, ..Options::default() }).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    app.set_setting("sign_in.posts_per_minute", "10").await;
    app.stop_clock_in_new_window();
    let full = FullHashingPool::fill(&app).await;
    let first = app.browser();
    let (page, _) = first.open_sign_in_page(&client).await;
    let first = tokio::spawn({
        let patient = patient.clone();
        async move { first.submit_password(&page, &patient).await }
    });
    until_equal("callers in the queue", [2, 0], async || app.app().hasher.waiting()).await;
    let browser = app.browser();
    let page = assert_rejections(&browser, &client, &patient).await;
    full.release().await;
    assert!(first.await.unwrap().has_field("code"));
    let admitted = browser.submit_password(&page, &patient).await;
    assert!(admitted.has_field("code"), "{}", admitted.text());
}

/// A client that leaves while it waits for a permit to hash gives its failure back, too, and its place in the queue.
#[apply(both_engines)]
async fn waiting_post_that_leaves_is_forgotten(engine: Engine) {
    let hashing = HasherConfig { threads: 1, queue: 64, wait: Duration::from_mins(5) };
    let app = TestApp::start_with(engine, Options { hashing, ..Options::default() }).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    app.set_setting("sign_in.network_failures_ipv4", "10").await;
    app.stop_clock_in_new_window();
    let full = FullHashingPool::fill(&app).await;
    for _ in 0..15 {
        let browser = app.browser();
        let (page, _) = browser.open_sign_in_page(&client).await;
        let form = page.form().with("email", &patient.email).with("password", "not the password");
        let post = tokio::spawn(async move { browser.try_post(&form, "continue").await });
        until_equal("callers in the queue", [2, 0], async || app.app().hasher.waiting()).await;
        post.abort();
        until_equal("callers in the queue", [1, 0], async || app.app().hasher.waiting()).await;
    }
    full.release().await;
    until_equal("failures", false, async || has_failures(&app, "127.0.0.1").await).await;
    assert_eq!(status_of_last(10, &app, &client).await, 200);
    assert_eq!(status_of_last(1, &app, &client).await, 429);
}

/// One network fills its part of the strangers' half of the hashing queue and no more, whatever addresses it posts.
#[apply(both_engines)]
async fn one_network_leaves_strangers_queue_slots(engine: Engine) {
    let hashing = HasherConfig { threads: 1, queue: 32, wait: Duration::from_mins(5) };
    let options = Options { hashing, proxies: vec!["127.0.0.0/8"], ..Options::default() };
    let app = TestApp::start_with(engine, options).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let full = FullHashingPool::fill(&app).await;
    let flood: Vec<_> = (0..6)
        .map(|nth| {
            let (browser, client) = (browser_from(&app, "203.0.113.1"), client.clone());
            let email = format!("{nth}@patients.example");
            tokio::spawn(async move { guess(&browser, &client, &email).await })
        })
        .collect();
    until_equal("callers in the queue", [3, 0], async || app.app().hasher.waiting()).await;
    let other = browser_from(&app, "203.0.113.2");
    let (page, _) = other.open_sign_in_page(&client).await;
    let other = tokio::spawn(async move { other.submit_password(&page, &patient).await });
    until_equal("callers in the queue", [4, 0], async || app.app().hasher.waiting()).await;
    full.release().await;
    let mut statuses = Vec::new();
    for post in flood {
        statuses.push(post.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 503, 503, 503, 503]);
    assert!(other.await.unwrap().has_field("code"));
}

/// A full queue does not exempt posts that need no hash.
#[apply(both_engines)]
async fn other_posts_count_despite_full_queue(engine: Engine) {
    let (app, client, _) = app_with_two_queue_slots(engine).await;
    let full = FullHashingPool::fill(&app).await;
    for nth in 0..12 {
        let browser = app.browser();
        let (page, _) = browser.open_sign_in_page(&client).await;
        let form =
            page.form().with("email", "unknown@patients.example").with("password", "a guess");
        let answer = if nth % 2 == 0 {
            browser.post(&form, "cancel").await
        } else {
            browser.post(&form.with("form", "made-up"), "continue").await
        };
        assert_ne!(answer.status, 503, "{}", answer.text());
    }
    full.release().await;
    assert_eq!(status_of_last(1, &app, &client).await, 429);
}

/// Two hashing permits are held, and the one queue slot of strangers is taken.
struct FullHashingPool {
    held: Vec<HashingPermit>,
    waiting: JoinHandle<bool>,
}

impl FullHashingPool {
    async fn fill(app: &TestApp) -> Self {
        let hasher = app.app().hasher.clone();
        let mut held = Vec::new();
        for _ in 0..2 {
            held.push(hasher.admit(HashingCaller::Stranger).await.unwrap());
        }
        let waiting = tokio::spawn({
            let hasher = hasher.clone();
            async move { hasher.admit(HashingCaller::Stranger).await.is_ok() }
        });
        until_equal("callers in the queue", [1, 0], async || hasher.waiting()).await;
        Self { held, waiting }
    }

    async fn release(self) {
        drop(self.held);
        assert!(self.waiting.await.unwrap());
    }
}

/// One queue slot for strangers and one for known devices; a network may post ten times a minute.
async fn app_with_two_queue_slots(engine: Engine) -> (TestApp, Client, Patient) {
    let hashing = HasherConfig { threads: 1, queue: 2, wait: Duration::from_mins(5) };
    let app = TestApp::start_with(engine, Options { hashing, ..Options::default() }).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    app.set_setting("sign_in.posts_per_minute", "10").await;
    app.stop_clock_in_new_window();
    (app, client, patient)
}

async fn status_of_last(guesses: usize, app: &TestApp, client: &Client) -> u16 {
    let mut last = 0;
    for _ in 0..guesses {
        last = guess(&app.browser(), client, "unknown@patients.example").await;
    }
    last
}
