//! Statistics of the hashing pool, as plain numbers for the metrics.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// Upper bounds of the buckets of waits, in milliseconds; a last bucket has none.
const BUCKET_BOUNDS: [u32; 11] = [1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000];

/// The pool at one moment.
#[derive(Clone, Debug)]
pub struct HasherStats {
    /// Callers that may be admitted at once: twice the threads.
    pub max_admitted: usize,
    /// Callers that are admitted.
    pub admitted: usize,
    /// Callers that may wait.
    pub queue_slots: usize,
    /// Callers that wait.
    pub waiting: usize,
    /// Totals since the start.
    pub totals: HasherTotals,
}

/// Totals since the start.
#[derive(Clone, Debug)]
pub struct HasherTotals {
    /// Callers rejected at once, because the queue was full.
    pub rejected_full: u64,
    /// Callers rejected after too long a wait.
    pub timed_out: u64,
    /// Waits of admitted callers, by bucket: the upper bound in seconds (infinite for the last), and how many waits are in
    /// this bucket.
    pub wait_buckets: Vec<(f64, u64)>,
    /// The sum of those waits.
    pub wait_sum: Duration,
}

/// Counters of a pool.
#[derive(Debug, Default)]
pub(crate) struct HasherCounters {
    rejected_full: AtomicU64,
    timed_out: AtomicU64,
    wait_buckets: [AtomicU64; BUCKET_BOUNDS.len() + 1],
    wait_sum_micros: AtomicU64,
}

impl HasherCounters {
    pub(crate) fn count_rejected_full(&self) {
        self.rejected_full.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_timed_out(&self) {
        self.timed_out.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn record_wait(&self, wait: Duration) {
        let bucket =
            BUCKET_BOUNDS.partition_point(|bound| Duration::from_millis(u64::from(*bound)) < wait);
        if let Some(count) = self.wait_buckets.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let micros = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
        self.wait_sum_micros.fetch_add(micros, Ordering::Relaxed);
    }

    pub(crate) fn totals(&self) -> HasherTotals {
        let bounds =
            BUCKET_BOUNDS.iter().map(|bound| f64::from(*bound) / 1_000.0).chain([f64::INFINITY]);
        let counts = self.wait_buckets.iter().map(|count| count.load(Ordering::Relaxed));
        HasherTotals {
            rejected_full: self.rejected_full.load(Ordering::Relaxed),
            timed_out: self.timed_out.load(Ordering::Relaxed),
            wait_buckets: bounds.zip(counts).collect(),
            wait_sum: Duration::from_micros(self.wait_sum_micros.load(Ordering::Relaxed)),
        }
    }
}

/// Measures a wait.
pub(crate) struct WaitTimer(Instant);

impl WaitTimer {
    pub(crate) fn start() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the length of a wait is shown, and decides nothing"
        )]
        let now = Instant::now();
        Self(now)
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_fill_histogram_buckets() {
        let counters = HasherCounters::default();
        for millis in [0, 1, 2, 5_000, 60_000] {
            counters.record_wait(Duration::from_millis(millis));
        }
        let totals = counters.totals();
        let counts: Vec<u64> = totals.wait_buckets.iter().map(|(_, count)| *count).collect();
        assert_eq!(counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(totals.wait_sum, Duration::from_millis(65_003));
    }
}
