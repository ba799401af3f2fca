//! The look that an operator gives to pages and mails: colour, logo, home and links, as `serve` has them.

use vestibule_tests::{
    db::{Engine, TestDb},
    http::Response,
    serve_process::ServeSetup,
};

const LOGO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/browser/logo.png");

/// The address of an asset of a page, by the start of its name.
fn asset(page: &Response, name: &str) -> String {
    let (_, rest) = page.body.split_once(&format!("\"/assets/{name}-")).expect("an asset");
    format!("/assets/{name}-{}", rest.split('"').next().expect("a whole tag"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn served_pages_have_configured_look() {
    let db = TestDb::create(Engine::Sqlite).await;
    let served = ServeSetup::prepare(Engine::Sqlite, &db).await;
    let env = [
        ("IDP__BRAND__COLOUR", "#005eb8"),
        ("IDP__BRAND__LOGO", LOGO),
        ("IDP__BRAND__HOME", "https://portal.example/start"),
        ("IDP__BRAND__LINKS__TERMS", "https://portal.example/terms"),
    ];
    let _serve = served
        .serve_with(|mut command| {
            command.envs(env);
            command
        })
        .await;
    let browser = served.browser_at(served.address());
    let page = browser.get("/nothing").await;
    assert!(page.body.contains("href=\"https://portal.example/start\""), "{}", page.body);
    assert!(page.body.contains("href=\"https://portal.example/terms\""), "{}", page.body);
    let style = browser.get(asset(&page, "vestibule")).await;
    assert!(style.body.contains("--accent: #005eb8;"), "{}", style.body);
    let logo = browser.get(asset(&page, "logo")).await;
    assert_eq!((logo.status.as_u16(), logo.header("content-type")), (200, "image/png"));
    assert!(logo.header("cache-control").contains("immutable"));
    // A picture of the operator's is never a page that acts as one of ours.
    let policy = logo.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("sandbox"), "{policy}");
}
