//! How long a mail that was not taken waits for its next try.

use std::time::Duration;

use keys::Rng;
use store::job::Lane;

/// Waits between the tries of a code: somebody sits in front of the page.
const CODE_WAITS: [u64; 5] = [2, 5, 10, 20, 30];
/// The first wait of a notice, which doubles, and the longest.
const NOTICE_WAIT: (Duration, Duration) = (Duration::from_secs(30), Duration::from_hours(2));
/// The wait after so many tries: growing, and with some chance.
pub(super) fn after(lane: Lane, tries: i64, rng: &Rng) -> Duration {
    with_chance(wait(lane, tries), rng)
}

fn wait(lane: Lane, tries: i64) -> Duration {
    let waited = usize::try_from(tries.saturating_sub(1)).unwrap_or(0);
    match lane {
        Lane::Code => {
            let [.., longest] = CODE_WAITS;
            Duration::from_secs(CODE_WAITS.get(waited).copied().unwrap_or(longest))
        }
        Lane::Notice => {
            let (first, longest) = NOTICE_WAIT;
            let doublings = u32::try_from(waited).unwrap_or(u32::MAX).min(16);
            first.saturating_mul(1 << doublings).min(longest)
        }
    }
}

/// Between 80 and 120 % of a wait, so that what failed together does not come back together.
fn with_chance(wait: Duration, rng: &Rng) -> Duration {
    let [chance] = rng.bytes::<1>();
    wait * (205 + u32::from(chance) * 2 / 5) / 256
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(lane: Lane, tries: impl IntoIterator<Item = i64>) -> Vec<u64> {
        tries.into_iter().map(|tries| wait(lane, tries).as_secs()).collect()
    }

    #[test]
    fn a_code_is_tried_often_and_a_notice_ever_more_rarely() {
        assert_eq!(waits(Lane::Code, 1..=7), [2, 5, 10, 20, 30, 30, 30]);
        assert_eq!(waits(Lane::Notice, 1..=9), [30, 60, 120, 240, 480, 960, 1920, 3840, 7200]);
        assert_eq!(waits(Lane::Notice, [0, 40, i64::MAX, i64::MIN]), [30, 7200, 7200, 30]);
        assert_eq!(waits(Lane::Code, [0, i64::MAX]), [2, 30]);
    }

    #[test]
    fn chance_moves_a_wait_by_a_fifth_at_most() {
        let rng = Rng::system();
        let waits: Vec<_> =
            (0..200).map(|_| with_chance(Duration::from_secs(10), &rng).as_millis()).collect();
        assert!(waits.iter().all(|wait| (8_000..=12_000).contains(wait)), "{waits:?}");
        assert!(waits.iter().min() != waits.iter().max());
    }
}
