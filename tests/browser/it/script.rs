//! What our one script adds for browsers that run scripts, in a real Chromium; and that nothing is missing without it.

use vestibule_browser_tests::browser::{Browser, Tab};
use vestibule_tests::{
    app::TestApp,
    client::{Client, PendingRequest},
    db::Engine,
};

use crate::keyboard::register_client;

/// A sign-in page in a new browser.
async fn open_sign_in_page(app: &TestApp, client: &Client, scripts: bool) -> (Browser, Tab) {
    let browser = Browser::start().await;
    let tab = browser.tab().await;
    tab.set_javascript(scripts).await;
    tab.open(PendingRequest::new(client).url(app.issuer(), &[])).await;
    (browser, tab)
}

async fn password_type(tab: &Tab) -> String {
    tab.evaluate("document.getElementById('password').type").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn password_is_shown_and_posted_hidden() {
    let app = TestApp::start(Engine::Sqlite).await;
    let client = register_client(&app, "portal", true).await;
    let (_browser, tab) = open_sign_in_page(&app, &client, true).await;
    tab.fill("#email", "mere@patients.example").await;
    tab.fill("#password", "not the password").await;
    assert_eq!(tab.text_of("button.show").await, "Show");
    tab.click("button.show").await;
    assert_eq!(
        (password_type(&tab).await.as_str(), tab.text_of("button.show").await.as_str()),
        ("text", "Hide")
    );
    let label = "document.querySelector('button.show').getAttribute('aria-label')";
    assert_eq!(tab.evaluate::<String>(label).await, "Hide password");
    assert_eq!(tab.value("#password").await, "not the password");
    // What is sent is a password again, so that the browser does not offer it as a text later.
    let watch = "document.querySelector('main form').addEventListener('submit', () =>
        sessionStorage.setItem('sent-as', document.getElementById('password').type)); true";
    assert!(tab.evaluate::<bool>(watch).await);
    tab.submit("button[value=continue]").await;
    assert_eq!(tab.evaluate::<String>("sessionStorage.getItem('sent-as')").await, "password");
    assert_eq!(password_type(&tab).await, "password", "the next page begins hidden");
    assert_eq!(tab.problems().await, Vec::<String>::new(), "the policy permits the script");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn page_without_scripts_has_no_dead_button() {
    let app = TestApp::start(Engine::Sqlite).await;
    let client = register_client(&app, "portal", true).await;
    let (_browser, tab) = open_sign_in_page(&app, &client, false).await;
    let buttons =
        "[...document.querySelectorAll('button')].filter(button => button.checkVisibility())
        .map(button => button.value)";
    assert_eq!(tab.evaluate::<Vec<String>>(buttons).await, ["continue", "cancel"]);
    tab.fill("#email", "mere@patients.example").await;
    tab.fill("#password", "not the password").await;
    tab.submit("button[value=continue]").await;
    assert!(tab.text().await.contains("the password is not right"), "{}", tab.text().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn language_switch_keeps_typed_address() {
    let app = TestApp::start(Engine::Sqlite).await;
    let client = register_client(&app, "portal", true).await;
    let (_browser, tab) = open_sign_in_page(&app, &client, true).await;
    tab.fill("#email", "mere@patients.example").await;
    tab.submit("a[hreflang=mi]").await;
    assert_eq!(tab.evaluate::<String>("document.documentElement.lang").await, "mi");
    assert_eq!(tab.value("#email").await, "mere@patients.example");
    // It was in no address, and it is not kept.
    let url = tab.url().await;
    assert!(!url.as_str().contains("mere"), "{url}");
    assert_eq!(tab.evaluate::<usize>("sessionStorage.length").await, 0);
    tab.fill("#email", "").await;
    tab.open(&url).await;
    assert_eq!(tab.value("#email").await, "", "a reload begins empty");
}

/// The second press of a double click sends nothing; a press after a second does, so that no form is locked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn double_click_posts_once_and_locks_nothing() {
    let app = TestApp::start(Engine::Sqlite).await;
    let client = register_client(&app, "portal", true).await;
    let (_browser, tab) = open_sign_in_page(&app, &client, true).await;
    // The page counts what would be sent, and stays.
    let count =
        "window.sent = 0; document.querySelector('main form').addEventListener('submit', event => {
        if (!event.defaultPrevented) window.sent += 1; event.preventDefault(); }); true";
    assert!(tab.evaluate::<bool>(count).await);
    let press = |button: &str| {
        format!("document.querySelector('button[value={button}]').click(); window.sent")
    };
    assert_eq!(tab.evaluate::<u32>(&press("continue")).await, 1);
    assert_eq!(tab.evaluate::<u32>(&press("continue")).await, 1, "a double click");
    assert_eq!(tab.evaluate::<u32>(&press("cancel")).await, 2, "another button is another wish");
    let later = "new Promise(done => setTimeout(() => {
        document.querySelector('button[value=cancel]').click(); done(window.sent); }, 1100))";
    assert_eq!(tab.evaluate::<u32>(later).await, 3, "pressed again after a second");
}
