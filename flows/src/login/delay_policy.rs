//! How long a wait is after so many failures (decision 4).

use std::time::Duration;

use store::{Timestamp, throttle::ThrottleKind};

use crate::Cx;

/// More make no difference: a minute is two years then.
const MOST_DOUBLINGS: u32 = 20;

/// The number of failures without a wait, and the waits after them.
pub(super) struct DelayPolicy {
    /// Failures without a wait.
    pub(super) free: i64,
    first_wait: Duration,
    longest_wait: Duration,
}

impl DelayPolicy {
    pub(super) fn of(cx: &Cx, kind: ThrottleKind) -> Self {
        let settings = &cx.settings;
        match kind {
            ThrottleKind::Code => Self {
                free: settings.code_failures,
                first_wait: settings.code_wait,
                longest_wait: settings.code_wait_most,
            },
            _ => Self {
                free: settings.password_failures,
                first_wait: settings.password_wait,
                longest_wait: settings.password_wait_most,
            },
        }
    }

    /// The failures after which the wait is the longest. A day without a failure takes one off these at most, so that
    /// waits become shorter a day after an attack, however long it lasted.
    pub(super) fn longest_after(&self) -> i64 {
        let doublings = (0..MOST_DOUBLINGS).find(|it| self.wait(*it) >= self.longest_wait);
        self.free.saturating_add(i64::from(doublings.unwrap_or(MOST_DOUBLINGS)))
    }

    /// The end of the wait after the `spent`-th failure, if that is beyond the free ones: the first wait, doubling up to the
    /// longest.
    pub(super) fn delay_after(&self, spent: i64, now: Timestamp) -> Option<Timestamp> {
        let over = spent.checked_sub(self.free).filter(|over| *over >= 0)?;
        let doublings = u32::try_from(over).unwrap_or(u32::MAX).min(MOST_DOUBLINGS);
        Some(now.plus(self.wait(doublings)))
    }

    fn wait(&self, doublings: u32) -> Duration {
        self.first_wait.saturating_mul(1_u32 << doublings).min(self.longest_wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_limit() {
        let now = Timestamp::from_millis(0);
        let hour = Duration::from_hours(1);
        let limits = DelayPolicy { free: 10, first_wait: hour, longest_wait: hour * 24 };
        let wait = |spent| limits.delay_after(spent, now).map(|t| t.millis() / 3_600_000);
        assert_eq!(
            [9, 10, 11, 12, 13, 14, 15, 99].map(wait),
            [None, Some(1), Some(2), Some(4), Some(8), Some(16), Some(24), Some(24)]
        );
        assert_eq!(limits.longest_after(), 15);
        assert_eq!(DelayPolicy { longest_wait: hour, ..limits }.longest_after(), 10);
    }
}
