//! Categories of mails, and what depends on them: the lane, the waits between tries and the maximum age.

use std::time::Duration;

use crate::jobs::Backoff;

/// The purpose of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// A code: a person waits for it in the browser.
    Code,
    /// A notice.
    Notice,
}

impl Category {
    /// Its lane, and its name in statistics of mail providers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Notice => "notice",
        }
    }

    /// The waits between the tries of a mail that was not accepted.
    #[must_use]
    pub(crate) const fn backoff(self) -> Backoff {
        match self {
            Self::Code => Backoff::Listed(&[2, 5, 10, 20, 30]),
            Self::Notice => Backoff::Doubling {
                first: Duration::from_secs(30),
                longest: Duration::from_hours(2),
            },
        }
    }

    /// The maximum age of such a mail. A code has the cap of its challenge instead.
    #[must_use]
    pub const fn max_age(self) -> Option<Duration> {
        match self {
            Self::Code => None,
            Self::Notice => Some(Duration::from_hours(24)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(category: Category, tries: impl IntoIterator<Item = i64>) -> Vec<u64> {
        tries.into_iter().map(|tries| category.backoff().delay_after(tries).as_secs()).collect()
    }

    #[test]
    fn codes_retry_sooner_than_notices() {
        assert_eq!(waits(Category::Code, 1..=7), [2, 5, 10, 20, 30, 30, 30]);
        assert_eq!(waits(Category::Notice, 1..=9), [30, 60, 120, 240, 480, 960, 1920, 3840, 7200]);
    }
}
