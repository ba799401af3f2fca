//! Using a proof up, and giving back what the guess has cost: a right one costs nothing.

use store::{Tx, throttle::ThrottleKind};

use super::{
    method::Challenge,
    throttle_subject::{GuessCount, ThrottleSubject},
};
use crate::{
    Cx, Error, Result,
    guess_budget::{self, GuessGroup},
};

/// What is still to be given back for a right code, once it is used up.
pub(super) struct PendingRefund {
    pub(super) throttle_subject: ThrottleSubject,
    /// What the guess has spent: nothing if it had been charged before.
    pub(super) charged: Option<GuessCount>,
    /// Wrong guesses that the site has counted, and that were the owner's as this one shows.
    pub(super) group: Option<GuessGroup>,
}

/// Uses a challenge up, or fails with a conflict, and gives the try for the right guess back to it. Returns what else is to be
/// given back to the site.
pub(super) async fn consume_challenge(
    cx: &Cx,
    tx: &mut Tx,
    challenge: Challenge,
) -> Result<Option<GuessGroup>> {
    let Some(others) = store::email_challenge::complete(tx, challenge.id, cx.now).await? else {
        return Err(Error::Conflict);
    };
    // The site counted only guesses that were charged to the challenge.
    Ok((others > 0).then(|| GuessGroup::of_challenge(challenge.id)))
}

impl PendingRefund {
    /// The try of a stranger, which is given back when the counters of its network are cleared.
    pub(super) fn stranger_try(&self) -> Option<GuessCount> {
        self.charged.filter(|_| self.throttle_subject.is_stranger())
    }

    /// Gives the try back to the person, of a right code that does not complete the sign-in, and everything else.
    pub(super) async fn refund_all(self, cx: &Cx, tx: &mut Tx) -> Result<()> {
        if let Some(count) = self.charged {
            self.throttle_subject.refund_right_guess(cx, tx, ThrottleKind::Code, count).await?;
        }
        self.refund_site(cx, tx).await
    }

    /// Gives back what is left after the tries of the person. Last, as in `charge`, so that an attacker's guess at the same
    /// account, which locks the same rows, causes no deadlock.
    pub(super) async fn refund_site(self, cx: &Cx, tx: &mut Tx) -> Result<()> {
        if self.charged.is_some() {
            self.throttle_subject.refund_daily_quota(cx, tx).await?;
        }
        if let Some(group) = &self.group {
            guess_budget::refund_group(cx, tx, group).await?;
        }
        Ok(())
    }
}
