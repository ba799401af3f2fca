//! Counters of a person, of a network on a person, of a known device, or of the site. Restarts, new challenges and other
//! browsers do not reset them.
//!
//! Two kinds share the table. A *delay* charges a try while no wait is running, and the caller then starts the next
//! wait; its count falls by one a day, by the clock alone. A *quota* counts within a window that starts with its first
//! hit.

use sqlx::FromRow;

use crate::{Result, Sql, Timestamp};

/// What a counter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThrottleKind {
    /// Wrong passwords of a person.
    Password,
    /// Wrong codes of a person.
    Code,
    /// Codes mailed to a person in an hour.
    SendHour,
    /// Codes mailed to a person in a day.
    SendDay,
    /// Guesses of strangers at a person's codes in a day, while the site's guess budget is spent.
    StrangerCodeDay,
    /// Wrong codes of one challenge that the site's guess budget has counted; with the key of a person, of all their
    /// challenges in a day.
    BudgetedGuess,
    /// Notices to a person about wrong passwords.
    PasswordNotice,
    /// Notices to a person about wrong codes after the right password.
    CodeNotice,
    /// Alarms of the site's guess budget.
    BudgetAlarm,
}

impl ThrottleKind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Code => "code",
            Self::SendHour => "send_hour",
            Self::SendDay => "send_day",
            Self::StrangerCodeDay => "code_day",
            Self::BudgetedGuess => "guessed",
            Self::PasswordNotice => "notice",
            Self::CodeNotice => "code_notice",
            Self::BudgetAlarm => "alarm",
        }
    }
}

/// A counter's state.
#[derive(Clone, Debug, FromRow)]
pub struct Throttle {
    key: Vec<u8>,
    kind: String,
    /// Tries spent.
    pub spent: i64,
    /// Start of the window of a quota; of a delay, when the current day of its count began.
    pub since: Timestamp,
    /// When its wait ends: nothing is charged before.
    pub next_at: Timestamp,
}

impl Throttle {
    /// Whether it is a counter of one of these keys.
    #[must_use]
    pub fn has_key(&self, keys: &[&[u8]]) -> bool {
        keys.contains(&self.key.as_slice())
    }

    /// Whether it is a counter of this kind.
    #[must_use]
    pub fn is_kind(&self, kind: ThrottleKind) -> bool {
        self.kind == kind.as_str()
    }
}

/// Reads every counter of three keys, which may be the same.
pub async fn of_keys(sql: &mut impl Sql, keys: [&[u8]; 3]) -> Result<Vec<Throttle>> {
    let [one, two, three] = keys.map(<[u8]>::to_vec);
    sql.q("SELECT key, kind, spent, since, next_at FROM throttles WHERE key IN ($1, $2, $3)")
        .bind(one)
        .bind(two)
        .bind(three)
        .fetch_all()
        .await
}

/// Reads a counter.
pub async fn get(sql: &mut impl Sql, key: &[u8], kind: ThrottleKind) -> Result<Option<Throttle>> {
    sql.q("SELECT key, kind, spent, since, next_at FROM throttles WHERE key = $1 AND kind = $2")
        .bind(key.to_vec())
        .bind(kind.as_str())
        .fetch_optional()
        .await
}

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
/// on.
pub async fn refund_delay(
    sql: &mut impl Sql,
    key: &[u8],
    kind: ThrottleKind,
    started: Option<Timestamp>,
) -> Result<()> {
    sql.q("UPDATE throttles SET spent = spent - 1, next_at = CASE WHEN next_at = $3 THEN 0 ELSE next_at END
           WHERE key = $1 AND kind = $2 AND spent > 0")
        .bind(key.to_vec())
        .bind(kind.as_str())
        .bind(started.unwrap_or(Timestamp::from_millis(0)))
        .execute()
        .await?;
    Ok(())
}

/// Deletes the counters of a person's wrong passwords and codes; returns them.
pub async fn clear_failures(sql: &mut impl Sql, key: &[u8]) -> Result<Vec<Throttle>> {
    sql.q("DELETE FROM throttles WHERE key = $1 AND kind IN ('password', 'code')
           RETURNING key, kind, spent, since, next_at")
        .bind(key.to_vec())
        .fetch_all()
        .await
}

/// A quota: how many in which window.
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    /// What is counted.
    pub kind: ThrottleKind,
    /// The most in one window.
    pub limit: i64,
    /// Length of a window.
    pub window: std::time::Duration,
}

/// Charges a quota by one; false when it is spent.
pub async fn charge_quota(
    sql: &mut impl Sql,
    key: &[u8],
    quota: Quota,
    now: Timestamp,
) -> Result<bool> {
    let taken: Option<(i64,)> = sql
        .q("INSERT INTO throttles (key, kind, spent, since, next_at) VALUES ($1, $2, 1, $3, 0)
            ON CONFLICT (key, kind) DO UPDATE SET
                spent = CASE WHEN throttles.since <= $4 THEN 1 ELSE throttles.spent + 1 END,
                since = CASE WHEN throttles.since <= $4 THEN $3 ELSE throttles.since END
            WHERE throttles.spent < $5 OR throttles.since <= $4
            RETURNING spent")
        .bind(key.to_vec())
        .bind(quota.kind.as_str())
        .bind(now)
        .bind(now.minus(quota.window))
        .bind(quota.limit)
        .fetch_optional()
        .await?;
    Ok(taken.is_some())
}

/// Charges two different quotas by one, each of a key; returns which of them had one left, in their order. If only one
/// had, the caller refunds it.
pub async fn charge_quotas(
    sql: &mut impl Sql,
    quotas: [(&[u8], Quota); 2],
    now: Timestamp,
) -> Result<[bool; 2]> {
    let [(key, one), (other_key, two)] = quotas;
    let taken: Vec<(Vec<u8>, String)> = sql
        .q("INSERT INTO throttles (key, kind, spent, since, next_at) VALUES ($1, $2, 1, $5, 0), ($3, $4, 1, $5, 0)
            ON CONFLICT (key, kind) DO UPDATE SET
                spent = CASE WHEN throttles.since <=
                                  CASE WHEN throttles.key = $1 AND throttles.kind = $2 THEN $6 ELSE $7 END
                             THEN 1 ELSE throttles.spent + 1 END,
                since = CASE WHEN throttles.since <=
                                  CASE WHEN throttles.key = $1 AND throttles.kind = $2 THEN $6 ELSE $7 END
                             THEN $5 ELSE throttles.since END
            WHERE throttles.spent < CASE WHEN throttles.key = $1 AND throttles.kind = $2 THEN $8 ELSE $9 END
               OR throttles.since <= CASE WHEN throttles.key = $1 AND throttles.kind = $2 THEN $6 ELSE $7 END
            RETURNING key, kind")
        .bind(key.to_vec())
        .bind(one.kind.as_str())
        .bind(other_key.to_vec())
        .bind(two.kind.as_str())
        .bind(now)
        .bind(now.minus(one.window))
        .bind(now.minus(two.window))
        .bind(one.limit)
        .bind(two.limit)
        .fetch_all()
        .await?;
    Ok(quotas.map(|(wanted, quota)| {
        taken.iter().any(|(key, kind)| key == wanted && kind == quota.kind.as_str())
    }))
}

/// The beginning of a window that is still open, of the quota of a row: `$3` and `$4` are the kinds.
macro_rules! window_start {
    () => {
        "CASE WHEN throttles.kind = $3 THEN $6 ELSE $7 END"
    };
}

/// Charges two kinds of quotas by one, each for two different keys; returns the counts, by key and kind, of those that
/// had one left. If not all had, the caller refunds these.
pub async fn charge_shared_quotas(
    sql: &mut impl Sql,
    [(key, [one, two]), (other_key, [other_one, other_two])]: [(&[u8], [Quota; 2]); 2],
    now: Timestamp,
) -> Result<[[Option<i64>; 2]; 2]> {
    let taken: Vec<(Vec<u8>, String, i64)> = sql
        .q(concat!(
            "INSERT INTO throttles (key, kind, spent, since, next_at) \
             VALUES ($1, $3, 1, $5, 0), ($1, $4, 1, $5, 0), ($2, $3, 1, $5, 0), ($2, $4, 1, $5, 0) \
             ON CONFLICT (key, kind) DO UPDATE SET spent = CASE WHEN throttles.since <= ",
            window_start!(),
            " THEN 1 ELSE throttles.spent + 1 END, since = CASE WHEN throttles.since <= ",
            window_start!(),
            " THEN $5 ELSE throttles.since END \
             WHERE throttles.spent < CASE WHEN throttles.key = $1 \
                 THEN CASE WHEN throttles.kind = $3 THEN $8 ELSE $9 END \
                 ELSE CASE WHEN throttles.kind = $3 THEN $10 ELSE $11 END END \
             OR throttles.since <= ",
            window_start!(),
            " RETURNING key, kind, spent"
        ))
        .bind(key.to_vec())
        .bind(other_key.to_vec())
        .bind(one.kind.as_str())
        .bind(two.kind.as_str())
        .bind(now)
        .bind(now.minus(one.window))
        .bind(now.minus(two.window))
        .bind(one.limit)
        .bind(two.limit)
        .bind(other_one.limit)
        .bind(other_two.limit)
        .fetch_all()
        .await?;
    let count_of = |wanted: &[u8], quota: Quota| {
        let is_wanted =
            |row: &&(Vec<u8>, String, i64)| row.0 == wanted && row.1 == quota.kind.as_str();
        taken.iter().find(is_wanted).map(|(_, _, spent)| *spent)
    };
    Ok([key, other_key].map(|key| [one, two].map(|quota| count_of(key, quota))))
}

/// Refunds one that was charged in the same transaction.
pub async fn refund_quota(sql: &mut impl Sql, key: &[u8], kind: ThrottleKind) -> Result<()> {
    sql.q("UPDATE throttles SET spent = spent - 1 WHERE key = $1 AND kind = $2 AND spent > 0")
        .bind(key.to_vec())
        .bind(kind.as_str())
        .execute()
        .await?;
    Ok(())
}

/// Deletes up to `limit` counters whose window and wait have been over since `before`; returns how many. One that changes
/// meanwhile stays.
pub async fn sweep(sql: &mut impl Sql, before: Timestamp, limit: i64) -> Result<u64> {
    sql.q("DELETE FROM throttles
           WHERE since < $1 AND next_at < $1 AND (key, kind) IN
                 (SELECT key, kind FROM throttles WHERE since < $1 AND next_at < $1 ORDER BY since LIMIT $2)")
        .bind(before)
        .bind(limit)
        .execute()
        .await
}
