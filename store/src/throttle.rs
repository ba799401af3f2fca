//! Counters of a person, of a network on a person, of a known device, or of the site. Restarts, new challenges and other
//! browsers do not reset them.
//!
//! Two kinds share the table. A *delay* charges a try while no wait is running, and the caller then starts the next
//! wait; its count falls by one a day, by the clock alone. A *quota* counts within a window that starts with its first
//! hit.

mod delay;
mod quota;

use sqlx::FromRow;

pub use delay::{
    Cost, DelayUse, charge_delay, charge_delays, delayed_until, refund_delay, start_delay,
};
pub use quota::{Quota, charge_quota, charge_quotas, refund_quota};

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
    /// A guess at a code of an authenticator app, or a recovery code, that was charged a moment ago.
    HeldGuess,
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
            Self::HeldGuess => "held_guess",
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

/// Takes a counter away; returns what it had.
pub async fn take(sql: &mut impl Sql, key: &[u8], kind: ThrottleKind) -> Result<Option<Throttle>> {
    sql.q("DELETE FROM throttles WHERE key = $1 AND kind = $2
           RETURNING key, kind, spent, since, next_at")
        .bind(key.to_vec())
        .bind(kind.as_str())
        .fetch_optional()
        .await
}

/// Deletes the counters of a person's wrong passwords and codes; returns them.
pub async fn clear_failures(sql: &mut impl Sql, key: &[u8]) -> Result<Vec<Throttle>> {
    sql.q("DELETE FROM throttles WHERE key = $1 AND kind IN ('password', 'code')
           RETURNING key, kind, spent, since, next_at")
        .bind(key.to_vec())
        .fetch_all()
        .await
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
