//! Whether a piece of work has begun a commit: a caller that gives it up then must not report that nothing happened.
//! Until then it can be cancelled.

use std::{
    panic,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use tokio::sync::Notify;
use tracing::Instrument;

use crate::Error;

tokio::task_local! {
    /// The tracker of the current work, for all of its database calls.
    static CURRENT: CommitTracker;
}

const OPEN: u8 = 0;
const BEGUN: u8 = 1;
const CANCELLED: u8 = 2;

/// Whether one piece of work has begun a commit, or was cancelled before. Clones share the state.
#[derive(Clone, Debug, Default)]
pub struct CommitTracker(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: AtomicU8,
    cancelled: Notify,
}

impl CommitTracker {
    /// Runs `work` and tracks its commits, and those of [`Self::run_to_completion`] in it.
    pub async fn track<T>(&self, work: impl Future<Output = T>) -> T {
        CURRENT.scope(self.clone(), work).await
    }

    /// Runs `work` as a task that belongs to the current work and continues when its caller is dropped. It ends early
    /// only if the current work is cancelled before its first commit. Fails if it does, or if the runtime is shut down.
    ///
    /// # Panics
    ///
    /// If the work panics.
    pub fn run_to_completion<T: Send + 'static>(
        work: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = Result<T, Error>> + Send {
        let tracker = CURRENT.try_with(Self::clone).unwrap_or_default();
        let task = async move {
            tokio::select! {
                done = tracker.track(work) => Some(done),
                () = tracker.until_cancelled() => None,
            }
        };
        let task = tokio::spawn(task.in_current_span());
        async move {
            match task.await {
                Ok(Some(done)) => Ok(done),
                Ok(None) => Err(cancelled_error()),
                Err(ended) if ended.is_panic() => panic::resume_unwind(ended.into_panic()),
                Err(_) => {
                    let ended = std::io::Error::other("the runtime was shut down");
                    Err(Error::CommitUnknown(sqlx::Error::Io(ended)))
                }
            }
        }
    }

    /// Starts `work` that no caller waits for. While the runtime is shut down it is not done.
    pub fn start_detached(work: impl Future<Output = ()> + Send + 'static) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(work.in_current_span());
        }
    }

    /// Cancels the work unless it has begun a commit; then the outcome of the last one is unknown. Returns whether it
    /// is cancelled: from now on it commits nothing.
    #[must_use]
    pub fn cancel(&self) -> bool {
        let exchanged =
            self.0.state.compare_exchange(OPEN, CANCELLED, Ordering::AcqRel, Ordering::Acquire);
        self.0.cancelled.notify_waiters();
        exchanged.map_or_else(|state| state == CANCELLED, |_| true)
    }

    /// Records that the current work begins a commit.
    ///
    /// # Errors
    ///
    /// It was cancelled.
    pub(crate) fn begin_commit() -> Result<(), Error> {
        let begun = CURRENT.try_with(|tracker| {
            let state = &tracker.0.state;
            state.compare_exchange(OPEN, BEGUN, Ordering::AcqRel, Ordering::Acquire)
        });
        match begun {
            Ok(Err(CANCELLED)) => Err(cancelled_error()),
            // Work without a tracker needs no record.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    async fn until_cancelled(&self) {
        loop {
            let notified = self.0.cancelled.notified();
            if self.0.state.load(Ordering::Acquire) == CANCELLED {
                return;
            }
            notified.await;
        }
    }
}

fn cancelled_error() -> Error {
    Error::Unavailable(sqlx::Error::Io(std::io::Error::other("this replica stops at once")))
}
