//! `[shutdown]`: how the program stops.

use std::time::Duration;

use super::parse::parse_duration;
use super::reader::Reader;

/// How long the two parts of a stop take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShutdownConfig {
    /// How long requests are still accepted after the signal, while `/readyz` answers 503: as long as a load balancer
    /// needs to notice. Default none.
    pub delay: Duration,
    /// How long requests in flight may take after that. Then the process ends whatever is still running. Default 25 s,
    /// so that a platform that kills after 30 s does not get there first; with a delay, tell the platform of both.
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
