//! A circuit breaker: while Redis is away, one request in each second asks it, and nobody else waits for it.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use crate::Timestamp;

/// How long nobody asks after a failure.
const REST: Duration = Duration::from_secs(1);
const CLOSED: i64 = i64::MIN;

/// Whether Redis is asked, and since when not.
#[derive(Debug)]
pub(super) struct Breaker {
    /// When it was asked in vain, Unix milliseconds; [`CLOSED`] while it answers.
    failed_at: AtomicI64,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { failed_at: AtomicI64::new(CLOSED) }
    }
}

impl Breaker {
    /// Whether a request asks now. While it is open, one does in each [`REST`], and moves the time on for the others.
    pub(super) fn may_ask(&self, now: Timestamp) -> bool {
        let failed_at = self.failed_at.load(Ordering::Relaxed);
        if failed_at == CLOSED {
            return true;
        }
        let rest = i64::try_from(REST.as_millis()).unwrap_or(i64::MAX);
        // A clock that was set back must not hold it open for ever.
        let resting = (0..rest).contains(&now.millis().saturating_sub(failed_at));
        !resting
            && self
                .failed_at
                .compare_exchange(failed_at, now.millis(), Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// Redis answered; true when it had been away.
    pub(super) fn works(&self) -> bool {
        self.failed_at.swap(CLOSED, Ordering::Relaxed) != CLOSED
    }

    /// Redis did not answer; true when it had until now.
    pub(super) fn failed(&self, now: Timestamp) -> bool {
        self.failed_at.swap(now.millis(), Ordering::Relaxed) == CLOSED
    }

    /// Whether Redis was away when it was asked last.
    pub(super) fn is_open(&self) -> bool {
        self.failed_at.load(Ordering::Relaxed) != CLOSED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_asks_in_each_second_while_it_is_open() {
        let at = Timestamp::from_millis;
        let breaker = Breaker::default();
        assert!(breaker.may_ask(at(0)) && !breaker.is_open());
        assert!(breaker.failed(at(0)) && !breaker.failed(at(1)), "told once");
        assert!(!breaker.may_ask(at(500)));
        assert!(breaker.may_ask(at(1001)) && !breaker.may_ask(at(1002)), "one asks");
        assert!(breaker.works() && !breaker.works(), "told once");
        assert!(breaker.may_ask(at(1003)));
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_hold_it_open() {
        let breaker = Breaker::default();
        breaker.failed(Timestamp::from_millis(90_000));
        assert!(breaker.may_ask(Timestamp::from_millis(10)));
    }
}
