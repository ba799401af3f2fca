//! How far this machine's clock is from the database's, which is the one that all replicas share.
//!
//! A replica whose clock is wrong would accept codes past their end, or refuse them before it. So it looks each second, and
//! while it is off it answers 503 to everything that rests on time. A clock that is set meanwhile is noticed at once, by a
//! stopwatch that no setting moves. `/readyz` says so too, but whoever sends requests may
//! take half a minute to hear it.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use store::{Db, Timestamp};

use crate::clock::{Clock, Stopwatch};

/// Clocks of replicas and database may differ by this much.
pub(crate) const MAX_CLOCK_SKEW: Duration = Duration::from_secs(2);

/// By how many milliseconds the database's clock is ahead of the one given by `now`, at the least: the answer was made at an
/// unknown moment between question and receipt.
///
/// # Errors
/// The database did not answer.
pub(crate) async fn database_clock_ahead(
    db: &Db,
    now: impl Fn() -> Timestamp,
) -> Result<i64, store::Error> {
    let before = now().millis();
    let there = db.clock().await?.millis();
    let after = now().millis();
    Ok(there.saturating_sub(there.clamp(before, after.max(before))))
}

/// How far the two clocks are apart when that is over the limit.
///
/// # Errors
/// The database did not answer.
pub(crate) async fn skew_over_limit(
    db: &Db,
    now: impl Fn() -> Timestamp,
) -> Result<Option<Duration>, store::Error> {
    let skew = Duration::from_millis(database_clock_ahead(db, now).await?.unsigned_abs());
    Ok((skew > MAX_CLOCK_SKEW).then_some(skew))
}

/// Whether this machine's clock can be believed. Copies share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClockGate(Arc<GateState>);

#[derive(Debug, Default)]
struct GateState {
    /// Off at the last look.
    is_off: AtomicBool,
    /// When it was last found right, by itself and by a stopwatch, which runs on when a clock is set.
    last_right: Mutex<Option<(Timestamp, Stopwatch)>>,
}

impl ClockGate {
    /// Whether nothing that rests on time may be answered: the clock was off at the last look, or was set since then.
    #[must_use]
    pub(crate) fn is_closed(&self, clock: &Clock) -> bool {
        self.0.is_off.load(Ordering::Relaxed) || self.was_clock_set(clock)
    }

    fn was_clock_set(&self, clock: &Clock) -> bool {
        let right = *self.0.last_right.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((then, watch)) = right else { return false };
        let apart = then.plus(watch.elapsed()).millis().abs_diff(clock.machine_now().millis());
        Duration::from_millis(apart) > MAX_CLOCK_SKEW
    }

    /// Looks again. A database that does not answer says nothing about our clock.
    pub(crate) async fn check(&self, db: &Db, clock: &Clock) {
        let checked_at = (clock.machine_now(), clock.stopwatch());
        match skew_over_limit(db, || clock.machine_now()).await {
            Ok(Some(skew)) => {
                if !self.0.is_off.swap(true, Ordering::Relaxed) {
                    let millis = skew.as_millis();
                    tracing::error!(millis, "alarm: the clock is off, nothing is answered");
                }
            }
            Ok(None) => {
                self.found_right(checked_at);
                if self.0.is_off.swap(false, Ordering::Relaxed) {
                    tracing::info!("the clock is right again");
                }
            }
            Err(error) => tracing::debug!(%error, "the database did not tell its time"),
        }
    }

    fn found_right(&self, when: (Timestamp, Stopwatch)) {
        *self.0.last_right.lock().unwrap_or_else(PoisonError::into_inner) = Some(when);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_step_closes_gate_immediately() {
        let (clock, hand) = Clock::system().stepped();
        let gate = ClockGate::default();
        hand.advance(Duration::from_secs(90));
        assert!(!gate.is_closed(&clock), "nothing is known yet");
        gate.found_right((clock.machine_now(), clock.stopwatch()));
        assert!(!gate.is_closed(&clock));
        hand.advance(Duration::from_secs(90));
        assert!(gate.is_closed(&clock));
        hand.set_back(Duration::from_mins(3));
        assert!(gate.is_closed(&clock));
        hand.advance(Duration::from_secs(90));
        assert!(!gate.is_closed(&clock), "set right again");
    }
}
