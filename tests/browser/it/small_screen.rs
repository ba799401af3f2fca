//! A small phone, 360 x 640: after a mistake the field with the fault is in view without scrolling, in both languages.

use vestibule_browser_tests::browser::{Browser, Tab};
use vestibule_tests::{
    app::{Patient, TestApp},
    client::{Client, PendingRequest},
    db::Engine,
};

use crate::keyboard::register_client;

/// Where the field with the fault is: its top, its bottom, and how far the page has scrolled.
const FAULT: &str =
    "(() => { const box = document.querySelector('[aria-invalid=true]').getBoundingClientRect();
    return [box.top, box.bottom, scrollY]; })()";

async fn assert_fault_in_view(tab: &Tab, page: &str) {
    let [top, bottom, scrolled]: [f64; 3] = tab.evaluate(FAULT).await;
    let text = tab.text().await;
    assert!(top >= 0.0 && bottom <= 640.0, "{page}: {top} to {bottom} at {scrolled}: {text}");
}

/// Where the button is that was pressed too soon, in the same form.
const BUTTON: &str =
    "(() => { const box = document.querySelector('#resend').getBoundingClientRect();
    return [box.top, box.bottom, scrollY]; })()";

async fn assert_button_in_view(tab: &Tab, page: &str) {
    let [top, bottom, scrolled]: [f64; 3] = tab.evaluate(BUTTON).await;
    let text = tab.text().await;
    assert!(top >= 0.0 && bottom <= 640.0, "{page}: {top} to {bottom} at {scrolled}: {text}");
}

async fn submit_password(tab: &Tab, email: &str, password: &str) {
    tab.fill("#email", email).await;
    tab.fill("#password", password).await;
    tab.submit("button[value=continue]").await;
}

async fn check_fields(app: &TestApp, client: &Client, patient: &Patient, language: &str) {
    let browser = Browser::start().await;
    let tab = browser.tab().await;
    tab.set_viewport(360, 640, true).await;
    tab.open(PendingRequest::new(client).url(app.issuer(), &[("ui_locales", language)])).await;
    submit_password(&tab, &patient.email, "not the password").await;
    assert_fault_in_view(&tab, "wrong password").await;
    submit_password(&tab, "mere", "x").await;
    assert_fault_in_view(&tab, "address without @").await;
    let mails = app.mail.codes_to(&patient.email).len();
    submit_password(&tab, &patient.email, &patient.password).await;
    let code = app.mail.wait_for_code(&patient.email, mails + 1).await;
    tab.submit("#resend").await;
    assert_button_in_view(&tab, "sent again too soon").await;
    let wrong = if code == "123456" { "654321" } else { "123456" };
    for (typed, page) in [(wrong, "wrong code"), ("12", "short code"), ("", "no code")] {
        tab.fill("#code", typed).await;
        tab.submit("button[value=continue]").await;
        assert_fault_in_view(&tab, page).await;
    }
    tab.fill("#code", &code).await;
    tab.submit("button[value=continue]").await;
    tab.fill("#new_password", "short").await;
    tab.submit("button[value=continue]").await;
    assert_fault_in_view(&tab, "short new password").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_is_in_view_on_phone() {
    let app = TestApp::start(Engine::Sqlite).await;
    let client = register_client(&app, "portal", true).await;
    for (language, name) in [("en", "Mere"), ("mi", "Hemi")] {
        let patient = app.patient(name).await;
        app.force_reset(&patient).await;
        check_fields(&app, &client, &patient, language).await;
    }
}
