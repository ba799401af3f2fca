//! Quotas: so many in a window that starts with the first of them.

use super::ThrottleKind;
use crate::{Result, Sql, Timestamp};

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
    Ok(charge_quotas(sql, [(key, quota)], now).await?.is_some())
}

/// The most quotas that are charged at once.
const MOST_AT_ONCE: usize = 4;

/// The charged quota of an existing row.
macro_rules! from_its_quota {
    () => {
        " FROM charged WHERE charged.key = throttles.key AND charged.kind = throttles.kind)"
    };
}

/// Charges up to four different quotas by one, each of a key: all of them, or none if one of them is spent. Returns, in
/// their order, how many are spent of each now. Rows are locked in that order.
pub async fn charge_quotas<const N: usize>(
    sql: &mut impl Sql,
    quotas: [(&[u8], Quota); N],
    now: Timestamp,
) -> Result<Option<[i64; N]>> {
    let spent = charge_each(sql, quotas, now).await?;
    if spent.iter().all(Option::is_some) {
        return Ok(Some(spent.map(Option::unwrap_or_default)));
    }
    for ((key, quota), _) in quotas.iter().zip(spent).filter(|(_, spent)| spent.is_some()) {
        refund_quota(sql, key, quota.kind).await?;
    }
    Ok(None)
}

/// Charges each quota that has one left; returns how many are spent of these now.
async fn charge_each<const N: usize>(
    sql: &mut impl Sql,
    quotas: [(&[u8], Quota); N],
    now: Timestamp,
) -> Result<[Option<i64>; N]> {
    const { assert!(N <= MOST_AT_ONCE) };
    let mut query = sql
        .q(concat!(
            "WITH charged (key, kind, opened, most) AS ",
            "(VALUES ($2, $3, $4, $5), ($6, $7, $8, $9), ($10, $11, $12, $13), ($14, $15, $16, $17)) ",
            "INSERT INTO throttles (key, kind, spent, since, next_at) ",
            "SELECT key, kind, 1, $1, 0 FROM charged WHERE key IS NOT NULL ",
            "ON CONFLICT (key, kind) DO UPDATE SET spent = CASE WHEN throttles.since <= (SELECT charged.opened",
            from_its_quota!(),
            " THEN 1 ELSE throttles.spent + 1 END, since = CASE WHEN throttles.since <= (SELECT charged.opened",
            from_its_quota!(),
            " THEN $1 ELSE throttles.since END WHERE throttles.spent < (SELECT charged.most",
            from_its_quota!(),
            " OR throttles.since <= (SELECT charged.opened",
            from_its_quota!(),
            " RETURNING key, kind, spent"
        ))
        .bind(now);
    for slot in 0..MOST_AT_ONCE {
        let charged = quotas.get(slot);
        query = query
            .bind(charged.map(|(key, _)| key.to_vec()))
            .bind(charged.map(|(_, quota)| quota.kind.as_str()))
            .bind(charged.map(|(_, quota)| now.minus(quota.window)))
            .bind(charged.map(|(_, quota)| quota.limit));
    }
    let taken: Vec<(Vec<u8>, String, i64)> = query.fetch_all().await?;
    let spent_of = |(wanted, quota): (&[u8], Quota)| {
        let row = taken.iter().find(|(key, kind, _)| key == wanted && kind == quota.kind.as_str());
        row.map(|(_, _, spent)| *spent)
    };
    Ok(quotas.map(spent_of))
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
