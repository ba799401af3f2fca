//! Answers over HTTP/2 that the client does not read: while it asks other things on the same connection, nothing else would
//! ever end it, and each answer is kept.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::Body;
use hyper::body::{Bytes, Frame, SizeHint};
use tokio::time::interval;

/// A piece of an answer. It leaves us when the client has room, so at most this much of an answer is not seen here.
const PIECE: usize = 1024;

/// The unread answers of a connection, by the turn in which each began.
#[derive(Clone, Debug, Default)]
pub(super) struct Unread(Arc<Mutex<Turns>>);

#[derive(Debug, Default)]
struct Turns {
    number: u64,
    this: usize,
    last: usize,
}

impl Unread {
    /// An answer that is cut into pieces, and counted until its last one has gone.
    pub(super) fn answer(&self, body: Body) -> Body {
        let mut turns = self.turns();
        turns.this += 1;
        let began = turns.number;
        drop(turns);
        let counted = Counted { unread: self.clone(), began };
        Body::new(Pieces { body, rest: Bytes::new(), _counted: counted })
    }

    /// Waits until an answer has not been read for `limit`, or for twice as long at most.
    pub(super) async fn too_long(&self, limit: Duration) {
        let mut turns = interval(limit);
        loop {
            turns.tick().await;
            if self.turn() {
                return;
            }
        }
    }

    /// Another turn begins; says whether an answer of the one before the last is still there.
    fn turn(&self) -> bool {
        let mut turns = self.turns();
        if turns.last > 0 {
            return true;
        }
        turns.last = std::mem::take(&mut turns.this);
        turns.number += 1;
        false
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An answer that counts as unread.
#[derive(Debug)]
struct Counted {
    unread: Unread,
    began: u64,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut turns = self.unread.turns();
        let count = if turns.number == self.began { &mut turns.this } else { &mut turns.last };
        *count = count.saturating_sub(1);
    }
}

/// A body in pieces.
#[derive(Debug)]
struct Pieces {
    body: Body,
    rest: Bytes,
    _counted: Counted,
}

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                ended => return Poll::Ready(ended),
            }
        }
        let size = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(size)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (here, later) =
            (u64::try_from(self.rest.len()).unwrap_or(u64::MAX), self.body.size_hint());
        let mut whole = SizeHint::new();
        whole.set_lower(later.lower().saturating_add(here));
        if let Some(upper) = later.upper() {
            whole.set_upper(upper.saturating_add(here));
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use hyper::body::Body as _;

    use super::*;

    #[test]
    fn unread_response_expires_on_second_turn() {
        let unread = Unread::default();
        assert!(!unread.turn());
        let (read, left) = (unread.answer(Body::from("a")), unread.answer(Body::from("b")));
        drop(read);
        assert!(!unread.turn());
        let later = unread.answer(Body::from("c"));
        assert!(unread.turn(), "the one that was left");
        drop(left);
        assert!(!unread.turn());
        assert!(unread.turn(), "the later one");
        drop(later);
        assert!(!unread.turn());
    }

    #[tokio::test]
    async fn wrapped_body_is_unchanged() {
        let text = "0123456789".repeat(1000);
        let body = Unread::default().answer(Body::from(text.clone()));
        assert_eq!(body.size_hint().exact(), Some(10_000));
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        assert_eq!(bytes, text.as_bytes());
    }
}
