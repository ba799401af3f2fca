//! The journey by keyboard alone, in a real Chromium: everything can be reached, in reading order, and the focus is visible.

use vestibule_browser_tests::{
    accessibility::{
        bring_to_front, focused_element, page_started_at, press_key, press_shift_key, type_text,
    },
    browser::{Browser, Tab},
};
use vestibule_tests::{
    app::{Patient, TestApp},
    client::{Client, PendingRequest},
    db::Engine,
    wait::{until, until_equal},
};

/// No program listens at this address: the journey ends where the client begins.
pub(crate) const CALLBACK: &str = "http://127.0.0.1:1/callback";

/// Registers a client whose address a real browser can be sent to.
pub(crate) async fn register_client(app: &TestApp, id: &str, first_party: bool) -> Client {
    let change = |new: &mut flows::client::Client| {
        new.metadata.redirect_uris = vec![CALLBACK.to_owned()];
        new.metadata.post_logout_redirect_uris = vec!["http://127.0.0.1:1/signed-out".to_owned()];
        new.operator.first_party = first_party;
    };
    app.client_with(id, change).await
}

/// Presses Tab through every stop of the page, until the focus leaves the page.
async fn tab_stops(tab: &Tab) -> Vec<String> {
    let mut stops = Vec::new();
    for _ in 0..20 {
        press_key(tab, "Tab").await;
        let here = focused_element(tab).await;
        if here == "nothing" || stops.first() == Some(&here) {
            return stops;
        }
        stops.push(here);
    }
    panic!("no end of stops: {stops:?}");
}

/// Presses Tab until `wanted` has the focus.
async fn tab_to(tab: &Tab, wanted: &str) {
    for _ in 0..20 {
        press_key(tab, "Tab").await;
        if focused_element(tab).await == wanted {
            return;
        }
    }
    panic!("{wanted} is not reached: {}", tab.text().await);
}

/// Presses Enter and waits for the page that it leads to.
async fn press_enter(tab: &Tab, path: &str) {
    let before = page_started_at(tab).await.expect("a page");
    press_key(tab, "Enter").await;
    let led = async || {
        let new = page_started_at(tab).await.is_some_and(|now| now > before);
        let url = tab.url().await;
        if new && url.path() == path { Ok(()) } else { Err(url) }
    };
    until(&format!("Enter leads to {path}"), led).await;
}

async fn open_sign_in_page(tab: &Tab, app: &TestApp, client: &Client) {
    tab.open(PendingRequest::new(client).url(app.issuer(), &[])).await;
}

/// From the sign-in page to the code page, by keys.
async fn submit_password(tab: &Tab, patient: &Patient) {
    tab_to(tab, "email").await;
    type_text(tab, &patient.email).await;
    press_key(tab, "Tab").await;
    assert_eq!(focused_element(tab).await, "password");
    type_text(tab, &patient.password).await;
    press_enter(tab, "/login/code").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sign_in_works_by_keyboard() {
    let app = TestApp::start(Engine::Sqlite).await;
    let (client, patient) =
        (register_client(&app, "portal", true).await, app.patient("Mere").await);
    let browser = Browser::start().await;
    let tab = browser.tab().await;
    bring_to_front(&tab).await;
    open_sign_in_page(&tab, &app, &client).await;
    let expected = [
        "Te reo Māori",
        "email",
        "password",
        "Show",
        "continue",
        "passkey",
        "cancel",
        "0800 111 222",
        "Privacy",
    ];
    assert_eq!(tab_stops(&tab).await, expected, "the reading order");
    check_reverse_order(&tab, &expected).await;

    // Enter in the first field means "continue". The second field is empty, and the error summary takes the focus.
    open_sign_in_page(&tab, &app, &client).await;
    tab_to(&tab, "email").await;
    type_text(&tab, &patient.email).await;
    press_enter(&tab, "/login/password").await;
    assert_eq!(
        focused_element(&tab).await,
        tab.text_of("[role=alert]").await,
        "the problem is read first"
    );
    press_key(&tab, "Tab").await;
    assert_eq!(focused_element(&tab).await, "#password");
    press_key(&tab, "Enter").await;
    until_equal("its link leads to the field", "password".to_owned(), async || {
        focused_element(&tab).await
    })
    .await;
    type_text(&tab, &patient.password).await;
    press_enter(&tab, "/login/code").await;
    check_code_page(&tab, &app, &patient).await;
}

async fn check_reverse_order(tab: &Tab, stops: &[&str]) {
    for stop in stops.iter().rev() {
        press_shift_key(tab, "Tab").await;
        assert_eq!(focused_element(tab).await, *stop, "backwards");
    }
}

/// What Enter and Space do on the code page.
async fn check_code_page(tab: &Tab, app: &TestApp, patient: &Patient) {
    let code = app.mail.wait_for_code(&patient.email, 1).await;
    app.wait_for_jobs().await;
    let found = tab_stops(tab).await;
    // Until the cool-down is over, a link is in place of the button.
    assert_eq!(found[..3], ["Te reo Māori", "code", "continue"], "{found:?}");
    let rest = ["The e-mail has not arrived?", "restart", "cancel", "0800 111 222", "Privacy"];
    assert_eq!(found[4..], rest, "{found:?}");
    app.clock.advance(std::time::Duration::from_secs(31));
    tab.open(tab.url().await).await;
    tab_to(tab, "code").await;
    type_text(tab, if code == "123456" { "654321" } else { "123456" }).await;
    // "Send the code again" is on the page too; Enter does not press it.
    press_enter(tab, "/login/code").await;
    assert!(tab.has("button[value=resend]").await, "{}", tab.text().await);
    assert_eq!(app.mail.mails_to(&patient.email).len(), 1, "nothing was sent again");
    assert!(tab.text_of("[role=alert]").await.contains("4 tries left"));
    assert_eq!(focused_element(tab).await, tab.text_of("[role=alert]").await);
    press_key(tab, "Tab").await;
    press_key(tab, "Enter").await;
    until_equal("its link leads to the field", "code".to_owned(), async || {
        focused_element(tab).await
    })
    .await;
    tab_to(tab, "The e-mail has not arrived?").await;
    press_key(tab, " ").await;
    assert!(tab.text().await.contains("spam or junk folder"), "Space opens what is folded");
    tab.fill("#code", "").await;
    type_text(tab, &code).await;
    press_key(tab, "Enter").await;
    let end = tab.wait_for_url(|url| url.as_str().starts_with(CALLBACK)).await;
    assert!(end.query().is_some_and(|query| query.contains("code=")), "{end}");
}

/// A new password and the confirmation pages, by keys: the main button comes first, and Space presses a button.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reset_consent_logout_work_by_keyboard() {
    let app = TestApp::start(Engine::Sqlite).await;
    let (lab, patient) = (register_client(&app, "lab", false).await, app.patient("Hemi").await);
    app.force_reset(&patient).await;
    let browser = Browser::start().await;
    let tab = browser.tab().await;
    bring_to_front(&tab).await;
    open_sign_in_page(&tab, &app, &lab).await;
    submit_password(&tab, &patient).await;
    let code = app.mail.wait_for_code(&patient.email, 1).await;
    tab_to(&tab, "code").await;
    type_text(&tab, &code).await;
    press_enter(&tab, "/login/new-password").await;
    let expected = [
        "Te reo Māori",
        "username",
        "new_password",
        "Show",
        "continue",
        "restart",
        "cancel",
        "0800 111 222",
        "Privacy",
    ];
    assert_eq!(tab_stops(&tab).await, expected);
    tab_to(&tab, "new_password").await;
    type_text(&tab, "a walk along the river at noon").await;
    press_enter(&tab, "/login/consent").await;
    assert_eq!(
        tab_stops(&tab).await,
        ["Te reo Māori", "allow", "deny", "restart", "0800 111 222", "Privacy"]
    );
    tab_to(&tab, "allow").await;
    press_key(&tab, " ").await;
    tab.wait_for_url(|url| url.as_str().starts_with(CALLBACK)).await;
    tab.open(format!("{}/oauth2/logout", app.issuer())).await;
    assert_eq!(
        tab_stops(&tab).await,
        ["Te reo Māori", "continue", "cancel", "0800 111 222", "Privacy"]
    );
    // The language switch is a link: Enter follows it, and the page asks again in the other language.
    tab_to(&tab, "Te reo Māori").await;
    press_enter(&tab, "/oauth2/logout").await;
    assert!(tab.text().await.contains("Takiputa?"), "{}", tab.text().await);
    tab_to(&tab, "continue").await;
    press_enter(&tab, "/oauth2/logout").await;
    assert!(tab.text().await.contains("Kua takiputa koe"), "{}", tab.text().await);
}
