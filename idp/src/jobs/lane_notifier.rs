//! How requests wake the workers of their own replica when there may be a new job.

use std::collections::BTreeMap;

use tokio::sync::Notify;

/// Wakes the workers of lanes.
///
/// A notification is never lost: a busy worker receives it when it next waits.
#[derive(Debug)]
pub struct LaneNotifier(BTreeMap<&'static str, Notify>);

impl FromIterator<&'static str> for LaneNotifier {
    /// A notifier for these lanes.
    fn from_iter<I: IntoIterator<Item = &'static str>>(lanes: I) -> Self {
        Self(lanes.into_iter().map(|lane| (lane, Notify::new())).collect())
    }
}

impl LaneNotifier {
    /// Wakes the worker of a lane. Called after a commit that may have written a job for which a person waits; the worker
    /// finds any other job within a second.
    pub fn notify(&self, lane: &str) {
        if let Some(calls) = self.0.get(lane) {
            // Stored for the lane's one worker while it is not waiting, unlike with `notify_waiters`.
            calls.notify_one();
        }
    }

    /// Waits for a notification; for ever if the lane is unknown.
    pub(super) async fn notified(&self, lane: &str) {
        match self.0.get(lane) {
            Some(calls) => calls.notified().await,
            None => std::future::pending().await,
        }
    }
}
