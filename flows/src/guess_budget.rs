//! The site's guess budget (decision 4): how many wrong codes there may be in 24 hours before strangers get fewer tries.
//!
//! A million guesses at six digits are one takeover on average, so 10,000 a day are one in a hundred days if all are used.
//! Beyond the budget nothing is refused on the whole site, and known devices are not affected. It ends by itself, as wrong
//! codes leave the window.

use std::time::Duration;

use store::{
    AttemptId, ChallengeId, Sql, Tx, UserId,
    throttle::{self, Quota, ThrottleKind},
    wrong_code,
};

use crate::{
    Cx, Result,
    audit::{self, event, outcome::Exceeded},
};

/// The window of the budget.
const DAY: Duration = Duration::from_hours(24);
/// Rows that each time slot is spread over.
const SHARDS: u8 = 16;
/// The key of the counter for the whole site.
const SITE: &[u8] = b"site";

/// Wrong codes of one account in a day that count for the site. What one account can lose is held by its own counters;
/// the budget is about guesses at many.
const MOST_OF_ONE_ACCOUNT: i64 = 15;

/// What was counted of guesses that are taken back together: without a limit, because no challenge and no attempt is a day
/// old.
const TOGETHER_COUNTER: Quota =
    Quota { kind: ThrottleKind::BudgetedGuess, limit: i64::MAX, window: DAY };

/// What was counted of one account. Nothing of it is given back: otherwise an owner who guesses wrongly and then signs
/// in could spend the site's budget again and again.
const ACCOUNT_COUNTER: Quota =
    Quota { kind: ThrottleKind::BudgetedGuess, limit: MOST_OF_ONE_ACCOUNT, window: DAY };

/// Guesses that are counted together, and taken back together.
#[derive(Clone, Debug)]
pub(crate) struct GuessGroup {
    key: Vec<u8>,
    right_codes: i64,
}

impl GuessGroup {
    /// Guesses at the one code of a challenge.
    pub(crate) fn of_challenge(challenge: ChallengeId) -> Self {
        Self { key: challenge.uuid().as_bytes().to_vec(), right_codes: 1 }
    }

    /// Guesses of an attempt at so many codes of a person's authenticator apps, each of which would have been right. A
    /// guess counts as many times.
    pub(crate) fn of_attempt(attempt: AttemptId, user: UserId, right_codes: i64) -> Self {
        // An attempt can go from person to person, and what was counted at another number of codes is not taken back at
        // this one.
        let key = [
            attempt.uuid().as_bytes().as_slice(),
            user.uuid().as_bytes(),
            &right_codes.to_be_bytes(),
        ]
        .concat();
        Self { key, right_codes }
    }
}

/// Counts a wrong code of a stranger, for its group, its account and, unless that has had its most, the site.
pub(crate) async fn count_wrong_code(
    cx: &Cx,
    tx: &mut Tx,
    group: &GuessGroup,
    account: &[u8],
) -> Result<()> {
    let counters = [(group.key.as_slice(), TOGETHER_COUNTER), (account, ACCOUNT_COUNTER)];
    if throttle::charge_quotas(tx, counters, cx.now).await?.is_some() {
        wrong_code::add(tx, shard(cx), group.right_codes, cx.now).await?;
    }
    Ok(())
}

/// Takes back for the site the wrong codes of a group when a right one followed: they were its owner's and not an
/// attacker's. What was taken back is not taken back again.
pub(crate) async fn refund_group(cx: &Cx, tx: &mut Tx, group: &GuessGroup) -> Result<()> {
    let counted = throttle::take(tx, &group.key, ThrottleKind::BudgetedGuess).await?;
    if let Some(counted) = counted {
        let wrong = counted.spent.saturating_mul(group.right_codes);
        // From the slot where their count began: so the count is never too low while they leave the window.
        wrong_code::add(tx, shard(cx), -wrong, counted.since).await?;
    }
    Ok(())
}

/// One of the rows of a slot, at random.
fn shard(cx: &Cx) -> i64 {
    let [chance] = cx.rng.bytes::<1>();
    i64::from(chance % SHARDS)
}

/// Wrong codes of the last 24 hours.
pub async fn count_recent(sql: &mut impl Sql, now: store::Timestamp) -> Result<i64> {
    Ok(wrong_code::count_since(sql, now.minus(DAY)).await?)
}

/// Whether the budget is spent, as this replica last read it.
pub(crate) fn is_spent(cx: &Cx) -> bool {
    cx.wrong_codes >= cx.settings.guess_budget
}

/// The tries of strangers at one person while the budget is spent.
pub(crate) fn stranger_quota(cx: &Cx) -> Quota {
    Quota {
        kind: ThrottleKind::StrangerCodeDay,
        limit: cx.settings.guess_budget_tries_per_day,
        window: DAY,
    }
}

/// The wrong codes of the last 24 hours, if they reach the budget.
async fn exceeded_count(cx: &Cx) -> Result<Option<i64>> {
    let spent = count_recent(&mut cx.db.read().await?, cx.now).await?;
    Ok((spent >= cx.settings.guess_budget).then_some(spent))
}

/// Whether the alarm is due, by the count in the database.
pub async fn is_exceeded(cx: &Cx) -> Result<bool> {
    Ok(exceeded_count(cx).await?.is_some())
}

/// Logs and records the alarm while the budget is spent, once an hour; returns whether it did. One replica at a time does
/// it.
pub async fn alarm_if_exceeded(cx: &Cx) -> Result<bool> {
    let Some(spent) = exceeded_count(cx).await? else { return Ok(false) };
    let budget = cx.settings.guess_budget;
    let hour = Quota { kind: ThrottleKind::BudgetAlarm, limit: 1, window: Duration::from_hours(1) };
    let rang = cx
        .db
        .write(async |tx| {
            if !throttle::charge_quota(tx, SITE, hour, cx.now).await? {
                return Ok::<_, crate::Error>(false);
            }
            let exceeded = event::GuessBudgetExceeded { wrong_codes: spent, budget };
            audit::record(cx, tx, audit::AuditEntry::new(exceeded, Exceeded::Exceeded)).await?;
            Ok(true)
        })
        .await?;
    if rang {
        tracing::error!(
            wrong_codes = spent,
            budget,
            "alarm: the site's guess budget is spent; strangers get fewer tries at codes"
        );
    }
    Ok(rang)
}
