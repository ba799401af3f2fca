//! Whether a piece of work has come to a commit: who gives it up must not say that nothing happened.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

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
