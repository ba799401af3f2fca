//! What a guess at a code costs, before it is compared: a try of the person's, and while the site's guess budget is spent
//! one of those that strangers have in a day; and at a mailed code one of the challenge's. All of them or none.

use store::{ChallengeId, Timestamp, Tx, throttle::ThrottleKind};

use super::{
    post::Post,
    refusal::{CodeRefusal, MailRefusal, Refusal},
    tries::{Guesser, Spent, Tally},
};
use crate::{Cx, Result};

/// A guess at a mailed code that may be compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Charge {
    /// So many tries at the challenge are left afterwards.
    pub(super) left: i64,
    /// Whether strangers wait from now on, unless it is right.
    pub(super) pauses: bool,
    /// Whether a try was spent: not where this very guess was judged before.
    pub(super) is_spent: bool,
}

/// The person's tries for a guess at a code, by whatever method it came.
enum Taken {
    /// They are spent; the guess may be compared.
    Try(Tally),
    /// Nothing is judged until then.
    Paused(Timestamp),
    /// What strangers have in a day is used up until then.
    DayIsSpent(Timestamp),
}

/// Takes the person's tries, all of them or none.
async fn take(cx: &Cx, tx: &mut Tx, guesser: &Guesser) -> Result<Taken> {
    let tally = match guesser.spend(cx, tx, ThrottleKind::Code, true).await? {
        Spent::Try(tally) => tally,
        Spent::Paused(until) => return Ok(Taken::Paused(until)),
    };
    let Some(until) = guesser.take_of_day(cx, tx).await? else { return Ok(Taken::Try(tally)) };
    guesser.give_back(cx, tx, ThrottleKind::Code, tally).await?;
    Ok(Taken::DayIsSpent(until))
}

/// Gives back what was taken.
async fn give_back(cx: &Cx, tx: &mut Tx, guesser: &Guesser, tally: Tally) -> Result<()> {
    guesser.give_back_of_day(cx, tx).await?;
    guesser.give_back(cx, tx, ThrottleKind::Code, tally).await
}

/// Charges a guess at a mailed code, or says why it is not judged. No expiry is looked at.
pub(super) async fn guess(cx: &Cx, post: &Post, guess: &str) -> Result<Result<Charge, Refusal>> {
    let challenge = &post.challenge;
    let tag = cx.root.guess_tag(&challenge.key_id, challenge.id, guess)?;
    cx.db.write(async |tx| spend(cx, tx, &post.guesser, challenge.id, &tag).await).await
}

async fn spend(
    cx: &Cx,
    tx: &mut Tx,
    guesser: &Guesser,
    id: ChallengeId,
    tag: &str,
) -> Result<Result<Charge, Refusal>> {
    let tries = guesser.code_tries(cx);
    let refusal = match take(cx, tx, guesser).await? {
        Taken::Paused(until) => return Ok(Err(CodeRefusal::Paused(until).into())),
        Taken::DayIsSpent(until) => CodeRefusal::Paused(until).into(),
        Taken::Try(tally) => {
            if let Some(used) = store::email_challenge::charge_guess(tx, id, tag, tries).await? {
                let pauses = guesser.was_wrong(cx, tx, ThrottleKind::Code, tally).await?;
                return Ok(Ok(Charge { left: tries - used, pauses, is_spent: true }));
            }
            // Nothing was spent on the challenge, so nothing is spent on the person.
            give_back(cx, tx, guesser, tally).await?;
            MailRefusal::Exhausted.into()
        }
    };
    let row = store::email_challenge::by_id(tx, id).await?;
    Ok(match row.filter(|row| row.tried.contains(tag)) {
        Some(row) => Ok(Charge { left: tries - row.tries, pauses: false, is_spent: false }),
        None => Err(refusal),
    })
}
