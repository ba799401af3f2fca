//! Notifies the observer, which counts, of each event of the trail once it is committed.
//!
//! ```text
//! audit::record ─▶ row in the transaction ─▶ commit ─▶ Observer::on_event
//!                                        └─▶ rollback ─▶ nothing
//! ```
//!
//! So a counter agrees with the trail, and this crate does not depend on metrics.

use std::{
    fmt::Debug,
    sync::{Arc, OnceLock},
    time::Duration,
};

use crate::audit::Event;

/// An event that is in the trail.
#[derive(Clone, Debug)]
pub struct RecordedEvent {
    /// The event.
    pub event: Event,
    /// The outcome, as text of the trail.
    pub outcome: String,
    /// The client; only a registered one.
    pub client: Option<String>,
    /// How long the person or the mail took, where that is known.
    pub elapsed: Option<Duration>,
    /// The grant type by which tokens were issued.
    pub grant_type: Option<&'static str>,
}

/// Receives committed events and counts them.
pub trait Observer: Debug + Send + Sync {
    /// An event was committed. Called on the path of a request: it must not wait.
    fn on_event(&self, recorded: &RecordedEvent);
}

/// Counts nothing: for commands.
#[derive(Clone, Copy, Debug)]
pub struct NoopObserver;

impl Observer for NoopObserver {
    fn on_event(&self, _: &RecordedEvent) {}
}

/// The client of a request, for its line in the log: set once a flow has looked it up, so it is a registered one.
#[derive(Clone, Debug, Default)]
pub struct ClientSlot(Arc<OnceLock<String>>);

impl ClientSlot {
    pub(crate) fn set(&self, client: &str) {
        self.0.get_or_init(|| client.to_owned());
    }

    /// The client, if a flow has found one.
    #[must_use]
    pub fn get(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}
