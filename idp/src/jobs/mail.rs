//! One attempt at a mail: opened, composed, and offered to the mail server.

use flows::{
    jobs::{ClaimedJob, JobResult},
    mail::{self, Letter, PreparedMail},
};
use serde_json::json;
use tracing::Instrument;

use super::retry::retry_database;
use crate::{
    app::App,
    mail::{
        ComposedMail,
        compose::{ComposeError, SendAttempt},
        context::MailContext,
    },
};

/// Attempts to send a mail.
pub(super) async fn attempt(app: &App, claimed: &ClaimedJob) -> Result<JobResult, flows::Error> {
    let cx = app.system_cx("mail");
    let letter = match retry_database(|| Box::pin(mail::prepare(&cx, claimed))).await? {
        PreparedMail::Letter(letter) => letter,
        PreparedMail::Ended(end) => return Ok(end),
    };
    let attempt = SendAttempt { job: claimed.id(), tries: claimed.tries(), now: cx.now };
    Ok(match compose(app, &letter, attempt) {
        Ok(mail) => send(app, claimed, &mail).await,
        Err(end) => end,
    })
}

fn compose(app: &App, letter: &Letter, attempt: SendAttempt) -> Result<ComposedMail, JobResult> {
    let context =
        MailContext { brand: &app.brand, issuer: &app.issuer, sender: app.mailer.sender() };
    context.compose(letter, attempt).map_err(|error| match error {
        ComposeError::UnusableAddress => {
            JobResult::Refused("its address cannot be used".to_owned())
        }
        ComposeError::Malformed(why) => {
            tracing::error!(job = %attempt.job, %why, "alarm: a malformed mail was not sent");
            JobResult::Malformed(why.to_string())
        }
    })
}

async fn send(app: &App, claimed: &ClaimedJob, mail: &ComposedMail) -> JobResult {
    let span = tracing::info_span!(target: "spans", "smtp", otel.kind = "client");
    match app.mailer.send(&mail.envelope, &mail.bytes).instrument(span).await {
        Ok(accepted) => {
            let (message_id, reply) = (&mail.message_id, &accepted.reply);
            tracing::info!(job = %claimed.id(), message_id, reply, "the mail server accepted a mail");
            JobResult::Done(json!({ "message_id": message_id, "reply": reply }))
        }
        Err(error) if error.permanent => JobResult::Refused(error.text),
        Err(error) => JobResult::NotNow(error.text),
    }
}
