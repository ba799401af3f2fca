//! How busy the hashing pool is: plain numbers, for whoever shows them.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// Upper ends of the classes of waits, in milliseconds; a last class has no end.
const ENDS: [u32; 11] = [1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000];

/// The pool at one moment.
#[derive(Clone, Debug)]
pub struct HasherLoad {
    /// Who may be in at once: twice the threads.
    pub slots: usize,
    /// Who is in.
    pub used: usize,
    /// Who may wait.
    pub places: usize,
    /// Who waits.
    pub waiting: usize,
    /// How it went since the start.
    pub history: HasherHistory,
}

/// How it went since the start.
#[derive(Clone, Debug)]
pub struct HasherHistory {
    /// Refused at once, because the queue was full.
    pub full: u64,
    /// Refused after waiting in vain.
    pub waited_in_vain: u64,
    /// Waits of those who got in, by class: the upper end in seconds (infinite for the last) and how many were in it.
    pub waits: Vec<(f64, u64)>,
    /// The sum of those waits.
    pub waited: Duration,
}

/// Counters of a pool.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    full: AtomicU64,
    waited_in_vain: AtomicU64,
    waits: [AtomicU64; ENDS.len() + 1],
    waited_micros: AtomicU64,
}

impl Tally {
    pub(crate) fn full(&self) {
        self.full.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn waited_in_vain(&self) {
        self.waited_in_vain.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn admitted(&self, after: Duration) {
        let class = ENDS.partition_point(|end| Duration::from_millis(u64::from(*end)) < after);
        if let Some(count) = self.waits.get(class) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let micros = u64::try_from(after.as_micros()).unwrap_or(u64::MAX);
        self.waited_micros.fetch_add(micros, Ordering::Relaxed);
    }

    pub(crate) fn history(&self) -> HasherHistory {
        let ends = ENDS.iter().map(|end| f64::from(*end) / 1_000.0).chain([f64::INFINITY]);
        let counts = self.waits.iter().map(|count| count.load(Ordering::Relaxed));
        HasherHistory {
            full: self.full.load(Ordering::Relaxed),
            waited_in_vain: self.waited_in_vain.load(Ordering::Relaxed),
            waits: ends.zip(counts).collect(),
            waited: Duration::from_micros(self.waited_micros.load(Ordering::Relaxed)),
        }
    }
}

/// Measures a wait.
pub(crate) struct Watch(Instant);

impl Watch {
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
        let tally = Tally::default();
        for millis in [0, 1, 2, 5_000, 60_000] {
            tally.admitted(Duration::from_millis(millis));
        }
        let history = tally.history();
        let counts: Vec<u64> = history.waits.iter().map(|(_, count)| *count).collect();
        assert_eq!(counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(history.waited, Duration::from_millis(65_003));
    }
}
