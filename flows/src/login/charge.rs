//! Charging a guess at a code before it is compared: one try of the person; while the site's guess budget is spent also one
//! of the strangers' daily quota; and for a mailed code one of the challenge. All of them or none.
//!
//! What a wrong code counts beyond that, in the site's guess budget, and the notice to its person are written in the
//! same transaction: a guess whose verdict is never applied has counted all the same.

use store::{Timestamp, Tx, throttle::ThrottleKind};

use super::{
    code_post::CodePost,
    code_window::{CodeValidity, derive_code, validity},
    refusal::{CodeRefusal, MailRefusal, Refusal},
    throttle_subject::{ChargeResult, GuessCount, ThrottleSubject},
};
use crate::{
    Cx, Result, guess_budget,
    mail::{self, GuessKind, WrongGuessesMail},
};

/// A guess at a mailed code that may be compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChargedGuess {
    /// Tries at the challenge that are left afterwards.
    pub(super) tries_left: i64,
    /// What was spent: nothing if this very guess was checked before.
    pub(super) spent: Option<GuessCount>,
}

/// The result of charging the person for a guess at a code, by any method.
enum PersonCharge {
    /// The tries are spent; the guess may be compared.
    Charged(GuessCount),
    /// Nothing is checked until then.
    Paused(Timestamp),
    /// The strangers' daily quota is used up until then.
    DailyQuotaSpent(Timestamp),
}

/// Spends the person's tries, all of them or none.
async fn charge_person(
    cx: &Cx,
    tx: &mut Tx,
    throttle_subject: &ThrottleSubject,
) -> Result<PersonCharge> {
    let tally = match throttle_subject.charge(cx, tx, ThrottleKind::Code, true).await? {
        ChargeResult::Charged(tally) => tally,
        ChargeResult::Paused(until) => return Ok(PersonCharge::Paused(until)),
    };
    let Some(until) = throttle_subject.charge_daily_quota(cx, tx).await? else {
        return Ok(PersonCharge::Charged(tally));
    };
    throttle_subject.refund_charge(cx, tx, ThrottleKind::Code, tally).await?;
    Ok(PersonCharge::DailyQuotaSpent(until))
}

/// Gives back what was spent.
async fn refund_person(
    cx: &Cx,
    tx: &mut Tx,
    throttle_subject: &ThrottleSubject,
    tally: GuessCount,
) -> Result<()> {
    throttle_subject.refund_daily_quota(cx, tx).await?;
    throttle_subject.refund_charge(cx, tx, ThrottleKind::Code, tally).await
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

/// Begins the waits after a guess, and counts a wrong one: in the site's guess budget, and with a notice if strangers
/// now wait.
async fn count_guess(
    cx: &Cx,
    tx: &mut Tx,
    post: &CodePost,
    count: GuessCount,
    is_right: bool,
) -> Result<()> {
    let (challenge, throttle_subject) = (&post.challenge, &post.throttle_subject);
    let begun = throttle_subject.start_delays(cx, tx, ThrottleKind::Code, count).await?;
    if is_right {
        return Ok(());
    }
    // The budget does not affect known devices, so they spend nothing of it; nor does a guess at a code that is
    // useless: its challenge was answered before, and could not take it back, or it is past its cap.
    let is_useless =
        challenge.completed_at.is_some() || validity(cx, challenge) == CodeValidity::Expired;
    if let ThrottleSubject::Stranger { all_strangers, .. } = throttle_subject
        && !is_useless
    {
        guess_budget::count_wrong_code(cx, tx, challenge.id, all_strangers).await?;
    }
    if begun {
        let notice = WrongGuessesMail { user: Some(challenge.user_id), tried: GuessKind::Code };
        let canonical = post.person.user.counter_name();
        mail::warn_once_a_day(cx, tx, notice, &canonical, post.client_id()).await?;
    }
    Ok(())
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
