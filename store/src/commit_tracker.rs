//! Whether a piece of work has begun a commit: a caller that gives it up then must not report that nothing happened.

use std::{
    panic,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tracing::Instrument;

use crate::Error;

tokio::task_local! {
    /// The tracker of the current work, for all of its database calls.
    static CURRENT: CommitTracker;
}

/// Whether one piece of work has begun a commit. Clones share the state.
#[derive(Clone, Debug, Default)]
pub struct CommitTracker(Arc<AtomicBool>);

impl CommitTracker {
    /// Runs `work` and tracks its commits, but not those of tasks that it spawns.
    pub async fn track<T>(&self, work: impl Future<Output = T>) -> T {
        CURRENT.scope(self.clone(), work).await
    }

    /// Runs `work` as a task that belongs to the current work and continues when its caller is dropped. A commit counts as
    /// begun at once: a dropped caller cannot know how far the task gets. Fails if the runtime is shut down before the work
    /// ends.
    ///
    /// # Panics
    ///
    /// If the work panics.
    pub fn run_to_completion<T: Send + 'static>(
        work: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = Result<T, Error>> + Send {
        Self::mark_begun();
        Self::run_detached(work)
    }

    /// The same for work that commits nothing which its caller's outcome depends on. What it returns to a caller that was
    /// dropped is dropped.
    ///
    /// # Panics
    ///
    /// If the work panics.
    pub fn run_detached<T: Send + 'static>(
        work: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = Result<T, Error>> + Send {
        let tracker = CURRENT.try_with(Self::clone).unwrap_or_default();
        let task = async move { tracker.track(work).await };
        let task = tokio::spawn(task.in_current_span());
        async move {
            match task.await {
                Ok(done) => Ok(done),
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

    /// Whether a commit was begun. The outcome of the last one is then unknown, unless the work has ended.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Records that the current work begins a commit.
    pub(crate) fn mark_begun() {
        // Work without a tracker needs no record.
        let _ = CURRENT.try_with(|tracker| tracker.0.store(true, Ordering::Relaxed));
    }
}
