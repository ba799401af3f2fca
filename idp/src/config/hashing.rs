//! `[hashing]`: how many password hashes may be computed at once. Each thread uses 19 MiB.

use std::time::Duration;

use super::parse::{parse_duration, parse_number};
use super::reader::Reader;

/// The bounded pool of password hashing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashingConfig {
    /// Threads of the pool. Default: the cores of this machine.
    pub threads: usize,
    /// Sign-ins that may wait for a thread; the next is answered "busy" at once. Default 128.
    pub queue: usize,
    /// The longest wait for a thread. Default 5 s (decision 17).
    pub wait: Duration,
}

impl Default for HashingConfig {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { threads: cores, queue: 128, wait: Duration::from_secs(5) }
    }
}

impl HashingConfig {
    pub(super) fn read(reader: &mut Reader) -> Option<Self> {
        let default = Self::default();
        let threads = reader
            .or_default("hashing.threads", default.threads, |text| parse_number(text, &(1..=256)));
        let queue = reader
            .or_default("hashing.queue", default.queue, |text| parse_number(text, &(1..=10_000)));
        let range = Duration::from_millis(100)..=Duration::from_mins(1);
        let wait =
            reader.or_default("hashing.wait", default.wait, |text| parse_duration(text, &range));
        Some(Self { threads: threads?, queue: queue?, wait: wait? })
    }

    /// The configuration of `keys`.
    #[must_use]
    pub(crate) fn hasher_config(&self) -> keys::HasherConfig {
        keys::HasherConfig { threads: self.threads, queue: self.queue, wait: self.wait }
    }
}
