//! `[shutdown]`: how the program stops.

use std::time::Duration;

use super::parse::duration;
use super::reader::Reader;

/// How long requests in flight may take after the signal to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShutdownConfig {
    /// After it the process ends whatever is still running. Default 25 s, so that a platform that
    /// kills after 30 s does not get there first.
    pub grace: Duration,
}

impl ShutdownConfig {
    pub(super) fn read(reader: &mut Reader) -> Option<Self> {
        let range = Duration::from_secs(1)..=Duration::from_mins(10);
        let grace =
            reader.or("shutdown.grace", Duration::from_secs(25), |text| duration(text, &range));
        Some(Self { grace: grace? })
    }
}
