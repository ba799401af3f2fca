//! What a guess at a code costs, before it is compared: a try of the person's, and while the site's guess budget is spent
//! one of those that strangers have in a day; and at a mailed code one of the challenge's. All of them or none.

use store::{ChallengeId, Timestamp, Tx, throttle::ThrottleKind};

use super::{
    code_post::CodePost,
    refusal::{CodeRefusal, MailRefusal, Refusal},
    throttle_subject::{ChargeResult, GuessCount, ThrottleSubject},
};
use crate::{Cx, Result};

/// A guess at a mailed code that may be compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChargedGuess {
    /// So many tries at the challenge are left afterwards.
    pub(super) tries_left: i64,
    /// Whether strangers wait from now on, unless it is right.
    pub(super) starts_delay: bool,
    /// Whether a try was spent: not where this very guess was judged before.
    pub(super) was_charged: bool,
}

/// The person's tries for a guess at a code, by whatever method it came.
enum PersonCharge {
    /// They are spent; the guess may be compared.
    Charged(GuessCount),
    /// Nothing is judged until then.
    Paused(Timestamp),
    /// What strangers have in a day is used up until then.
    DailyQuotaSpent(Timestamp),
}

/// Takes the person's tries, all of them or none.
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

/// Gives back what was taken.
async fn refund_person(
    cx: &Cx,
    tx: &mut Tx,
    throttle_subject: &ThrottleSubject,
    tally: GuessCount,
) -> Result<()> {
    throttle_subject.refund_daily_quota(cx, tx).await?;
    throttle_subject.refund_charge(cx, tx, ThrottleKind::Code, tally).await
}

/// Charges a guess at a mailed code, or says why it is not judged. No expiry is looked at.
pub(super) async fn charge_guess(
    cx: &Cx,
    post: &CodePost,
    guess: &str,
) -> Result<Result<ChargedGuess, Refusal>> {
    let challenge = &post.challenge;
    let tag = cx.root.guess_tag(&challenge.key_id, challenge.id, guess)?;
    cx.db
        .write(async |tx| {
            charge_person_and_challenge(cx, tx, &post.throttle_subject, challenge.id, &tag).await
        })
        .await
}

async fn charge_person_and_challenge(
    cx: &Cx,
    tx: &mut Tx,
    throttle_subject: &ThrottleSubject,
    id: ChallengeId,
    tag: &str,
) -> Result<Result<ChargedGuess, Refusal>> {
    let tries = throttle_subject.code_tries(cx);
    let refusal = match charge_person(cx, tx, throttle_subject).await? {
        PersonCharge::Paused(until) => return Ok(Err(CodeRefusal::Paused(until).into())),
        PersonCharge::DailyQuotaSpent(until) => CodeRefusal::Paused(until).into(),
        PersonCharge::Charged(tally) => {
            if let Some(used) = store::email_challenge::charge_guess(tx, id, tag, tries).await? {
                let pauses =
                    throttle_subject.start_delays(cx, tx, ThrottleKind::Code, tally).await?;
                return Ok(Ok(ChargedGuess {
                    tries_left: tries - used,
                    starts_delay: pauses,
                    was_charged: true,
                }));
            }
            // Nothing was spent on the challenge, so nothing is spent on the person.
            refund_person(cx, tx, throttle_subject, tally).await?;
            MailRefusal::Exhausted.into()
        }
    };
    let row = store::email_challenge::by_id(tx, id).await?;
    Ok(match row.filter(|row| row.tried.contains(tag)) {
        Some(row) => Ok(ChargedGuess {
            tries_left: tries - row.tries,
            starts_delay: false,
            was_charged: false,
        }),
        None => Err(refusal),
    })
}
