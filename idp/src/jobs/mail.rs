//! One attempt at one mail: opened, composed, offered to the mail server, and written down.

use std::{pin::Pin, time::Duration};

use flows::{
    Cx,
    notify::{self, Claimed, Failure, Letter, Next, Receipt},
};

use tracing::Instrument;

use crate::{
    app::App,
    mail::{
        compose::{Attempt, ComposeError},
        context::MailContext,
    },
    metrics::MailEnd,
};

/// How often and after which rests the end of an attempt is written down while the database is away. Together they stay
/// far below the lease.
const RESTS: [Duration; 3] =
    [Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(4)];

/// A flow that is about to be asked.
type Work<'w, T> = Pin<Box<dyn Future<Output = Result<T, flows::Error>> + Send + 'w>>;

/// Tries a mail. Every end is written down, also the one that nobody waits for any more.
pub(super) async fn attempt(app: App, claimed: Claimed) {
    let cx = app.system_cx("mail");
    let letter = match patiently(|| Box::pin(notify::open(&cx, &claimed))).await {
        Ok(Some(letter)) => letter,
        Ok(None) => {
            app.metrics.mail(claimed.lane(), MailEnd::NotNeeded);
            tracing::info!(job = %claimed.id(), "a mail was not worth sending any more");
            return;
        }
        Err(error) => {
            app.metrics.mail(claimed.lane(), MailEnd::Failed);
            tracing::error!(%error, job = %claimed.id(), "a mail could not be read; it waits for its lease");
            return;
        }
    };
    let end = deliver(&app, &cx, &claimed, &letter).await;
    app.metrics.mail(claimed.lane(), *end.as_ref().unwrap_or(&MailEnd::Failed));
    if let Err(error) = end {
        tracing::error!(%error, job = %claimed.id(), "the end of a mail could not be written down; it may leave again");
    }
}

async fn deliver(
    app: &App,
    cx: &Cx,
    claimed: &Claimed,
    letter: &Letter,
) -> Result<MailEnd, flows::Error> {
    let attempt = Attempt { job: claimed.id(), tries: claimed.tries(), now: cx.now };
    let context =
        MailContext { brand: &app.brand, issuer: &app.issuer, sender: app.mailer.sender() };
    let mail = match context.compose(letter, attempt) {
        Ok(mail) => mail,
        Err(ComposeError::Address) => {
            return failed(cx, claimed, letter, Failure::Refused("its address cannot be used"))
                .await;
        }
        Err(ComposeError::Malformed(why)) => {
            tracing::error!(job = %claimed.id(), %why, "alarm: a broken mail was stopped");
            return failed(cx, claimed, letter, Failure::Malformed(&why.to_string())).await;
        }
    };
    let span = tracing::info_span!(target: "spans", "smtp", otel.kind = "client");
    let answer = app.mailer.send(&mail.envelope, &mail.bytes).instrument(span).await;
    // The time of the server's answer: a code's window counts from here.
    let cx = app.system_cx("mail");
    match answer {
        Ok(accepted) => {
            let receipt = Receipt { message_id: &mail.message_id, reply: &accepted.reply };
            patiently(|| Box::pin(notify::sent(&cx, claimed, letter, receipt))).await?;
            tracing::info!(
                job = %claimed.id(), message_id = mail.message_id, reply = accepted.reply,
                "the mail server took a mail"
            );
            Ok(MailEnd::Accepted)
        }
        Err(error) if error.permanent => {
            failed(&cx, claimed, letter, Failure::Refused(&error.text)).await
        }
        Err(error) => failed(&cx, claimed, letter, Failure::NotNow(&error.text)).await,
    }
}

async fn failed(
    cx: &Cx,
    claimed: &Claimed,
    letter: &Letter,
    failure: Failure<'_>,
) -> Result<MailEnd, flows::Error> {
    let next = patiently(|| Box::pin(notify::failed(cx, claimed, letter, failure))).await?;
    let (job, tries) = (claimed.id(), claimed.tries());
    match next {
        Next::TryAgain(at) => {
            let wait = at.since(cx.now);
            tracing::warn!(%job, tries, ?failure, ?wait, "a mail was not taken and is tried again");
            Ok(MailEnd::Again)
        }
        Next::GivenUp => {
            tracing::warn!(%job, tries, ?failure, "a mail was given up");
            Ok(MailEnd::GivenUp)
        }
    }
}

/// Repeats what a database that is away for a moment would not do. All of it is safe to repeat.
async fn patiently<'w, T>(work: impl Fn() -> Work<'w, T>) -> Result<T, flows::Error> {
    for rest in RESTS {
        match work().await {
            Err(flows::Error::Store(error)) => {
                tracing::warn!(%error, "the database did not answer a mail worker");
            }
            ended => return ended,
        }
        #[expect(clippy::disallowed_methods, reason = "a job rests between tries; nobody waits")]
        tokio::time::sleep(rest).await;
    }
    work().await
}
