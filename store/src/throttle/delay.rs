//! Delays: a try is charged while no wait is running, and the caller then starts the next wait.

use super::ThrottleKind;
use crate::{Result, Sql, Timestamp};

/// What a use of a delay costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// Nothing: it only finds out whether a wait is running.
    Nothing,
    /// A try.
    Try,
}

impl Cost {
    const fn tries(self) -> i64 {
        match self {
            Self::Nothing => 0,
            Self::Try => 1,
        }
    }
}

/// A use of a delay.
#[derive(Clone, Copy, Debug)]
pub struct DelayUse {
    /// What is counted.
    pub kind: ThrottleKind,
    /// What it costs.
    pub cost: Cost,
    /// The count from which a day takes one off, if it is higher: the wait is then the longest already.
    pub highest: i64,
    /// When it is used.
    pub now: Timestamp,
}

/// The whole days since the count of a delay was last touched, at `$1`.
macro_rules! delay_days {
    () => {
        "(($1 - throttles.since) / 86400000)"
    };
}

/// The count that days take from, at most `$4`.
macro_rules! delay_count {
    () => {
        "(CASE WHEN throttles.spent < $4 THEN throttles.spent ELSE $4 END)"
    };
}

/// What a use at `$1` that costs `$3` makes of a delay of the kind `$2`, unless its wait is running. A use that costs
/// nothing changes nothing that any later use could notice.
macro_rules! use_delay {
    () => {
        concat!(
            "ON CONFLICT (key, kind) DO UPDATE SET spent = $3 + CASE WHEN ",
            delay_days!(),
            " >= ",
            delay_count!(),
            " THEN 0 WHEN ",
            delay_days!(),
            " > 0 THEN ",
            delay_count!(),
            " - ",
            delay_days!(),
            " ELSE throttles.spent END, since = CASE WHEN ",
            delay_days!(),
            " >= ",
            delay_count!(),
            " THEN $1 ELSE throttles.since + ",
            delay_days!(),
            " * 86400000 END WHERE throttles.next_at <= $1 RETURNING "
        )
    };
}

/// Charges a delay, unless a wait is running; returns how many tries are spent now.
pub async fn charge_delay(
    sql: &mut impl Sql,
    key: &[u8],
    DelayUse { kind, cost, highest, now }: DelayUse,
) -> Result<Option<i64>> {
    let spent: Option<(i64,)> = sql
        .q(concat!(
            "INSERT INTO throttles (key, kind, spent, since, next_at) VALUES ($5, $2, $3, $1, 0) ",
            use_delay!(),
            "spent"
        ))
        .bind(now)
        .bind(kind.as_str())
        .bind(cost.tries())
        .bind(highest)
        .bind(key.to_vec())
        .fetch_optional()
        .await?;
    Ok(spent.map(|(spent,)| spent))
}

/// As [`charge_delay`], for two different keys in their order. A wait of one key does not keep the other from being charged.
pub async fn charge_delays(
    sql: &mut impl Sql,
    keys: [&[u8]; 2],
    DelayUse { kind, cost, highest, now }: DelayUse,
) -> Result<[Option<i64>; 2]> {
    let spent: Vec<(Vec<u8>, i64)> = sql
        .q(concat!(
            "INSERT INTO throttles (key, kind, spent, since, next_at) \
             VALUES ($5, $2, $3, $1, 0), ($6, $2, $3, $1, 0) ",
            use_delay!(),
            "key, spent"
        ))
        .bind(now)
        .bind(kind.as_str())
        .bind(cost.tries())
        .bind(highest)
        .bind(keys[0].to_vec())
        .bind(keys[1].to_vec())
        .fetch_all()
        .await?;
    let of = |wanted: &[u8]| spent.iter().find(|(key, _)| key == wanted).map(|(_, spent)| *spent);
    Ok(keys.map(of))
}

/// When the last wait of two keys ends.
pub async fn delayed_until(
    sql: &mut impl Sql,
    keys: [&[u8]; 2],
    kind: ThrottleKind,
) -> Result<Option<Timestamp>> {
    let (until,): (Option<Timestamp>,) = sql
        .q("SELECT MAX(next_at) FROM throttles WHERE key IN ($1, $2) AND kind = $3")
        .bind(keys[0].to_vec())
        .bind(keys[1].to_vec())
        .bind(kind.as_str())
        .fetch_one()
        .await?;
    Ok(until)
}

/// Starts a wait, which ends at `next_at`.
pub async fn start_delay(
    sql: &mut impl Sql,
    key: &[u8],
    kind: ThrottleKind,
    next_at: Timestamp,
) -> Result<()> {
    sql.q("UPDATE throttles SET next_at = $3 WHERE key = $1 AND kind = $2")
        .bind(key.to_vec())
        .bind(kind.as_str())
        .bind(next_at)
        .execute()
        .await?;
    Ok(())
}

/// Refunds one try, and ends the wait until `started` that it started, if it did. A wait that another try started goes
/// on. False when there was no try to refund.
pub async fn refund_delay(
    sql: &mut impl Sql,
    key: &[u8],
    kind: ThrottleKind,
    started: Option<Timestamp>,
) -> Result<bool> {
    let rows = sql
        .q("UPDATE throttles SET spent = spent - 1, next_at = CASE WHEN next_at = $3 THEN 0 ELSE next_at END
           WHERE key = $1 AND kind = $2 AND spent > 0")
        .bind(key.to_vec())
        .bind(kind.as_str())
        .bind(started.unwrap_or(Timestamp::from_millis(0)))
        .execute()
        .await?;
    Ok(rows == 1)
}
