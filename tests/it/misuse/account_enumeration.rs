//! Misuse case 53: known and unknown accounts cost the same statements and commits, as the program's own traces show.

use vestibule_tests::{
    client::Client,
    collector::{Collector, Span},
    db::{Engine, TestDb},
    http::HttpBrowser,
    proc::run,
    serve_process::ServeSetup,
};

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
    let unknown = traced.guesses("nobody@patients.example").await;
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
