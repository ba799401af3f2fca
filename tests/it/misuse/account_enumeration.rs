//! Misuse case 53: known and unknown accounts cost the same rows, and the same statements and commits, as the program's
//! own traces show.

use vestibule_tests::{
    app::Patient,
    client::Client,
    collector::{Collector, Span},
    db::{Engine, TestDb},
    http::HttpBrowser,
    proc::run,
    serve_process::ServeSetup,
};

use super::limits::{behind_a_proxy, browser_from, guess};
use crate::engines::{apply, both_engines};

/// Posts for each address: wrong passwords, then paused ones.
const POSTS: usize = 6;

/// A running program whose spans are collected.
struct TracedServe {
    served: ServeSetup,
    collector: Collector,
    client: Client,
}

impl TracedServe {
    async fn prepare(engine: Engine, db: &TestDb) -> Self {
        let (served, collector) = (ServeSetup::prepare(engine, db).await, Collector::start().await);
        let client = served.add_portal("https://portal.example/callback").await;
        let add = ["user", "add", "mere@patients.example", "--name", "Mere", "--password-stdin"];
        run(served.change_command(&add), "a walk along the river").await;
        let set = ["setting", "set", "sign_in.password_failures", "3", "--reason", "test"];
        run(served.command(&set), "").await;
        Self { served, collector, client }
    }

    /// Guesses passwords of an address, each from another network; returns the status codes.
    async fn guesses(&self, email: &str) -> Vec<u16> {
        let mut statuses = Vec::new();
        for nth in 0..POSTS {
            let browser = HttpBrowser::at_issuer(&self.served.issuer())
                .without_cookies_from(&format!("203.0.113.{nth}"));
            let (page, _) = browser.open_sign_in_page(&self.client).await;
            let form = page.form().with("email", email).with("password", "not the password");
            statuses.push(browser.post(&form, "continue").await.status.as_u16());
        }
        statuses
    }
}

/// The statements of each password post: those of each span, in the order in which the spans ended.
fn statements(spans: &[Span]) -> Vec<Vec<(&str, &[String])>> {
    let posts = spans.iter().filter(|span| {
        span.name == "/login/password" && span.attributes["http.request.method"] == "POST"
    });
    posts
        .map(|post| {
            let parts = spans.iter().filter(|span| span.trace == post.trace);
            parts.map(|span| (span.name.as_str(), span.statements.as_slice())).collect()
        })
        .collect()
}

fn commits(post: &[(&str, &[String])]) -> usize {
    post.iter().flat_map(|(_, all)| all.iter()).filter(|sql| *sql == "COMMIT").count()
}

/// The same texts in the same order, for wrong and for paused guesses.
#[apply(both_engines)]
async fn case_53_unknown_accounts_cost_same_statements(engine: Engine) {
    let db = TestDb::create(engine).await;
    let traced = TracedServe::prepare(engine, &db).await;
    let mut serve = traced
        .served
        .serve_with(|mut command| {
            command.env("IDP__TELEMETRY__OTLP_ENDPOINT", traced.collector.endpoint());
            command.env("IDP__TELEMETRY__SAMPLE_RATIO", "1");
            command.env("IDP__PROXIES__TRUSTED", "127.0.0.1");
            command
        })
        .await;
    let known = traced.guesses("mere@patients.example").await;
    let unknown = traced.guesses("unknown@patients.example").await;
    assert_eq!(known, unknown);
    assert!(known.starts_with(&[200, 200, 200]) && known.ends_with(&[429, 429]), "{known:?}");
    assert!(serve.terminate().await.success(), "{}", serve.output());
    let spans = traced.collector.spans();
    let posts = statements(&spans);
    assert_eq!(posts.len(), 2 * POSTS);
    for (nth, (known, unknown)) in posts.iter().zip(&posts[POSTS..]).enumerate() {
        assert_eq!(known, unknown, "guess {nth}");
        assert_eq!(commits(known), 1, "guess {nth}: {known:#?}");
        let count: usize = known.iter().map(|(_, all)| all.len()).sum();
        println!("guess {nth}: {count} statements, one commit, known or not");
        assert!(count > 5, "there are statements to compare: {known:#?}");
    }
}

/// The same for known and unknown accounts, wrong and paused: the same statements, rows and bytes, and one commit.
#[apply(both_engines)]
async fn case_53_unknown_accounts_cost_same_rows(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let (client, known) = (app.client("portal").await, app.patient("Mere").await);
    let unknown = Patient { email: "nobo@patients.example".to_owned(), ..known.clone() };
    app.set_setting("sign_in.password_failures", "3").await;
    let tables = [
        "SELECT COUNT(*) FROM throttles",
        "SELECT CAST(COALESCE(SUM(spent), 0) AS BIGINT) FROM throttles",
        "SELECT COUNT(*) FROM attempts",
        "SELECT COUNT(*) FROM audit",
        "SELECT COUNT(*) FROM jobs",
        "SELECT COUNT(*) FROM devices",
    ];
    let mut seen = Vec::new();
    for who in [&known, &unknown] {
        let mut answers = Vec::new();
        for nth in 0..6 {
            let browser = browser_from(&app, &format!("203.0.113.{nth}"));
            let mut before = Vec::new();
            for sql in tables {
                before.push(app.count(sql).await);
            }
            let page = guess(&browser, &client, who).await;
            let mut grown = Vec::new();
            for (sql, before) in tables.into_iter().zip(before) {
                grown.push(app.count(sql).await - before);
            }
            let names: Vec<_> = page.headers.keys().map(|name| name.as_str().to_owned()).collect();
            answers.push((page.status, names, page.masked(), grown));
        }
        app.wait_for_jobs().await;
        seen.push(answers);
    }
    assert_eq!(seen[0], seen[1]);
    assert!(
        seen[0].iter().any(|answer| answer.3[4] == 1),
        "a notice was written: {:?}",
        seen[0].last().unwrap().3
    );
    assert_eq!(app.mail.mails_to(&known.email).len(), 1);
    assert!(app.mail.mails_to(&unknown.email).is_empty());
}
