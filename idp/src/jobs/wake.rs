//! How requests tell the workers of their own replica that there may be something to do.

use store::job::Lane;
use tokio::sync::Notify;

/// How requests tell the workers of their own replica that there may be something to do.
///
/// A call is never lost: a worker that is busy finds it when it looks for more, and every worker hears it.
#[derive(Debug, Default)]
pub struct Wake {
    code: Notify,
    notice: Notify,
}

impl Wake {
    /// Wakes the worker of a lane. For a request that has just committed a transaction that may have written a job for which
    /// a person waits; any other is found within a second.
    pub fn wake(&self, lane: Lane) {
        // Kept for the one worker of the lane when it is not waiting, unlike `notify_waiters`.
        self.of(lane).notify_one();
    }

    pub(super) const fn of(&self, lane: Lane) -> &Notify {
        match lane {
            Lane::Code => &self.code,
            Lane::Notice => &self.notice,
        }
    }
}
