//! `[shutdown]`: how the program stops.

use std::time::Duration;

use super::parse::parse_duration;
use super::reader::Reader;

/// How long the two parts of a stop take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShutdownConfig {
    /// How long requests are still accepted after the signal, while `/readyz` answers 503: as long as a load balancer
    /// needs to notice. Default 0 s.
    pub delay: Duration,
    /// How long requests in flight may take after that. Then the hard stop ends the rest. Default 25 s, less than the 30 s
    /// after which common platforms kill a process. With a delay, the platform must allow for both.
    pub grace: Duration,
}

impl ShutdownConfig {
    pub(super) fn read(reader: &mut Reader) -> Option<Self> {
        let delay = reader.or_default("shutdown.delay", Duration::ZERO, |text| {
            parse_duration(text, &(Duration::ZERO..=Duration::from_mins(5)))
        });
        let range = Duration::from_secs(1)..=Duration::from_mins(10);
        let grace = reader.or_default("shutdown.grace", Duration::from_secs(25), |text| {
            parse_duration(text, &range)
        });
        Some(Self { delay: delay?, grace: grace? })
    }
}
