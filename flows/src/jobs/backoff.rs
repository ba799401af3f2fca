//! How long a job waits for its next try.

use std::time::Duration;

use keys::Rng;

/// The waits between the tries of a kind of job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backoff {
    /// These seconds, in this order; then the last one each time.
    Listed(&'static [u64]),
    /// Starts with `first` and doubles up to `longest`.
    Doubling {
        /// The wait after the first try.
        first: Duration,
        /// The longest wait.
        longest: Duration,
    },
}

impl Backoff {
    /// The wait after so many tries: between 80 and 120 % of the average, so that jobs that failed together are not retried
    /// together.
    pub(super) fn with_jitter(self, tries: i64, rng: &Rng) -> Duration {
        let [chance] = rng.bytes::<1>();
        self.delay_after(tries) * (205 + u32::from(chance) * 2 / 5) / 256
    }

    /// The wait after so many tries, on average.
    #[must_use]
    pub(crate) fn delay_after(self, tries: i64) -> Duration {
        let waited = usize::try_from(tries.saturating_sub(1)).unwrap_or(0);
        match self {
            Self::Listed(seconds) => {
                let wait = seconds.get(waited).or(seconds.last());
                Duration::from_secs(wait.copied().unwrap_or_default())
            }
            Self::Doubling { first, longest } => {
                let doublings = u32::try_from(waited).unwrap_or(u32::MAX).min(16);
                first.saturating_mul(1 << doublings).min(longest)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_beyond_list_have_longest_wait() {
        let listed = Backoff::Listed(&[2, 5]);
        let doubling =
            Backoff::Doubling { first: Duration::from_secs(30), longest: Duration::from_hours(2) };
        let seconds = |waits: Backoff, tries| waits.delay_after(tries).as_secs();
        assert_eq!([1, 2, 3, 4].map(|tries| seconds(listed, tries)), [2, 5, 5, 5]);
        assert_eq!([0, i64::MAX].map(|tries| seconds(listed, tries)), [2, 5]);
        assert_eq!([1, 2, 8, 9].map(|tries| seconds(doubling, tries)), [30, 60, 3840, 7200]);
        let most = [0, 40, i64::MAX, i64::MIN].map(|tries| seconds(doubling, tries));
        assert_eq!(most, [30, 7200, 7200, 30]);
    }

    #[test]
    fn retry_jitter_is_twenty_percent() {
        let (rng, ten) = (Rng::system(), Backoff::Listed(&[10]));
        let waits: Vec<_> = (0..200).map(|_| ten.with_jitter(1, &rng).as_millis()).collect();
        assert!(waits.iter().all(|wait| (8_000..=12_000).contains(wait)), "{waits:?}");
        assert!(waits.iter().min() != waits.iter().max());
    }
}
