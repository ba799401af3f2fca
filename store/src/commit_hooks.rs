//! Callbacks that run after a commit: metrics must not count what was rolled back.

use std::{fmt, mem};

type CommitHook = Box<dyn FnOnce() + Send>;

/// What runs after the commit of a transaction, in the order in which it was added.
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
