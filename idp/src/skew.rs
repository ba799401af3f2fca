//! How far this machine's clock is from the database's, which is the one that all replicas share.
//!
//! A replica whose clock is wrong would accept codes past their end, or refuse them before it. So it looks each second, and
//! while it is off it answers 503 to everything that rests on time. `/readyz` says so too, but whoever sends requests may
//! take half a minute to hear it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use store::{Db, Timestamp};

/// Clocks of replicas and database may differ by this much.
pub(crate) const MOST_SKEW: Duration = Duration::from_secs(2);

/// By how many milliseconds the database's clock is ahead of the one given by `now`, at the least: the answer was made at an
/// unknown moment between question and receipt.
///
/// # Errors
/// The database did not answer.
pub(crate) async fn ahead(db: &Db, now: impl Fn() -> Timestamp) -> Result<i64, store::Error> {
    let before = now().millis();
    let there = db.clock().await?.millis();
    let after = now().millis();
    Ok(there.saturating_sub(there.clamp(before, after.max(before))))
}

/// How far the two clocks are apart when that is over the limit.
///
/// # Errors
/// The database did not answer.
pub async fn skew(db: &Db, now: impl Fn() -> Timestamp) -> Result<Option<Duration>, store::Error> {
    let skew = Duration::from_millis(ahead(db, now).await?.unsigned_abs());
    Ok((skew > MOST_SKEW).then_some(skew))
}

/// Whether this machine's clock was off when it was looked at last. Copies share it.
#[derive(Clone, Debug, Default)]
pub struct ClockGate(Arc<AtomicBool>);

impl ClockGate {
    /// Whether nothing that rests on time may be answered.
    #[must_use]
    pub fn is_shut(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Looks again. A database that does not answer says nothing about our clock.
    pub async fn look(&self, db: &Db, now: impl Fn() -> Timestamp) {
        match skew(db, now).await {
            Ok(Some(skew)) => {
                if !self.0.swap(true, Ordering::Relaxed) {
                    let millis = skew.as_millis();
                    tracing::error!(millis, "alarm: the clock is off, nothing is answered");
                }
            }
            Ok(None) => {
                if self.0.swap(false, Ordering::Relaxed) {
                    tracing::info!("the clock is right again");
                }
            }
            Err(error) => tracing::debug!(%error, "the database did not tell its time"),
        }
    }
}
