//! Delivering a code to the person: challenges are opened, mailed again and superseded, in the current transaction.

use store::{
    Tx,
    email_challenge::{ChallengePurpose, EmailChallenge},
};

use super::{apply::UnitOfWork, method::Challenge, reference, send_quota, state::ProvenFirstStep};
use crate::{
    Error, Result,
    audit::{self, event, outcome::CodeRequest},
    jobs,
    mail::CodeMail,
};

/// Supersedes a challenge.
pub(super) async fn supersede(
    work: &UnitOfWork<'_>,
    tx: &mut Tx,
    challenge: Challenge,
) -> Result<()> {
    store::email_challenge::supersede(tx, challenge.id, work.cx.now).await?;
    Ok(())
}

/// Opens a challenge and requests the mail with its code.
pub(super) async fn open_challenge(
    work: &UnitOfWork<'_>,
    tx: &mut Tx,
    first: ProvenFirstStep,
    challenge: Challenge,
) -> Result<()> {
    let cx = work.cx;
    let Some(address) = work.user()?.email.clone() else { return Err(Error::Conflict) };
    let outcome = charge_send(work, tx).await?;
    let may_send = outcome == CodeRequest::Queued;
    let row = EmailChallenge {
        id: challenge.id,
        user_id: first.user,
        browser: work.browser_context.browser.clone(),
        purpose: ChallengePurpose::SignIn.as_str().to_owned(),
        epoch: first.epoch,
        address,
        key_id: cx.root.current_id().to_owned(),
        nonce: cx.rng.bytes::<16>().to_vec(),
        reference: reference::generate(&cx.rng),
        first_issued_at: cx.now,
        last_requested_at: cx.now,
        last_accepted_at: None,
        sends: i64::from(may_send),
        tries: 0,
        tried: String::new(),
        completed_at: None,
        superseded_at: None,
        refused_at: None,
        language: Some(work.browser_context.requester.language.to_owned()),
        asked_with: work.browser_context.requester.user_agent.clone(),
    };
    if !store::email_challenge::insert(tx, &row).await? {
        // Another tab opened one at the same time, or the person was changed since.
        return Err(Error::Conflict);
    }
    if may_send {
        jobs::insert(cx, tx, CodeMail { challenge: row.id }, work.request.client_id()).await?;
    }
    record_requested(work, tx, &row, outcome).await
}

/// Requests another mail with the code of a challenge.
pub(super) async fn send_again(
    work: &UnitOfWork<'_>,
    tx: &mut Tx,
    challenge: Challenge,
) -> Result<()> {
    let cx = work.cx;
    let Some(row) = store::email_challenge::by_id(tx, challenge.id).await? else {
        return Err(Error::Conflict);
    };
    if work.sends.is_some_and(|seen| seen < row.sends) {
        // A double click: both posts were checked before the first one's mail was counted, and that mail is being sent.
        return record_requested(work, tx, &row, CodeRequest::OnItsWay).await;
    }
    let outcome = charge_send(work, tx).await?;
    if outcome != CodeRequest::Queued {
        return record_requested(work, tx, &row, outcome).await;
    }
    let language = work.browser_context.requester.language;
    if !store::email_challenge::record_send(tx, &row, language, cx.now).await? {
        return Err(Error::Conflict);
    }
    jobs::insert(cx, tx, CodeMail { challenge: row.id }, work.request.client_id()).await?;
    record_requested(work, tx, &row, CodeRequest::QueuedAgain).await
}

async fn charge_send(work: &UnitOfWork<'_>, tx: &mut Tx) -> Result<CodeRequest> {
    let (cx, client) = (work.cx, work.request.client_id());
    let throttle_subject = work.throttle_subject(tx).await?;
    send_quota::charge_send(cx, tx, &throttle_subject, work.user()?, client).await
}

async fn record_requested(
    work: &UnitOfWork<'_>,
    tx: &mut Tx,
    challenge: &EmailChallenge,
    outcome: CodeRequest,
) -> Result<()> {
    let requested =
        event::CodeRequested { challenge: challenge.id, reference: challenge.reference.clone() };
    let entry = audit::AuditEntry::new(requested, outcome)
        .user(challenge.user_id)
        .client(work.request.client_id());
    audit::record(work.cx, tx, entry).await
}
