//! The pages of those who are refused: too many tries, no mail, a code that is not the one, a part that is away.

use std::time::Duration;

use store::Timestamp;
use vestibule_tests::{client::Client, mailbox::Fault};

use super::{Walk, list, wrong};

/// Everything but what ends the provider.
pub(super) async fn visit(walk: &mut Walk<'_>, portal: &Client) {
    walk.start(portal, &[("prompt", "login")]).await;
    paused(walk).await;
    crowded(walk, portal).await;
    mails(walk, portal).await;
    other_codes(walk, portal).await;
    repeated_codes(walk, portal).await;
}

/// Too many wrong passwords of one person.
async fn paused(walk: &mut Walk<'_>) {
    walk.app.set("sign_in.password_failures", "3").await;
    for _ in 0..4 {
        walk.first_step("somebody@patients.example", "not the password").await;
    }
    walk.glance("password-paused").await;
    walk.app.set("sign_in.password_failures", "10").await;
}

/// Too many failures from one network, at either step.
async fn crowded(walk: &mut Walk<'_>, portal: &Client) {
    let patient = walk.app.patient("Kiri").await;
    // The beginning of a window, which is not over before this is.
    let now = walk.app.app().clock.now().millis();
    walk.app.clock.set(Timestamp::from_millis((now / 300_000 + 1) * 300_000));
    walk.start(portal, &[("prompt", "login")]).await;
    let code = walk.password(&patient).await;
    walk.app.set("sign_in.network_failures_ipv4", "10").await;
    let neighbour = walk.app.browser();
    for _ in 0..10 {
        let (page, _) = neighbour.start(portal).await;
        let form = page.form().with("email", "nobody@patients.example").with("password", "x");
        neighbour.post(&form, "continue").await;
    }
    walk.code(&wrong(&code, 0)).await;
    walk.glance("code-network").await;
    walk.start(portal, &[("prompt", "login")]).await;
    walk.first_step("nobody@patients.example", "not the password").await;
    walk.glance("password-network").await;
    walk.app.set("sign_in.network_failures_ipv4", "200").await;
}

/// The mail is on its way, is refused, or was not sent.
async fn mails(walk: &mut Walk<'_>, portal: &Client) {
    let again = [("prompt", "login")];
    let [slow, refused, spent] = [
        walk.app.patient("Ana").await,
        walk.app.patient("Rangi").await,
        walk.app.patient("Wiremu").await,
    ];
    walk.app.mail.fault(Fault::Hold, 1);
    walk.start(portal, &again).await;
    walk.first_step(&slow.email, &slow.password).await;
    walk.glance("code-sending").await;
    walk.app.mail.release();
    walk.app.settled().await;
    walk.app.mail.fault(Fault::Refuse(550), 1);
    walk.start(portal, &again).await;
    walk.first_step(&refused.email, &refused.password).await;
    walk.again().await;
    walk.glance("code-refused").await;
    walk.app.set("sign_in.sends_per_hour", "2").await;
    for _ in 0..2 {
        walk.app.browser().up_to_code(walk.app, portal, &spent).await;
    }
    walk.start(portal, &again).await;
    walk.first_step(&spent.email, &spent.password).await;
    walk.glance("code-not-sent").await;
    walk.app.set("sign_in.sends_per_hour", "100").await;
}

/// The code of another browser, and of an older mail.
async fn other_codes(walk: &mut Walk<'_>, portal: &Client) {
    let patient = walk.app.patient("Tui").await;
    let (_, elsewhere, _) = walk.app.browser().up_to_code(walk.app, portal, &patient).await;
    walk.start(portal, &[("prompt", "login")]).await;
    let first = walk.password(&patient).await;
    let page = walk.tab.url().await;
    walk.code(&elsewhere).await;
    walk.glance("code-other-browser").await;
    walk.app.clock.advance(Duration::from_mins(40));
    walk.reopen(&page).await;
    walk.press("resend").await;
    walk.app.mail.code(&patient.email, 3).await;
    walk.code(&first).await;
    walk.glance("code-superseded").await;
}

/// A code that has signed somebody in.
async fn repeated_codes(walk: &mut Walk<'_>, portal: &Client) {
    let patient = walk.app.patient("Moana").await;
    walk.start(portal, &[("prompt", "login")]).await;
    let used = walk.password(&patient).await;
    walk.code(&used).await;
    walk.at_the_client().await;
    walk.app.settled().await;
    walk.start(portal, &[("prompt", "login")]).await;
    walk.password(&patient).await;
    walk.code(&used).await;
    walk.glance("code-used").await;
}

/// Every failure by its name; those that a browser can come to, as it comes to them. The database is gone afterwards.
pub(super) async fn failures(walk: &mut Walk<'_>, portal: &Client) {
    let issuer = walk.app.issuer().to_owned();
    for name in list::failures() {
        let (language, page) = (walk.language, name.replace('-', "_"));
        let to = format!("{issuer}/language?to={language}&page={page}&reference=K4M9TX");
        walk.tab.open(to).await;
        walk.glance(&format!("failure-{name}")).await;
    }
    walk.start(portal, &[]).await;
    let without = "document.querySelector('input[name=form]').value = ''; true";
    assert!(walk.tab.evaluate::<bool>(without).await);
    walk.first_step("mere@patients.example", "not the password").await;
    walk.glance("failure-forbidden").await;
    walk.start(portal, &[]).await;
    walk.app.sql().close().await;
    walk.first_step("mere@patients.example", "not the password").await;
    walk.glance("password-away").await;
    walk.tab.open(format!("{issuer}/login/code?attempt=x")).await;
    walk.glance("failure-away").await;
}
