//! How requests tell the workers of their own replica that there may be something to do.

use std::collections::BTreeMap;

use tokio::sync::Notify;

/// Wakes the workers of lanes.
///
/// A call is never lost: a worker that is busy finds it when it looks for more, and every worker hears it.
#[derive(Debug)]
pub struct LaneNotifier(BTreeMap<&'static str, Notify>);

impl FromIterator<&'static str> for LaneNotifier {
    /// Of these lanes.
    fn from_iter<I: IntoIterator<Item = &'static str>>(lanes: I) -> Self {
        Self(lanes.into_iter().map(|lane| (lane, Notify::new())).collect())
    }
}

impl LaneNotifier {
    /// Wakes the worker of a lane, after a transaction was committed that may have written a job for which a person waits;
    /// any other is found within a second.
    pub fn notify(&self, lane: &str) {
        if let Some(calls) = self.0.get(lane) {
            // Kept for the one worker of the lane when it is not waiting, unlike `notify_waiters`.
            calls.notify_one();
        }
    }

    /// Waits for a call; without end for a lane that has none.
    pub(super) async fn notified(&self, lane: &str) {
        match self.0.get(lane) {
            Some(calls) => calls.notified().await,
            None => std::future::pending().await,
        }
    }
}
