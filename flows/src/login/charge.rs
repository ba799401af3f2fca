//! Charging a guess at a mailed code before it is compared: what a guess costs the person (`person_charge`), and one try of the
//! challenge. All of it or nothing.

use store::Tx;

use super::{
    code_post::CodePost,
    code_window::{CodeValidity, derive_code, validity},
    person_charge::{self, JudgedGuess, PersonCharge, charge_person, refund_person},
    refusal::{CodeRefusal, MailRefusal, Refusal},
    throttle_subject::GuessCount,
};
use crate::{Cx, Result, guess_budget::GuessGroup};

/// A guess at a mailed code that may be compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChargedGuess {
    /// Tries at the challenge that are left afterwards.
    pub(super) tries_left: i64,
    /// What was spent: nothing if this very guess was checked before.
    pub(super) spent: Option<GuessCount>,
}

/// Charges a guess at a mailed code, or returns why it is not checked. Expiry is ignored here.
pub(super) async fn charge_guess(
    cx: &Cx,
    post: &CodePost,
    guess: &str,
) -> Result<Result<ChargedGuess, Refusal>> {
    let challenge = &post.challenge;
    let tag = cx.root.guess_tag(&challenge.key_id, challenge.id, guess)?;
    let code = derive_code(cx, challenge)?;
    cx.db
        .write(async |tx| {
            let charged = charge_person_and_challenge(cx, tx, post, &tag).await?;
            if let Ok(ChargedGuess { spent: Some(count), .. }) = charged {
                // Now the guess is charged, so it may be compared.
                count_guess(cx, tx, post, count, code.matches(guess)).await?;
            }
            Ok(charged)
        })
        .await
}

/// Begins the waits after a guess, and counts a wrong one.
async fn count_guess(
    cx: &Cx,
    tx: &mut Tx,
    post: &CodePost,
    count: GuessCount,
    is_right: bool,
) -> Result<()> {
    let challenge = &post.challenge;
    // A guess at a code that is useless spends nothing of the budget: its challenge was answered before, and could not take
    // it back, or it is past its cap.
    let is_useless =
        challenge.completed_at.is_some() || validity(cx, challenge) == CodeValidity::Expired;
    let group = (!is_useless).then(|| GuessGroup::of_challenge(challenge.id));
    let guess = JudgedGuess {
        subject: &post.throttle_subject,
        user: &post.person.user,
        client: post.client_id(),
        group: group.as_ref(),
        is_right,
    };
    person_charge::count_guess(cx, tx, count, &guess).await
}

async fn charge_person_and_challenge(
    cx: &Cx,
    tx: &mut Tx,
    post: &CodePost,
    tag: &str,
) -> Result<Result<ChargedGuess, Refusal>> {
    let (throttle_subject, id) = (&post.throttle_subject, post.challenge.id);
    let tries = throttle_subject.code_tries(cx);
    // The challenge first, then the person, then the site: a right code is applied in the same order
    // (`Completion::consume`), to prevent a deadlock of the two.
    let used = store::email_challenge::charge_guess(tx, id, tag, tries).await?;
    let refusal = match (used, charge_person(cx, tx, throttle_subject).await?) {
        (Some(used), PersonCharge::Charged(count)) => {
            return Ok(Ok(ChargedGuess { tries_left: tries - used, spent: Some(count) }));
        }
        (Some(_), PersonCharge::Paused(until) | PersonCharge::DailyQuotaSpent(until)) => {
            // Nothing was spent on the person, so nothing is spent on the challenge.
            store::email_challenge::refund_guess(tx, id, tag).await?;
            return Ok(Err(CodeRefusal::Paused(until).into()));
        }
        (None, PersonCharge::Paused(until)) => return Ok(Err(CodeRefusal::Paused(until).into())),
        (None, PersonCharge::DailyQuotaSpent(until)) => CodeRefusal::Paused(until).into(),
        (None, PersonCharge::Charged(count)) => {
            // Nothing was spent on the challenge, so nothing is spent on the person.
            refund_person(cx, tx, throttle_subject, count).await?;
            MailRefusal::Exhausted.into()
        }
    };
    let row = store::email_challenge::by_id(tx, id).await?;
    Ok(match row.filter(|row| row.tried.contains(tag)) {
        Some(row) => Ok(ChargedGuess { tries_left: tries - row.tries, spent: None }),
        None => Err(refusal),
    })
}
