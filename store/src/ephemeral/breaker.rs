//! A circuit breaker: while Redis is away, one request in each second asks it, and nobody else waits for it.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, Instant},
};

/// How long nobody asks after a failure.
const REST: Duration = Duration::from_secs(1);
const CLOSED: i64 = i64::MIN;

/// Whether Redis is asked, and since when not.
///
/// It has a watch of its own: the time of a request is that of its beginning, and whoever has waited for a place to hash
/// comes with one that is seconds old.
#[derive(Debug)]
pub(super) struct Breaker {
    begun: Instant,
    /// When it was asked in vain, in milliseconds since the beginning; [`CLOSED`] while it answers.
    failed_at: AtomicI64,
}

impl Default for Breaker {
    fn default() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "how long Redis is left alone is no time of anything that is stored or told"
        )]
        let begun = Instant::now();
        Self { begun, failed_at: AtomicI64::new(CLOSED) }
    }
}

impl Breaker {
    fn elapsed(&self) -> i64 {
        i64::try_from(self.begun.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// Whether a request asks now. While it is open, one does in each [`REST`], and moves the time on for the others.
    pub(super) fn may_ask(&self) -> bool {
        self.may_ask_at(self.elapsed())
    }

    fn may_ask_at(&self, now: i64) -> bool {
        let failed_at = self.failed_at.load(Ordering::Relaxed);
        if failed_at == CLOSED {
            return true;
        }
        let rest = i64::try_from(REST.as_millis()).unwrap_or(i64::MAX);
        now.saturating_sub(failed_at) >= rest
            && self
                .failed_at
                .compare_exchange(failed_at, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// Redis answered; true when it had been away.
    pub(super) fn works(&self) -> bool {
        self.failed_at.swap(CLOSED, Ordering::Relaxed) != CLOSED
    }

    /// Redis did not answer; true when it had until now.
    pub(super) fn failed(&self) -> bool {
        self.failed_at_time(self.elapsed())
    }

    fn failed_at_time(&self, now: i64) -> bool {
        self.failed_at.swap(now, Ordering::Relaxed) == CLOSED
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
    fn open_breaker_probes_once_per_second() {
        let breaker = Breaker::default();
        assert!(breaker.may_ask_at(0) && !breaker.is_open());
        assert!(breaker.failed_at_time(0) && !breaker.failed_at_time(1), "told once");
        assert!(!breaker.may_ask_at(500));
        assert!(breaker.may_ask_at(1001) && !breaker.may_ask_at(1002), "one asks");
        assert!(breaker.works() && !breaker.works(), "told once");
        assert!(breaker.may_ask_at(1003));
    }

    #[test]
    fn breaker_time_is_monotonic() {
        let breaker = Breaker::default();
        let before = breaker.elapsed();
        assert!(before >= 0 && breaker.elapsed() >= before);
        breaker.failed();
        assert!(breaker.is_open() && breaker.may_ask_at(breaker.elapsed() + 1001));
    }
}
