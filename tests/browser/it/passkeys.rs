//! Passkeys in a real Chromium with a virtual authenticator, as on a phone: made after a sign-in with a mailed code, then used
//! instead of the password, by the button and from the list of the address field, and as the second step.

use chromiumoxide::cdp::browser_protocol::network::ClearBrowserCookiesParams;
use vestibule_browser_tests::{
    browser::{Browser, Tab},
    virtual_authenticator::VirtualAuthenticator,
};
use vestibule_tests::{
    app::{Patient, TestApp},
    client::{Client, PendingRequest},
    db::Engine,
};

use crate::keyboard::register_client;

/// A tab with an authenticator like that of a phone.
struct Phone {
    tab: Tab,
    authenticator: VirtualAuthenticator,
    _browser: Browser,
}

impl Phone {
    async fn start() -> Self {
        let browser = Browser::start().await;
        let tab = browser.tab().await;
        let authenticator = VirtualAuthenticator::add(&tab).await;
        Self { tab, authenticator, _browser: browser }
    }

    async fn set_present(&self, present: bool) {
        self.authenticator.set_present(&self.tab, present).await;
    }

    async fn forget_cookies(&self) {
        self.tab.page().execute(ClearBrowserCookiesParams::default()).await.expect("it is empty");
    }

    /// Signs in for a page of the account with password and mailed code.
    async fn open_account(&self, app: &TestApp, patient: &Patient, path: &str) {
        let mails = app.mail.codes_to(&patient.email).len();
        self.tab.open(format!("{}{path}", app.issuer())).await;
        self.submit_password(patient).await;
        let code = app.mail.wait_for_code(&patient.email, mails + 1).await;
        self.tab.fill("#code", &code).await;
        self.tab.submit("button[value=continue]").await;
        self.tab.wait_for_url(|url| url.path() == path).await;
    }

    async fn submit_password(&self, patient: &Patient) {
        self.tab.fill("#email", &patient.email).await;
        self.tab.fill("#password", &patient.password).await;
        self.tab.submit("main form button[value=continue]").await;
    }

    async fn open_sign_in_page(&self, app: &TestApp, client: &Client) {
        self.forget_cookies().await;
        self.tab.open(PendingRequest::new(client).url(app.issuer(), &[])).await;
    }

    /// A person with a passkey on this phone.
    async fn register(&self, app: &TestApp, patient: &Patient) {
        self.open_account(app, patient, "/account/passkeys").await;
        assert!(self.tab.text().await.contains("Do not do this on a device that you share"));
        self.tab.click("button[data-start]").await;
        self.tab.wait_for_url(|url| url.path() == "/account/recovery-codes").await;
        assert!(self.tab.text().await.contains("The passkey was added"));
        assert_eq!(self.authenticator.passkeys(&self.tab).await, 1);
    }
}

async fn start() -> (TestApp, Client, Patient, Phone) {
    let app = TestApp::start(Engine::Sqlite).await;
    let client = register_client(&app, "portal", true).await;
    let patient = app.patient("Mere").await;
    (app, client, patient, Phone::start().await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passkey_button_signs_in() {
    let (app, client, patient, phone) = start().await;
    phone.register(&app, &patient).await;
    // The sensor is not touched, so the offer of the address field stays open until the button ends it.
    phone.set_present(false).await;
    phone.open_sign_in_page(&app, &client).await;
    assert_eq!(phone.tab.text_of("#passkey").await, "Sign in with a passkey");
    phone.set_present(true).await;
    phone.tab.click("#passkey").await;
    phone.tab.wait_for_url(|url| url.as_str().starts_with(&client.redirect_uri)).await;
    assert_eq!(app.audit_outcomes("passkey.checked").await, ["right"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn address_field_offers_passkey() {
    let (app, client, patient, phone) = start().await;
    phone.register(&app, &patient).await;
    phone.open_sign_in_page(&app, &client).await;
    phone.tab.wait_for_url(|url| url.as_str().starts_with(&client.redirect_uri)).await;
    assert_eq!(app.audit_outcomes("passkey.checked").await, ["right"]);
}

/// The person cancels, and presses once more: without a reload.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn button_works_second_time() {
    let (app, client, patient, phone) = start().await;
    phone.register(&app, &patient).await;
    phone.set_present(false).await;
    phone.authenticator.set_verified(&phone.tab, false).await;
    phone.open_sign_in_page(&app, &client).await;
    // The simulated finger would answer an offer at once, before the second press.
    let no_offer = "PublicKeyCredential.isConditionalMediationAvailable = async () => false; true";
    assert!(phone.tab.evaluate::<bool>(no_offer).await);
    phone.set_present(true).await;
    phone.tab.click("#passkey").await;
    let said = "No passkey was used. Try again, or sign in another way.";
    let wait = async || {
        let text = phone.tab.text().await;
        if text.contains(said) { Ok(()) } else { Err(text) }
    };
    vestibule_tests::wait::until("the page says so", wait).await;
    phone.authenticator.set_verified(&phone.tab, true).await;
    phone.tab.click("#passkey").await;
    phone.tab.wait_for_url(|url| url.as_str().starts_with(&client.redirect_uri)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passkey_follows_password() {
    let (app, client, patient, phone) = start().await;
    phone.register(&app, &patient).await;
    phone.set_present(false).await;
    phone.open_sign_in_page(&app, &client).await;
    phone.submit_password(&patient).await;
    phone.tab.submit("a[href^='/login/other-ways']").await;
    phone.tab.submit("button[value=passkey]").await;
    phone.tab.wait_for_url(|url| url.path() == "/login/passkey").await;
    phone.set_present(true).await;
    phone.tab.click("#passkey").await;
    phone.tab.wait_for_url(|url| url.as_str().starts_with(&client.redirect_uri)).await;
    assert_eq!(phone.tab.problems().await, Vec::<String>::new());
}

/// An authenticator that has a passkey of the account makes no second one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn known_device_is_not_added_twice() {
    let (app, _, patient, phone) = start().await;
    phone.register(&app, &patient).await;
    phone.tab.open(format!("{}/account/passkeys", app.issuer())).await;
    phone.tab.click("button[data-start]").await;
    let said = "This device has a passkey for your account already";
    let wait = async || {
        let text = phone.tab.text().await;
        if text.contains(said) { Ok(()) } else { Err(text) }
    };
    vestibule_tests::wait::until("the page says so", wait).await;
    assert_eq!(phone.authenticator.passkeys(&phone.tab).await, 1);
}
