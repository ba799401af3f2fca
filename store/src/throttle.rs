//! Counters of a person, of a network on a person, of a known device, or of the site: they survive restarts, new
//! challenges and other browsers.
//!
//! Two shapes share the table. A *delay* spends a try while no wait is running, and the caller then sets the next wait.
//! A *quota* counts within a window that starts with its first hit.

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
    /// Codes that strangers may guess at a person in a day while the site's guess budget is spent.
    StrangerCodeDay,
    /// Wrong codes of one challenge that the site's guess budget has counted.
    BudgetedGuess,
    /// Notices to a person that somebody tried passwords.
    PasswordNotice,
    /// Notices to a person that somebody has the password and tried codes.
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
    kind: String,
    /// Tries spent.
    pub spent: i64,
    /// Start of the window of a quota; last use of a delay.
    pub since: Timestamp,
    /// Nothing is spent before this.
    pub next_at: Timestamp,
}

impl Throttle {
    /// Whether it counts this.
    #[must_use]
    pub fn is_kind(&self, kind: ThrottleKind) -> bool {
        self.kind == kind.as_str()
    }
}

/// Reads every counter of a key.
pub async fn all(sql: &mut impl Sql, key: &[u8]) -> Result<Vec<Throttle>> {
    sql.q("SELECT kind, spent, since, next_at FROM throttles WHERE key = $1")
        .bind(key.to_vec())
        .fetch_all()
        .await
}

/// Reads a counter.
pub async fn get(sql: &mut impl Sql, key: &[u8], kind: ThrottleKind) -> Result<Option<Throttle>> {
    sql.q("SELECT kind, spent, since, next_at FROM throttles WHERE key = $1 AND kind = $2")
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

/// Spends a try of a delay, unless a wait is running; returns how many are spent now.
pub async fn charge_delay(
    sql: &mut impl Sql,
    key: &[u8],
    kind: ThrottleKind,
    cost: Cost,
    now: Timestamp,
) -> Result<Option<i64>> {
    let spent: Option<(i64,)> = sql
        .q("INSERT INTO throttles (key, kind, spent, since, next_at) VALUES ($1, $2, $4, $3, 0)
            ON CONFLICT (key, kind) DO UPDATE SET spent = throttles.spent + $4, since = $3
            WHERE throttles.next_at <= $3
            RETURNING spent")
        .bind(key.to_vec())
        .bind(kind.as_str())
        .bind(now)
        .bind(cost.tries())
        .fetch_optional()
        .await?;
    Ok(spent.map(|(spent,)| spent))
}

/// The same of two different keys, in their order; each by itself, whether a wait is running for the other or not.
pub async fn charge_delays(
    sql: &mut impl Sql,
    keys: [&[u8]; 2],
    kind: ThrottleKind,
    cost: Cost,
    now: Timestamp,
) -> Result<[Option<i64>; 2]> {
    let spent: Vec<(Vec<u8>, i64)> = sql
        .q("INSERT INTO throttles (key, kind, spent, since, next_at) VALUES ($1, $3, $5, $4, 0), ($2, $3, $5, $4, 0)
            ON CONFLICT (key, kind) DO UPDATE SET spent = throttles.spent + $5, since = $4
            WHERE throttles.next_at <= $4
            RETURNING key, spent")
        .bind(keys[0].to_vec())
        .bind(keys[1].to_vec())
        .bind(kind.as_str())
        .bind(now)
        .bind(cost.tries())
        .fetch_all()
        .await?;
    let of = |wanted: &[u8]| spent.iter().find(|(key, _)| key == wanted).map(|(_, spent)| *spent);
    Ok(keys.map(of))
}

/// Until when nothing is spent at one of two keys.
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

/// Starts a wait.
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

/// Gives the last try back where more than `above` are spent, and with it the wait that it started; returns how many are
/// spent now.
pub async fn refund_delay(
    sql: &mut impl Sql,
    key: &[u8],
    kind: ThrottleKind,
    above: i64,
) -> Result<Option<i64>> {
    let spent: Option<(i64,)> = sql
        .q("UPDATE throttles SET spent = spent - 1, next_at = 0 WHERE key = $1 AND kind = $2 AND spent > $3
            RETURNING spent")
        .bind(key.to_vec())
        .bind(kind.as_str())
        .bind(above.max(0))
        .fetch_optional()
        .await?;
    Ok(spent.map(|(spent,)| spent))
}

/// Forgets what a person failed at; returns what it was.
pub async fn clear_failures(sql: &mut impl Sql, key: &[u8]) -> Result<Vec<Throttle>> {
    sql.q("DELETE FROM throttles WHERE key = $1 AND kind IN ('password', 'code')
           RETURNING kind, spent, since, next_at")
        .bind(key.to_vec())
        .fetch_all()
        .await
}

/// A quota: how many in which window.
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    /// What is counted.
    pub kind: ThrottleKind,
    /// How many fit into a window.
    pub limit: i64,
    /// Length of a window.
    pub window: std::time::Duration,
}

/// Takes one from a quota; false when it is spent.
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

/// Takes one from two quotas of a key, in their order; says from which of them: what only one gives, the caller gives back.
pub async fn charge_quotas(
    sql: &mut impl Sql,
    key: &[u8],
    quotas: [Quota; 2],
    now: Timestamp,
) -> Result<[bool; 2]> {
    let [one, two] = quotas;
    let taken: Vec<(String,)> = sql
        .q("INSERT INTO throttles (key, kind, spent, since, next_at) VALUES ($1, $2, 1, $4, 0), ($1, $3, 1, $4, 0)
            ON CONFLICT (key, kind) DO UPDATE SET
                spent = CASE WHEN throttles.since <= CASE WHEN throttles.kind = $2 THEN $5 ELSE $6 END
                             THEN 1 ELSE throttles.spent + 1 END,
                since = CASE WHEN throttles.since <= CASE WHEN throttles.kind = $2 THEN $5 ELSE $6 END
                             THEN $4 ELSE throttles.since END
            WHERE throttles.spent < CASE WHEN throttles.kind = $2 THEN $7 ELSE $8 END
               OR throttles.since <= CASE WHEN throttles.kind = $2 THEN $5 ELSE $6 END
            RETURNING kind")
        .bind(key.to_vec())
        .bind(one.kind.as_str())
        .bind(two.kind.as_str())
        .bind(now)
        .bind(now.minus(one.window))
        .bind(now.minus(two.window))
        .bind(one.limit)
        .bind(two.limit)
        .fetch_all()
        .await?;
    Ok(quotas.map(|quota| taken.iter().any(|(kind,)| kind == quota.kind.as_str())))
}

/// Gives one back that was taken in the same transaction.
pub async fn refund_quota(sql: &mut impl Sql, key: &[u8], kind: ThrottleKind) -> Result<()> {
    sql.q("UPDATE throttles SET spent = spent - 1 WHERE key = $1 AND kind = $2 AND spent > 0")
        .bind(key.to_vec())
        .bind(kind.as_str())
        .execute()
        .await?;
    Ok(())
}

/// Deletes up to `limit` counters whose window and wait have been over since `before`; returns how many. One that moves in
/// this moment stays.
pub async fn sweep(sql: &mut impl Sql, before: Timestamp, limit: i64) -> Result<u64> {
    sql.q("DELETE FROM throttles
           WHERE since < $1 AND next_at < $1 AND (key, kind) IN
                 (SELECT key, kind FROM throttles WHERE since < $1 AND next_at < $1 ORDER BY since LIMIT $2)")
        .bind(before)
        .bind(limit)
        .execute()
        .await
}
