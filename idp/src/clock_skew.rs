//! How far this machine's clock is from the database's, which all replicas share.
//!
//! A replica whose clock is wrong would accept expired codes, or refuse valid ones. So it compares the clocks each second.
//! While the skew is over the limit, it answers 503 to every request that depends on time. A clock that is set between two
//! comparisons is detected at once, by the monotonic clock. `/readyz` reports it too, but a load balancer may take half a
//! minute to stop sending requests.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use store::{Db, Timestamp};

use crate::clock::{Clock, Stopwatch};

/// The most by which the clocks of replica and database may differ.
pub(crate) const MAX_CLOCK_SKEW: Duration = Duration::from_secs(2);

/// By how many milliseconds the database's clock is at least ahead of `now`; negative when it is behind. The database read
/// its clock at an unknown moment between query and answer.
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

/// The skew of the two clocks, if it is over the limit.
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

/// Closed while this machine's clock is wrong. Copies share the state.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClockGate(Arc<GateState>);

#[derive(Debug, Default)]
struct GateState {
    /// Whether the skew was over the limit at the last comparison.
    is_off: AtomicBool,
    /// When the clock was last found right: its time, and a stopwatch started then. Setting a clock does not move it.
    last_right: Mutex<Option<(Timestamp, Stopwatch)>>,
}

impl ClockGate {
    /// Whether requests that depend on time must be refused: the clock was off at the last comparison, or was set since.
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

    /// Compares the clocks. Without an answer of the database the last result stays.
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
            Err(error) => tracing::debug!(%error, "the time of the database could not be read"),
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
        assert!(!gate.is_closed(&clock), "no comparison yet");
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
