//! The mail server refuses temporarily, is slow, disconnects after it accepted a mail, and greylists new recipients.

use std::time::Duration;

use vestibule_tests::{
    db::{Engine, TestDb},
    mail_server::MailFault,
};

use super::FaultScenario;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_smtp_fault_is_survived() {
    let site =
        FaultScenario::start(TestDb::create(Engine::Postgres).await, Engine::Postgres.redis_url())
            .await;
    let mail = site.app.mail.clone();
    for (name, fault, messages) in [
        ("refuses temporarily", MailFault::Refuse(451), 6),
        ("is slow", MailFault::Delay(Duration::from_secs(2)), 6),
        ("disconnects after it accepted a mail", MailFault::DropAfterAccept, 4),
        ("disconnects in the middle of a mail", MailFault::CloseInData, 4),
        ("is over its quota", MailFault::Refuse(452), 4),
    ] {
        mail.inject_fault(fault, messages);
        site.crowd.wait_for_sign_ins(4).await;
        println!("the mail server {name}: people sign in");
    }
    // The sign-ins that are complete by now may have met fewer refusals.
    mail.wait_for_refusals(10).await;
    site.finish_after_fault("the mail server failed in every way").await;
}

/// Greylisting: a server defers each unknown recipient, and accepts the mail at the second attempt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn greylisted_recipients_get_mail_later() {
    let site =
        FaultScenario::start(TestDb::create(Engine::Postgres).await, Engine::Postgres.redis_url())
            .await;
    site.app.mail.enable_greylisting(Duration::from_secs(2));
    site.crowd.wait_for_sign_ins(8).await;
    // Each of four recipients is deferred once.
    site.app.mail.wait_for_refusals(4).await;
    site.finish_after_fault("new recipients were greylisted").await;
}
