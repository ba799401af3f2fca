//! The refusal pages: too many tries, no mail, a wrong code, a dependency that is unavailable.

use std::time::Duration;

use store::Timestamp;
use vestibule_tests::{client::Client, mail_server::MailFault};

use super::{Walk, page_list, wrong_code};

/// All refusals except those that make the provider unusable.
pub(super) async fn visit_refusal_pages(walk: &mut Walk<'_>, portal: &Client) {
    walk.start(portal, &[("prompt", "login")]).await;
    visit_paused_account(walk).await;
    visit_rate_limited(walk, portal).await;
    visit_mail_failures(walk, portal).await;
    visit_other_codes(walk, portal).await;
    visit_repeated_codes(walk, portal).await;
}

/// Too many wrong passwords for one person.
async fn visit_paused_account(walk: &mut Walk<'_>) {
    walk.app.set_setting("sign_in.password_failures", "3").await;
    for _ in 0..4 {
        walk.submit_credentials("unknown@patients.example", "not the password").await;
    }
    walk.check_variant("password-paused").await;
    walk.app.set_setting("sign_in.password_failures", "10").await;
}

/// Too many failures from one network, at either step.
async fn visit_rate_limited(walk: &mut Walk<'_>, portal: &Client) {
    let patient = walk.app.patient("Kiri").await;
    // At the beginning of a rate limit window, so that it does not end during this.
    let now = walk.app.app().clock.now().millis();
    walk.app.clock.set(Timestamp::from_millis((now / 300_000 + 1) * 300_000));
    walk.start(portal, &[("prompt", "login")]).await;
    let code = walk.submit_password(&patient).await;
    walk.app.set_setting("sign_in.network_failures_ipv4", "10").await;
    let neighbour = walk.app.browser();
    for _ in 0..10 {
        let (page, _) = neighbour.open_sign_in_page(portal).await;
        let form = page.form().with("email", "absent@patients.example").with("password", "x");
        neighbour.post(&form, "continue").await;
    }
    walk.submit_code(&wrong_code(&code, 0)).await;
    walk.check_variant("code-network").await;
    walk.start(portal, &[("prompt", "login")]).await;
    walk.submit_credentials("absent@patients.example", "not the password").await;
    walk.check_variant("password-network").await;
    walk.app.set_setting("sign_in.network_failures_ipv4", "200").await;
}

/// The mail is on its way, is refused, or was not sent.
async fn visit_mail_failures(walk: &mut Walk<'_>, portal: &Client) {
    let again = [("prompt", "login")];
    let [slow, refused, spent] = [
        walk.app.patient("Ana").await,
        walk.app.patient("Rangi").await,
        walk.app.patient("Wiremu").await,
    ];
    walk.app.mail.inject_fault(MailFault::Hold, 1);
    walk.start(portal, &again).await;
    walk.submit_credentials(&slow.email, &slow.password).await;
    walk.check_variant("code-sending").await;
    walk.app.mail.release_held();
    walk.app.wait_for_jobs().await;
    walk.app.mail.inject_fault(MailFault::Refuse(550), 1);
    walk.start(portal, &again).await;
    walk.submit_credentials(&refused.email, &refused.password).await;
    walk.reload().await;
    walk.check_variant("code-refused").await;
    // One network has half of them.
    walk.app.set_setting("sign_in.sends_per_hour", "2").await;
    walk.app.browser().sign_in_to_code_page(walk.app, portal, &spent).await;
    walk.start(portal, &again).await;
    walk.submit_credentials(&spent.email, &spent.password).await;
    walk.check_variant("code-not-sent").await;
    walk.app.set_setting("sign_in.sends_per_hour", "100").await;
}

/// The code of another browser, and that of an older mail.
async fn visit_other_codes(walk: &mut Walk<'_>, portal: &Client) {
    let patient = walk.app.patient("Tui").await;
    let (_, elsewhere, _) =
        walk.app.browser().sign_in_to_code_page(walk.app, portal, &patient).await;
    walk.start(portal, &[("prompt", "login")]).await;
    let first = walk.submit_password(&patient).await;
    let page = walk.tab.url().await;
    walk.submit_code(&elsewhere).await;
    walk.check_variant("code-other-browser").await;
    walk.app.clock.advance(Duration::from_mins(40));
    walk.reopen(&page).await;
    walk.press("resend").await;
    walk.app.mail.wait_for_code(&patient.email, 3).await;
    walk.submit_code(&first).await;
    walk.check_variant("code-superseded").await;
}

/// A code that has already completed a sign-in.
async fn visit_repeated_codes(walk: &mut Walk<'_>, portal: &Client) {
    let patient = walk.app.patient("Moana").await;
    walk.start(portal, &[("prompt", "login")]).await;
    let used = walk.submit_password(&patient).await;
    walk.submit_code(&used).await;
    walk.wait_for_client().await;
    walk.app.wait_for_jobs().await;
    walk.start(portal, &[("prompt", "login")]).await;
    walk.submit_password(&patient).await;
    walk.submit_code(&used).await;
    walk.check_variant("code-used").await;
}

/// Every failure by name; those that a browser can reach are reached through it. The database is unusable afterwards.
pub(super) async fn visit_failure_pages(walk: &mut Walk<'_>, portal: &Client) {
    walk.start(portal, &[]).await;
    for name in page_list::failures() {
        let (language, page) = (walk.language, name.replace('-', "_"));
        // Only a link of our own page leads there.
        let to = format!("/language?to={language}&page={page}&reference=K4M9TX");
        let link = format!("document.querySelector('nav a').href = '{to}'; true");
        assert!(walk.tab.evaluate::<bool>(&link).await);
        walk.tab.submit("nav a").await;
        walk.check_variant(&format!("failure-{name}")).await;
    }
    walk.start(portal, &[]).await;
    let without = "document.querySelector('input[name=form]').value = ''; true";
    assert!(walk.tab.evaluate::<bool>(without).await);
    walk.submit_credentials("mere@patients.example", "not the password").await;
    walk.check_variant("failure-forbidden").await;
    walk.start(portal, &[]).await;
    walk.app.replica_db().close().await;
    walk.submit_credentials("mere@patients.example", "not the password").await;
    walk.check_variant("password-away").await;
    walk.tab.open(format!("{}/login/code?attempt=x", walk.app.issuer())).await;
    walk.check_variant("failure-away").await;
}
