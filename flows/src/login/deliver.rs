//! Bringing a code to the person: challenges that are opened, mailed again and put aside, in the transaction at hand.

use store::{
    Tx,
    email_challenge::{EmailChallenge, Purpose},
};

use super::{
    apply::Work, email_code, method::Challenge, plan::OpenChallenge, reference, send_quota,
    state::First,
};
use crate::{Error, Result, audit, jobs, mail::Code};

/// The open challenge of this person in this browser, of whatever epoch.
pub(super) async fn open_challenge(work: &Work<'_>, tx: &mut Tx) -> Result<Option<OpenChallenge>> {
    let user = work.user()?.id;
    let open = store::email_challenge::open(tx, user, &work.visit.browser, Purpose::SignIn).await?;
    let Some(row) = open else { return Ok(None) };
    let tries = work.guesser(tx).await?.code_tries(work.cx);
    Ok(Some(OpenChallenge {
        challenge: Challenge::of(&row),
        epoch: row.epoch,
        can_be_joined: super::code_window::can_be_joined(work.cx, &row, tries),
    }))
}

/// Puts a challenge aside.
pub(super) async fn supersede(work: &Work<'_>, tx: &mut Tx, challenge: Challenge) -> Result<()> {
    store::email_challenge::supersede(tx, challenge.id, work.cx.now).await?;
    Ok(())
}

/// Opens a challenge and has its code mailed.
pub(super) async fn open(
    work: &Work<'_>,
    tx: &mut Tx,
    first: First,
    challenge: Challenge,
) -> Result<()> {
    let cx = work.cx;
    let Some(address) = work.user()?.email.clone() else { return Err(Error::Lost) };
    let asks = work.guesser(tx).await?;
    let may_send = send_quota::take_send(cx, tx, &asks).await?;
    let row = EmailChallenge {
        id: challenge.id,
        user_id: first.user,
        browser: work.visit.browser.clone(),
        purpose: Purpose::SignIn.as_str().to_owned(),
        epoch: first.epoch,
        address,
        key_id: cx.root.current_id().to_owned(),
        nonce: cx.rng.bytes::<16>().to_vec(),
        reference: reference::reference(&cx.rng),
        first_issued_at: cx.now,
        last_requested_at: cx.now,
        last_accepted_at: None,
        sends: i64::from(may_send),
        tries: 0,
        tried: String::new(),
        completed_at: None,
        superseded_at: None,
        refused_at: None,
        language: Some(work.visit.reader.language.to_owned()),
        asked_with: work.visit.reader.asks_with.clone(),
    };
    if !store::email_challenge::insert(tx, &row).await? {
        // Another tab opened one in the same moment.
        return Err(Error::Lost);
    }
    if may_send {
        jobs::insert(cx, tx, Code { challenge: row.id }, Some(&work.request.client_id)).await?;
    }
    let outcome = if may_send { "queued" } else { "too_many" };
    requested(work, tx, &row, outcome).await
}

/// Has the code of a challenge mailed again.
pub(super) async fn send_again(work: &Work<'_>, tx: &mut Tx, challenge: Challenge) -> Result<()> {
    let cx = work.cx;
    let Some(row) = store::email_challenge::by_id(tx, challenge.id).await? else {
        return Err(Error::Lost);
    };
    if work.sends.is_some_and(|seen| seen < row.sends) {
        // Pressed twice: both were judged before the first one's mail was counted, and that one is on its way.
        return requested(work, tx, &row, "on_its_way").await;
    }
    let asks = work.guesser(tx).await?;
    if !send_quota::take_send(cx, tx, &asks).await? {
        return requested(work, tx, &row, "too_many").await;
    }
    let language = work.visit.reader.language;
    if !store::email_challenge::count_send(tx, &row, language, cx.now).await? {
        return Err(Error::Lost);
    }
    jobs::insert(cx, tx, Code { challenge: row.id }, Some(&work.request.client_id)).await?;
    requested(work, tx, &row, "queued_again").await
}

async fn requested(
    work: &Work<'_>,
    tx: &mut Tx,
    challenge: &EmailChallenge,
    outcome: &str,
) -> Result<()> {
    let entry = audit::Entry::new(audit::Event::CodeRequested)
        .outcome(outcome)
        .user(challenge.user_id)
        .client(&work.request.client_id)
        .detail(serde_json::json!({ "challenge": challenge.id, "reference": challenge.reference }));
    audit::record(work.cx, tx, entry).await
}

/// Uses a challenge up, or loses; gives the right guess's try back.
pub(super) async fn spend(work: &Work<'_>, tx: &mut Tx, challenge: Challenge) -> Result<()> {
    if !store::email_challenge::complete(tx, challenge.id, work.cx.now).await? {
        return Err(Error::Lost);
    }
    email_code::refund(work, tx, challenge.id).await
}
