//! Whether a piece of work has come to a commit: its caller must then not answer that nothing happened.

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
    /// Of the work that is being done, wherever it asks the database.
    static BEGUN: Commits;
}

/// The commits of one piece of work. Copies share what they know.
#[derive(Clone, Debug, Default)]
pub struct Commits(Arc<AtomicBool>);

impl Commits {
    /// Does the work and takes note of its commits; those of tasks that it spawns are their own.
    pub async fn of<T>(&self, work: impl Future<Output = T>) -> T {
        BEGUN.scope(self.clone(), work).await
    }

    /// Does work that goes on when its caller is dropped, as a task of the present piece of work. A commit counts as begun at
    /// once, because the caller cannot know how far the task will have come.
    ///
    /// # Errors
    ///
    /// The runtime ends before the work.
    ///
    /// # Panics
    ///
    /// If the work does.
    pub async fn finish<T: Send + 'static>(
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Error> {
        Self::begin();
        let commits = BEGUN.try_with(Self::clone).unwrap_or_default();
        let task = async move { commits.of(work).await };
        match tokio::spawn(task.in_current_span()).await {
            Ok(done) => Ok(done),
            Err(ended) if ended.is_panic() => panic::resume_unwind(ended.into_panic()),
            Err(_) => {
                let ended = std::io::Error::other("the runtime ended");
                Err(Error::CommitUnknown(sqlx::Error::Io(ended)))
            }
        }
    }

    /// Whether one was begun. What became of the last of them is then unknown, unless the work has come to its end.
    #[must_use]
    pub fn begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Notes that the present work commits now.
    pub(crate) fn begin() {
        // Outside of such a piece of work nobody asks.
        let _ = BEGUN.try_with(|commits| commits.0.store(true, Ordering::Relaxed));
    }
}
