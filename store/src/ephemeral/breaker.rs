//! A circuit breaker: while Redis is unavailable, one request in each second tries it, and no other waits for it.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, Instant},
};

/// How long no request tries Redis after a failure.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
const CLOSED: i64 = i64::MIN;

/// Whether requests try Redis, and since when they do not.
///
/// It has a clock of its own: the time of a request is that of its start, which is seconds old after a wait for a hashing
/// permit.
#[derive(Debug)]
pub(super) struct CircuitBreaker {
    created: Instant,
    /// When it was last tried without success, in milliseconds since `created`; [`CLOSED`] while it answers.
    failed_at: AtomicI64,
}

impl Default for CircuitBreaker {
    fn default() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the pause before Redis is tried again is neither stored nor reported"
        )]
        let created = Instant::now();
        Self { created, failed_at: AtomicI64::new(CLOSED) }
    }
}

impl CircuitBreaker {
    fn elapsed(&self) -> i64 {
        i64::try_from(self.created.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// Whether a request may try Redis now. While the breaker is open, one may in each [`RETRY_INTERVAL`], which restarts it
    /// for the others.
    pub(super) fn allows_request(&self) -> bool {
        self.allows_request_at(self.elapsed())
    }

    fn allows_request_at(&self, now: i64) -> bool {
        let failed_at = self.failed_at.load(Ordering::Relaxed);
        if failed_at == CLOSED {
            return true;
        }
        let interval = i64::try_from(RETRY_INTERVAL.as_millis()).unwrap_or(i64::MAX);
        now.saturating_sub(failed_at) >= interval
            && self
                .failed_at
                .compare_exchange(failed_at, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// Redis answered; true when it was unavailable before.
    pub(super) fn record_success(&self) -> bool {
        self.failed_at.swap(CLOSED, Ordering::Relaxed) != CLOSED
    }

    /// Redis did not answer; true when it did before.
    pub(super) fn record_failure(&self) -> bool {
        self.record_failure_at(self.elapsed())
    }

    fn record_failure_at(&self, now: i64) -> bool {
        self.failed_at.swap(now, Ordering::Relaxed) == CLOSED
    }

    /// Whether Redis was unavailable when it was last tried.
    pub(super) fn is_open(&self) -> bool {
        self.failed_at.load(Ordering::Relaxed) != CLOSED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_breaker_probes_once_per_second() {
        let breaker = CircuitBreaker::default();
        assert!(breaker.allows_request_at(0) && !breaker.is_open());
        assert!(breaker.record_failure_at(0) && !breaker.record_failure_at(1), "reported once");
        assert!(!breaker.allows_request_at(500));
        assert!(breaker.allows_request_at(1001) && !breaker.allows_request_at(1002), "one tries");
        assert!(breaker.record_success() && !breaker.record_success(), "reported once");
        assert!(breaker.allows_request_at(1003));
    }

    #[test]
    fn breaker_time_is_monotonic() {
        let breaker = CircuitBreaker::default();
        let before = breaker.elapsed();
        assert!(before >= 0 && breaker.elapsed() >= before);
        breaker.record_failure();
        assert!(breaker.is_open() && breaker.allows_request_at(breaker.elapsed() + 1001));
    }
}
