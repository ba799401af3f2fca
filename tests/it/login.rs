//! `/login/*`: what a person sees and what a stranger cannot find out.

use std::time::Duration;

use keys::{HasherConfig, HashingCaller};
use store::Sql;
use vestibule_tests::{
    app::{Options, Patient, TestApp},
    db::Engine,
};

use crate::engines::{apply, both_engines};

/// Our own posts have an `Origin` header, because the referrer policy of the pages allows it (decision 22).
#[apply(both_engines)]
async fn sign_in_works_without_fetch_metadata(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let mut browser = app.browser();
    browser.fetch_metadata = false;
    let landed = browser.sign_in(&app, &client, &patient).await;
    client.redeem_tokens(&app, &landed).await;
}

/// Part of misuse case 53: same bytes and same rows for known and unknown addresses.
#[apply(both_engines)]
async fn known_and_unknown_accounts_look_alike(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, known) = (app.client("portal").await, app.patient("Mere").await);
    let unknown = Patient { email: "unknown@patients.example".to_owned(), ..known.clone() };
    let mut pages = Vec::new();
    for who in [&known, &unknown] {
        let browser = app.browser();
        let (start, _) = browser.open_sign_in_page(&client).await;
        let wrong = Patient { password: "not the password of anybody".to_owned(), ..who.clone() };
        let page = browser.submit_password(&start, &wrong).await;
        let headers: Vec<_> = page.headers.keys().map(|name| name.as_str().to_owned()).collect();
        pages.push((page.status, headers, page.masked()));
    }
    assert_eq!(pages[0], pages[1]);
    assert_eq!(app.audit_outcomes("password.checked").await, ["wrong", "wrong"]);
    for (sql, rows) in [("SELECT COUNT(*) FROM throttles", 4), ("SELECT COUNT(*) FROM attempts", 2)]
    {
        assert_eq!(app.count(sql).await, rows, "same counts and rows");
    }
    // The wait is the same, too.
    app.set_setting("sign_in.password_failures", "3").await;
    for who in [&known, &unknown] {
        for _ in 0..3 {
            let browser = app.browser();
            let (start, _) = browser.open_sign_in_page(&client).await;
            let wrong =
                Patient { password: "not the password of anybody".to_owned(), ..who.clone() };
            let page = browser.submit_password(&start, &wrong).await;
            pages.push((page.status, Vec::new(), page.masked()));
        }
    }
    assert_eq!(pages[4], pages[7]);
    assert!(pages[4].2.contains("You can try again"), "{}", pages[4].2);
}

#[apply(both_engines)]
async fn wrong_passwords_delay_without_lockout(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    app.set_setting("sign_in.password_failures", "3").await;
    let wrong = Patient { password: "not the password of Mere".to_owned(), ..patient.clone() };
    let browser = app.browser();
    let (page, _) = browser.open_sign_in_page(&client).await;
    let mut page = page;
    for _ in 0..3 {
        page = browser.submit_password(&page, &wrong).await;
    }
    let paused = browser.submit_password(&page, &patient).await;
    assert!(paused.has_text("You can try again"), "right, but not compared: {}", paused.text());
    app.clock.advance(Duration::from_mins(1));
    let page = browser.submit_password(&paused, &wrong).await;
    app.clock.advance(Duration::from_mins(1));
    let paused = browser.submit_password(&page, &patient).await;
    assert!(paused.has_text("You can try again"), "the wait doubles");
    app.clock.advance(Duration::from_mins(1));
    let page = browser.submit_password(&paused, &patient).await;
    assert!(page.has_field("code"), "{}", page.text());
}

/// Misuse case 42: no page of a sign-in can be embedded in another page.
#[apply(both_engines)]
async fn case_42_no_step_can_be_framed(engine: Engine) {
    let app = TestApp::start(engine).await;
    let patient = app.patient("Mere").await;
    let other = app.client_with("lab", |new| new.operator.first_party = false).await;
    let browser = app.browser();
    let (start, _) = browser.open_sign_in_page(&other).await;
    let (code_page, code, _) = browser.sign_in_to_code_page(&app, &other, &patient).await;
    let consent = browser.submit_code(&code_page, &code).await;
    for page in [&start, &code_page, &consent] {
        assert!(page.header("content-security-policy").contains("frame-ancestors 'none'"));
        assert_eq!(page.header("x-frame-options"), "DENY");
        assert_eq!(page.header("cross-origin-opener-policy"), "same-origin");
        assert!(!page.body.contains("<script>"));
    }
    // No post is answered by a redirect to another origin (decision 31).
    assert!(start.header("content-security-policy").contains("form-action 'self';"));
}

/// Decision 17: when the hashing queue is full, wait, then say so. The form keeps the address, never the password.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_hashing_pool_answers_503() {
    let hashing = HasherConfig { threads: 1, queue: 1, wait: Duration::from_millis(200) };
    let app = TestApp::start_with(Engine::Sqlite, Options { hashing, ..Options::default() }).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let hasher = &app.app().hasher;
    let held = (
        hasher.admit(HashingCaller::Stranger).await.unwrap(),
        hasher.admit(HashingCaller::Stranger).await.unwrap(),
    );
    // The page itself never waits for the hashing queue.
    let browser = app.browser();
    let (page, _) = browser.open_sign_in_page(&client).await;
    let form = page.form().with("email", &patient.email).with("password", &patient.password);
    let full = browser.post(&form, "continue").await;
    assert_eq!((full.status.as_u16(), full.header("retry-after")), (503, "1"));
    assert!(full.has_text("Many people are signing in right now"), "{}", full.text());
    assert_eq!(
        (full.form().value("email"), full.form().value("password")),
        (patient.email.as_str(), "")
    );
    // No lookup and no charge took place, and the same page works when the queue has room again.
    assert!(app.audit_outcomes("password.checked").await.is_empty());
    drop(held);
    assert!(browser.submit_password(&full, &patient).await.has_field("code"));
}

/// Decision 12: for a stranger the page opens even if the database does not answer.
#[apply(both_engines)]
async fn page_opens_without_database(engine: Engine) {
    let app = TestApp::start(engine).await;
    let client = app.client("portal").await;
    app.replica_db().close().await;
    let (page, _) = app.browser().open_sign_in_page(&client).await;
    assert!(page.status == 200 && page.has_field("password"));
    let form = page.form().with("email", "mere@patients.example").with("password", "a password");
    let answer = app.browser().post(&form, "continue").await;
    assert!(answer.status.is_server_error() || answer.status == 400, "{}", answer.status);
    // The replica stays ready: the other replicas have no database either, and the page is better than none.
    let ready = reqwest::get(format!("http://{}/readyz", app.first().ops)).await.unwrap();
    assert_eq!(ready.status(), 200);
    assert_ne!(ready.json::<serde_json::Value>().await.unwrap()["database"], "ok");
    let alive = reqwest::get(format!("http://{}/healthz", app.first().ops)).await.unwrap();
    assert_eq!(alive.status(), 200);
}

/// Columns of `sign_ins`: network, browser and system, country, autonomous system, data version.
type SignInOrigin = (String, Option<String>, Option<String>, Option<i64>, Option<String>);

/// The origin of a sign-in is stored with it: the network as in the audit trail, and browser and system by our own names,
/// never by a text that the browser sent.
#[apply(both_engines)]
async fn sign_in_keeps_network_and_browser(engine: Engine) {
    let proxies = vec!["127.0.0.0/8"];
    let app = TestApp::start_with(engine, Options { proxies, ..Options::default() }).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    for (network, agent) in [("203.0.113.7", firefox), ("2001:db8::9", "curl/8")] {
        let mut browser = app.browser().without_cookies_from(network);
        browser.extra_headers.push(("user-agent", agent.to_owned()));
        browser.sign_in(&app, &client, &patient).await;
    }
    let mut conn = app.replica_db().read().await.unwrap();
    let kept: Vec<SignInOrigin> = conn
        .q("SELECT network, browser_and_system, country, asn, data_version FROM sign_ins ORDER BY id")
        .fetch_all()
        .await
        .unwrap();
    let origin = |network: &str, with: Option<&str>| -> SignInOrigin {
        (network.to_owned(), with.map(str::to_owned), None, None, None)
    };
    let networks: Vec<(String,)> = conn
        .q("SELECT network FROM audit WHERE event = 'sign_in.completed' ORDER BY id")
        .fetch_all()
        .await
        .unwrap();
    assert_eq!(networks.len(), 2);
    assert_eq!(kept, [origin(&networks[0].0, Some("Firefox/Linux")), origin(&networks[1].0, None)]);
    assert_eq!(networks[0].0, "203.0.113.7");
}
