//! The pages of other second steps, and those on which a person looks after an account.

use std::time::Duration;

use vestibule_browser_tests::virtual_authenticator::VirtualAuthenticator;
use vestibule_tests::{authenticator_app::AuthenticatorApp, client::Client};

use super::Walk;

/// An app is added, used to sign in, and shown with everything that it brings.
pub(super) async fn visit_second_steps(walk: &mut Walk<'_>, portal: &Client) {
    let patient = walk.app.patient("Mere").await;
    let issuer = walk.app.issuer().to_owned();
    let language = walk.language;
    walk.tab.open(format!("{issuer}/language?to={language}&account=authenticator_apps")).await;
    walk.check_variant("password-account").await;
    let code = walk.submit_password(&patient).await;
    walk.submit_code(&code).await;
    walk.check_page("authenticator-apps-none").await;
    walk.press("add").await;
    walk.check_page("enrolment").await;
    let address: String =
        walk.tab.evaluate("document.querySelector(\"a[href^='otpauth:']\").href").await;
    let generator = AuthenticatorApp::with_address(&address);
    walk.tab.fill("#code", "000000").await;
    walk.press("confirm").await;
    walk.check_page("enrolment-wrong").await;
    walk.tab.fill("#code", &generator.code(walk.app)).await;
    walk.press("confirm").await;
    walk.check_page("sheet").await;
    let first: String =
        walk.tab.evaluate("document.querySelector('ol.codes code').textContent").await;
    walk.tab.open(format!("{issuer}/account/authenticator-apps")).await;
    walk.tab.click("summary").await;
    walk.check_page("authenticator-apps").await;
    walk.tab.open(format!("{issuer}/account/recovery-codes")).await;
    walk.check_page("recovery-codes").await;
    walk.tab.open(format!("{issuer}/account")).await;
    walk.check_page("overview").await;
    walk.app.clock.advance(Duration::from_mins(6));
    walk.tab.open(format!("{issuer}/account/recovery-codes?again=1")).await;
    walk.check_variant("password-again").await;
    walk.start(portal, &[("prompt", "login")]).await;
    walk.submit_credentials(&patient.email, &patient.password).await;
    walk.check_page("held-code").await;
    walk.submit_code(&generator.code_ahead(walk.app, 240)).await;
    walk.check_page("held-code-ahead").await;
    walk.tab.click("a[href^='/login/other-ways']").await;
    walk.tab.wait_for_url(|url| url.path() == "/login/other-ways").await;
    walk.check_page("other-ways").await;
    walk.tab.submit("button[value=recovery_code]").await;
    walk.check_page("held-code-recovery").await;
    walk.submit_code("7K3M").await;
    walk.check_variant("held-code-recovery-short").await;
    walk.submit_code(&first).await;
    walk.wait_for_client().await;
}

/// A passkey is added and asked for after the password.
pub(super) async fn visit_passkeys(walk: &mut Walk<'_>, portal: &Client) {
    let patient = walk.app.patient("Wiremu").await;
    let authenticator = VirtualAuthenticator::add(walk.tab).await;
    authenticator.set_present(walk.tab, false).await;
    let issuer = walk.app.issuer().to_owned();
    walk.tab.open(format!("{issuer}/oauth2/logout")).await;
    walk.press("continue").await;
    walk.tab.open(format!("{issuer}/account/passkeys")).await;
    let code = walk.submit_password(&patient).await;
    walk.submit_code(&code).await;
    walk.check_page("passkeys-none").await;
    authenticator.set_present(walk.tab, true).await;
    walk.tab.click("button[data-start]").await;
    walk.tab.wait_for_url(|url| url.path() == "/account/recovery-codes").await;
    authenticator.set_present(walk.tab, false).await;
    walk.tab.open(format!("{issuer}/account/passkeys")).await;
    walk.tab.click("summary").await;
    walk.check_page("passkeys").await;
    walk.start(portal, &[("prompt", "login")]).await;
    walk.submit_credentials(&patient.email, &patient.password).await;
    walk.tab.click("a[href^='/login/other-ways']").await;
    walk.tab.wait_for_url(|url| url.path() == "/login/other-ways").await;
    walk.tab.submit("button[value=passkey]").await;
    walk.check_page("passkey").await;
    authenticator.set_present(walk.tab, true).await;
    walk.tab.click("#passkey").await;
    walk.wait_for_client().await;
}
