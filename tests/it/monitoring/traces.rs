//! Traces over OTLP, at a collector: the duration of each part of a sign-in, and no personal data.

use std::collections::BTreeSet;

use vestibule_tests::{
    collector::{Collector, Span},
    db::{Engine, TestDb},
    http::HttpBrowser,
    serve_process::ServeSetup,
};

use crate::engines::{apply, both_engines};

/// A caller's sampled trace (W3C Trace Context, section 3.2).
const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT_SPAN_ID: &str = "b7ad6b7169203331";

fn spans_named<'s>(spans: &'s [Span], name: &str) -> Vec<&'s Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

#[apply(both_engines)]
async fn sign_in_trace_omits_personal_data(engine: Engine) {
    let (db, collector) = (TestDb::create(engine).await, Collector::start().await);
    let served = ServeSetup::prepare(engine, &db).await;
    let client = served.add_portal("https://portal.example/callback").await;
    let add = ["user", "add", "mere@patients.example", "--name", "Mere", "--password-stdin"];
    let password = "a walk along the river";
    vestibule_tests::proc::run(served.change_command(&add), password).await;
    let mut serve = served
        .serve_with(|mut command| {
            command.env("IDP__TELEMETRY__OTLP_ENDPOINT", collector.endpoint());
            command.env("IDP__TELEMETRY__SAMPLE_RATIO", "1");
            command
        })
        .await;
    let browser = HttpBrowser::at_issuer(&served.issuer());
    let (page, pending) = browser.open_sign_in_page(&client).await;
    let form = page.form().with("email", "mere@patients.example").with("password", password);
    let page = browser.follow(browser.post(&form, "continue").await).await;
    let code = served.mail.wait_for_code("mere@patients.example", 1).await;
    let landed = browser.submit_code(&page, &code).await.authorization_response(pending);
    assert_eq!(client.redeem_at(&browser, &landed).await.status, 200);
    assert!(serve.terminate().await.success(), "{}", serve.output());
    // All spans are exported when the program has ended.
    let spans = collector.spans();
    let post = spans.iter().find(|span| {
        span.name == "/login/password" && span.attributes["http.request.method"] == "POST"
    });
    let post = post.expect("the post of the password");
    assert_eq!(post.attributes["http.response.status_code"], "303");
    assert_eq!(
        (post.attributes["vestibule.client"].as_str(), post.parent.as_str()),
        ("portal", "")
    );
    let children: BTreeSet<_> =
        spans.iter().filter(|span| span.parent == post.id).map(|span| span.name.as_str()).collect();
    assert_eq!(children, ["database write", "hashing", "hashing wait"].into());
    let smtp = spans_named(&spans, "smtp");
    let mail = spans_named(&spans, "mail");
    assert_eq!((smtp.len(), mail.len()), (1, 1));
    assert_eq!(
        (&smtp[0].parent, mail[0].attributes["vestibule.lane"].as_str()),
        (&mail[0].id, "code")
    );
    // A trace's reference is also in the log line.
    assert!(serve.output().contains(&post.attributes["vestibule.reference"]));
    for secret in [
        "mere",
        "Mere",
        "patients.example",
        "127.0.0.1",
        password,
        &code,
        &landed.code(),
        "attempt=",
    ] {
        assert!(!collector.has(secret), "{secret} is in a span");
    }
}

/// A stranger's header would otherwise decide what is traced, and under which trace id.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traceparent_needs_trusted_proxy() {
    let engine = vestibule_tests::db::Engine::Sqlite;
    for (trusted, ratio) in [(true, "0"), (false, "0"), (false, "1")] {
        let (db, collector) = (TestDb::create(engine).await, Collector::start().await);
        let served = ServeSetup::prepare(engine, &db).await;
        let mut serve = served
            .serve_with(|mut command| {
                command.env("IDP__TELEMETRY__OTLP_ENDPOINT", collector.endpoint());
                command.env("IDP__TELEMETRY__SAMPLE_RATIO", ratio);
                if trusted {
                    command.env("IDP__PROXIES__TRUSTED", "127.0.0.1");
                }
                command
            })
            .await;
        let mut browser = HttpBrowser::at_issuer(&served.issuer());
        browser.extra_headers.push(("traceparent", format!("00-{TRACE_ID}-{PARENT_SPAN_ID}-01")));
        assert_eq!(browser.get("/oauth2/jwks").await.status, 200);
        assert!(serve.terminate().await.success(), "{}", serve.output());
        let spans = collector.spans();
        let ours: Vec<_> = spans_named(&spans, "/oauth2/jwks");
        let gone_on =
            ours.iter().any(|span| span.trace == TRACE_ID && span.parent == PARENT_SPAN_ID);
        assert_eq!(gone_on, trusted, "{spans:#?}");
        assert_eq!(ours.is_empty(), !trusted && ratio == "0", "{spans:#?}");
    }
}

/// An unavailable collector costs spans and one warning, never a request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unreachable_collector_warns_once() {
    let engine = vestibule_tests::db::Engine::Sqlite;
    let db = TestDb::create(engine).await;
    let served = ServeSetup::prepare(engine, &db).await;
    let mut serve = served
        .serve_with(|mut command| {
            command.env("IDP__TELEMETRY__OTLP_ENDPOINT", "http://127.0.0.1:1");
            command.env("IDP__TELEMETRY__SAMPLE_RATIO", "1");
            command
        })
        .await;
    let browser = HttpBrowser::at_issuer(&served.issuer());
    for _ in 0..20 {
        assert_eq!(browser.get("/oauth2/jwks").await.status, 200);
    }
    assert!(serve.terminate().await.success(), "{}", serve.output());
    let output = serve.output();
    assert_eq!(output.matches("the collector is unavailable").count(), 1, "{output}");
}
