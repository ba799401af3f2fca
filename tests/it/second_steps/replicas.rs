//! Two replicas and one proof of the second step.

use std::time::Duration;

use vestibule_tests::{app::TestApp, db::Engine, http::HttpBrowser};

/// One code of an app, and one recovery code, each posted fifty times at once at both replicas: one sign-in (misuse case 20).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_20_proof_counts_once_everywhere() {
    let app = TestApp::start(Engine::Postgres).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let (generator, codes) = app.browser().enroll(&app, &patient).await;
    app.clock.advance(Duration::from_secs(90));
    let second = app.replica().await;
    app.set_setting("sign_in.code_failures", "1000").await;
    app.set_setting("sign_in.network_failures_ipv4", "10000").await;
    for (method, code) in [("totp", generator.code(&app)), ("recovery_code", codes[0].clone())] {
        let before = app.count("SELECT COUNT(*) FROM sign_ins").await;
        let mut posts = Vec::new();
        for nth in 0..10 {
            let browser = app.browser();
            let (start, _) = browser.open_sign_in_page(&client).await;
            let page = browser.submit_password(&start, &patient).await;
            let page = on_page_of(&browser, page, method).await;
            for _ in 0..5 {
                let there =
                    if nth % 2 == 0 { browser.clone() } else { browser.at_replica(second.address) };
                let (there, page, code) = (there.with_copied_cookies(), page.clone(), code.clone());
                posts.push(tokio::spawn(async move {
                    (nth, there.submit_code(&page, &code).await.location().is_some())
                }));
            }
        }
        let mut landed = std::collections::BTreeSet::new();
        for post in posts {
            let (browser, is_in) = post.await.unwrap();
            if is_in {
                landed.insert(browser);
            }
        }
        let after = app.count("SELECT COUNT(*) FROM sign_ins").await;
        assert_eq!((after - before, landed.len()), (1, 1), "{method}: {landed:?}");
    }
}

async fn on_page_of(
    browser: &HttpBrowser,
    page: vestibule_tests::http::Response,
    method: &str,
) -> vestibule_tests::http::Response {
    let path = format!("/login/{}", method.replace('_', "-"));
    if page.url.path() == path {
        return page;
    }
    browser.choose_method(&page, method).await
}
