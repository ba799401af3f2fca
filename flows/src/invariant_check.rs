//! The invariant, checked in the data: once a day every grant is compared with the sign-in behind it.
//!
//! ```text
//! due? ─▶ batches of grants, by id ─▶ none unproven ─▶ the result is kept
//!                                  └▶ some ─▶ the result is kept, and the trail has them: an operator must act
//! ```
//!
//! No token is issued without a completed second step: types, the schema and an exhaustive search ensure that. This check
//! finds out if all three were bypassed, by a restored backup or by a manual change in the database.

use std::time::Duration;

use store::{GrantId, invariant_check::InvariantCheck};

use crate::{
    Cx, Result,
    audit::{self, event, outcome},
};

/// Name of the result in the database.
pub const CHECK: &str = "unproven_grants";
/// How often it runs.
const INTERVAL: Duration = Duration::from_hours(24);
/// Grants of one batch, which is one short read.
const BATCH: i64 = 5_000;
/// Clocks of two replicas may differ by this many milliseconds, so that a grant may seem older than its sign-in.
const SLACK: i64 = 5_000;
/// Grants that the trail lists; the number covers all.
const MAX_LISTED: usize = 20;

/// The result of the check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvariantCheckResult {
    /// Grants that were checked.
    pub checked: u64,
    /// How many are unproven.
    pub unproven: i64,
}

/// Compares, unless that was done within a day; returns the result if it did.
pub async fn run_if_due(cx: &Cx) -> Result<Option<InvariantCheckResult>> {
    let mut conn = cx.db.read().await?;
    let last =
        store::invariant_check::all(&mut conn).await?.into_iter().find(|check| check.name == CHECK);
    drop(conn);
    if last.is_some_and(|last| cx.now.since(last.checked_at) < INTERVAL) {
        return Ok(None);
    }
    run(cx).await.map(Some)
}

/// Compares every grant with its sign-in.
pub async fn run(cx: &Cx) -> Result<InvariantCheckResult> {
    let (mut after, mut looked_at, mut unproven) = (None, 0, Vec::new());
    loop {
        let mut conn = cx.db.read().await?;
        let batch = store::grant::check_proofs(&mut conn, after, BATCH, SLACK).await?;
        drop(conn);
        looked_at += u64::try_from(batch.len()).unwrap_or(u64::MAX);
        after = batch.last().map(|grant| grant.id);
        unproven.extend(batch.iter().filter(|grant| grant.unproven).map(|grant| grant.id));
        if i64::try_from(batch.len()).unwrap_or(i64::MAX) < BATCH {
            break;
        }
    }
    let found = InvariantCheckResult {
        checked: looked_at,
        unproven: i64::try_from(unproven.len()).unwrap_or(i64::MAX),
    };
    store_result(cx, &found, &unproven).await?;
    Ok(found)
}

async fn store_result(cx: &Cx, found: &InvariantCheckResult, grants: &[GrantId]) -> Result<()> {
    let check =
        InvariantCheck { name: CHECK.to_owned(), checked_at: cx.now, found: found.unproven };
    cx.db
        .write(async |tx| {
            store::invariant_check::put(tx, &check).await?;
            if grants.is_empty() {
                return Ok(());
            }
            let grants = grants.iter().take(MAX_LISTED).copied().collect();
            let named = event::UnprovenGrants { count: found.unproven, grants };
            audit::record(cx, tx, audit::AuditEntry::new(named, outcome::Found::Found)).await
        })
        .await
}
