//! What waits for a commit: counters must not tell of what a rollback has undone.

use std::{fmt, mem};

type Note = Box<dyn FnOnce() + Send>;

/// What is done once a transaction is committed, in the order in which it was asked for.
#[derive(Default)]
pub(crate) struct Notes(Vec<Note>);

impl Notes {
    pub(crate) fn keep(&mut self, note: impl FnOnce() + Send + 'static) {
        self.0.push(Box::new(note));
    }

    pub(crate) fn told(mut self) {
        for note in mem::take(&mut self.0) {
            note();
        }
    }
}

impl fmt::Debug for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Notes({})", self.0.len())
    }
}
