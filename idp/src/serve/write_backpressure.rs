//! A limit for HTTP/2 answers that the client does not read. While the client sends other requests on the same connection,
//! no other time limit applies, and each unread answer uses memory.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::Body;
use hyper::body::{Bytes, Frame, SizeHint};
use tokio::{sync::Notify, time::interval};

use super::request_limits::WaitingGuard;

/// The size of a chunk. A chunk is polled when the client's window has room, so at most this much of an unread answer is not
/// counted here.
const CHUNK_SIZE: usize = 1024;

/// The unread answers of a connection, by the period in which each began.
#[derive(Clone, Debug, Default)]
pub(super) struct UnreadResponses {
    periods: Arc<Mutex<Periods>>,
    give_way: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Periods {
    number: u64,
    current: usize,
    previous: usize,
}

impl UnreadResponses {
    /// What [`RequestLimits::wait`](super::request_limits::RequestLimits::wait) notifies when an unread answer gives way.
    pub(super) const fn give_way(&self) -> &Arc<Notify> {
        &self.give_way
    }

    /// Splits an answer into chunks, and counts it until its last chunk was sent.
    pub(super) fn track(&self, body: Body, waiting: Option<WaitingGuard>) -> Body {
        let mut periods = self.lock();
        periods.current += 1;
        let period = periods.number;
        drop(periods);
        let guard = UnreadGuard { unread: self.clone(), period, _waiting: waiting };
        Body::new(ChunkedBody { body, rest: Bytes::new(), _guard: guard })
    }

    /// Waits until an answer has not been read for `limit`, or for twice as long at most, or gives way to others.
    pub(super) async fn until_overdue(&self, limit: Duration) {
        let mut ticks = interval(limit);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.give_way.notified() => return,
            }
            if self.next_period() {
                return;
            }
        }
    }

    /// Begins a new period. Returns whether an answer of the one before the last is still unread.
    fn next_period(&self) -> bool {
        let mut periods = self.lock();
        if periods.previous > 0 {
            return true;
        }
        periods.previous = std::mem::take(&mut periods.current);
        periods.number += 1;
        false
    }

    fn lock(&self) -> MutexGuard<'_, Periods> {
        self.periods.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An answer that counts as unread.
#[derive(Debug)]
struct UnreadGuard {
    unread: UnreadResponses,
    period: u64,
    _waiting: Option<WaitingGuard>,
}

impl Drop for UnreadGuard {
    fn drop(&mut self) {
        let mut periods = self.unread.lock();
        let count = if periods.number == self.period {
            &mut periods.current
        } else {
            &mut periods.previous
        };
        *count = count.saturating_sub(1);
    }
}

/// A body in chunks.
#[derive(Debug)]
struct ChunkedBody {
    body: Body,
    rest: Bytes,
    _guard: UnreadGuard,
}

impl hyper::body::Body for ChunkedBody {
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
        let size = self.rest.len().min(CHUNK_SIZE);
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
    use crate::serve::request_limits::tests::limits;

    fn track(unread: &UnreadResponses, body: impl Into<Body>) -> Body {
        let waiting = limits(100, 100).wait(&Arc::default(), 1, unread.give_way());
        unread.track(body.into(), Some(waiting))
    }

    #[test]
    fn unread_response_expires_on_second_turn() {
        let unread = UnreadResponses::default();
        assert!(!unread.next_period());
        let (read, left) = (track(&unread, "a"), track(&unread, "b"));
        drop(read);
        assert!(!unread.next_period());
        let later = track(&unread, "c");
        assert!(unread.next_period(), "the one that was left");
        drop(left);
        assert!(!unread.next_period());
        assert!(unread.next_period(), "the later one");
        drop(later);
        assert!(!unread.next_period());
    }

    #[tokio::test]
    async fn wrapped_body_is_unchanged() {
        let text = "0123456789".repeat(1000);
        let body = track(&UnreadResponses::default(), text.clone());
        assert_eq!(body.size_hint().exact(), Some(10_000));
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        assert_eq!(bytes, text.as_bytes());
    }
}
