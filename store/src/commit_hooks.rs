//! What waits for a commit: counters must not tell of what a rollback has undone.

use std::{fmt, mem};

type CommitHook = Box<dyn FnOnce() + Send>;

/// What is done once a transaction is committed, in the order in which it was asked for.
#[derive(Default)]
pub(crate) struct CommitHooks(Vec<CommitHook>);

impl CommitHooks {
    pub(crate) fn push(&mut self, hook: impl FnOnce() + Send + 'static) {
        self.0.push(Box::new(hook));
    }

    pub(crate) fn run(mut self) {
        for hook in mem::take(&mut self.0) {
            hook();
        }
    }
}

impl fmt::Debug for CommitHooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CommitHooks({})", self.0.len())
    }
}
