//! What a guess at a code costs the person, by any method, before it is compared: one try, and while the site's guess budget
//! is spent also one of the strangers' daily quota. Both or neither.
//!
//! What a wrong code counts beyond that, in the site's guess budget, and the notice to its person are written in the
//! same transaction: a guess whose verdict is never applied has counted all the same.

use store::{Timestamp, Tx, throttle::ThrottleKind, user::User};

use super::throttle_subject::{ChargeResult, GuessCount, ThrottleSubject};
use crate::{
    Cx, Result,
    guess_budget::{self, GuessGroup},
    mail::{self, GuessKind, WrongGuessesMail},
};

/// The result of charging the person for a guess at a code, by any method.
pub(super) enum PersonCharge {
    /// The tries are spent; the guess may be compared.
    Charged(GuessCount),
    /// Nothing is checked until then.
    Paused(Timestamp),
    /// The strangers' daily quota is used up until then.
    DailyQuotaSpent(Timestamp),
}

/// Spends the person's tries, all of them or none.
pub(super) async fn charge_person(
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
pub(super) async fn refund_person(
    cx: &Cx,
    tx: &mut Tx,
    throttle_subject: &ThrottleSubject,
    tally: GuessCount,
) -> Result<()> {
    throttle_subject.refund_daily_quota(cx, tx).await?;
    throttle_subject.refund_charge(cx, tx, ThrottleKind::Code, tally).await
}

/// Gives back what a right code has cost, after it was committed, in the order of the charge. False when a completed sign-in
/// has cleared the counter of its source before.
pub(super) async fn refund_right_guess(
    cx: &Cx,
    tx: &mut Tx,
    throttle_subject: &ThrottleSubject,
    count: GuessCount,
) -> Result<bool> {
    let is_counted = throttle_subject.refund_right_guess(cx, tx, ThrottleKind::Code, count).await?;
    throttle_subject.refund_daily_quota(cx, tx).await?;
    Ok(is_counted)
}

/// A guess that was charged and compared.
pub(super) struct JudgedGuess<'a> {
    pub(super) subject: &'a ThrottleSubject,
    pub(super) user: &'a User,
    /// The client of the attempt.
    pub(super) client: Option<&'a str>,
    /// What it is counted with in the site's guess budget, unless it spends nothing of that.
    pub(super) group: Option<&'a GuessGroup>,
    pub(super) is_right: bool,
}

/// Begins the waits after a guess, and counts a wrong one: in the site's guess budget, and with a notice if strangers now
/// wait.
pub(super) async fn count_guess(
    cx: &Cx,
    tx: &mut Tx,
    count: GuessCount,
    guess: &JudgedGuess<'_>,
) -> Result<()> {
    let begun = guess.subject.start_delays(cx, tx, ThrottleKind::Code, count).await?;
    if guess.is_right {
        return Ok(());
    }
    // The budget does not affect known devices, so they spend nothing of it.
    if let (ThrottleSubject::Stranger { all_strangers, .. }, Some(group)) =
        (guess.subject, guess.group)
    {
        guess_budget::count_wrong_code(cx, tx, group, all_strangers).await?;
    }
    if begun {
        let notice = WrongGuessesMail { user: Some(guess.user.id), tried: GuessKind::Code };
        let canonical = guess.user.counter_name();
        mail::warn_once_a_day(cx, tx, notice, &canonical, guess.client).await?;
    }
    Ok(())
}
