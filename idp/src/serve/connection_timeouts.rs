//! Time limits of a connection, by its state.
//!
//! ```text
//! Fresh ──▶ Working ──▶ Idle ──first byte──▶ ReadingHead ──▶ Working
//! ```
//!
//! A time limit begins with the state, so single bytes do not extend it.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::Notify,
};

use crate::config::LimitsConfig;

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConnectionState {
    /// No request was received yet.
    Fresh,
    /// The first bytes of a further request were received.
    ReadingHead,
    /// This many requests are being answered.
    Working(usize),
    /// All requests were answered, but the client may still be reading the last answer.
    Idle,
}

/// The state of a connection, shared by its transport and its requests.
#[derive(Debug)]
pub(super) struct ConnectionTracker {
    inner: Mutex<TrackerInner>,
    changed: Notify,
}

#[derive(Debug)]
struct TrackerInner {
    state: ConnectionState,
    /// Whether the connection is HTTP/2: bytes between requests need not begin a request.
    is_multiplexed: bool,
}

impl ConnectionTracker {
    pub(super) fn new() -> Arc<Self> {
        let inner = TrackerInner { state: ConnectionState::Fresh, is_multiplexed: false };
        Arc::new(Self { inner: Mutex::new(inner), changed: Notify::new() })
    }

    pub(super) fn state(&self) -> ConnectionState {
        self.lock().state
    }

    /// Waits for the next change of state.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// How long the present state may last. A request that is being answered has limits of its own.
    pub(super) fn time_limit(&self, limits: &LimitsConfig) -> Option<Duration> {
        match self.state() {
            ConnectionState::Fresh | ConnectionState::ReadingHead => Some(limits.header_time),
            ConnectionState::Idle => Some(limits.idle_time),
            ConnectionState::Working(_) => None,
        }
    }

    /// Counts a request as being answered until the guard is dropped.
    pub(super) fn begin_request(self: &Arc<Self>, is_multiplexed: bool) -> RequestGuard {
        let mut inner = self.lock();
        inner.is_multiplexed = is_multiplexed;
        inner.state = match inner.state {
            ConnectionState::Working(others) => ConnectionState::Working(others + 1),
            _ => ConnectionState::Working(1),
        };
        drop(inner);
        self.changed.notify_one();
        RequestGuard(Arc::clone(self))
    }

    fn on_bytes_read(&self) {
        let mut inner = self.lock();
        if inner.state == ConnectionState::Idle && !inner.is_multiplexed {
            inner.state = ConnectionState::ReadingHead;
            drop(inner);
            self.changed.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, TrackerInner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct RequestGuard(Arc<ConnectionTracker>);

impl Drop for RequestGuard {
    fn drop(&mut self) {
        let mut inner = self.0.lock();
        inner.state = match inner.state {
            ConnectionState::Working(others @ 2..) => ConnectionState::Working(others - 1),
            _ => ConnectionState::Idle,
        };
        drop(inner);
        self.0.changed.notify_one();
    }
}

/// A stream that reports received bytes to its tracker.
#[derive(Debug)]
pub(super) struct TrackedStream<S> {
    stream: S,
    tracker: Arc<ConnectionTracker>,
}

impl<S> TrackedStream<S> {
    pub(super) fn new(stream: S, tracker: Arc<ConnectionTracker>) -> Self {
        Self { stream, tracker }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for TrackedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.tracker.on_bytes_read();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for TrackedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_time_starts_with_first_byte() {
        let tracker = ConnectionTracker::new();
        tracker.on_bytes_read();
        assert_eq!(
            tracker.state(),
            ConnectionState::Fresh,
            "counted from the start of the connection"
        );
        let (one, two) = (tracker.begin_request(false), tracker.begin_request(false));
        assert_eq!(
            (tracker.state(), tracker.time_limit(&LimitsConfig::default())),
            (ConnectionState::Working(2), None)
        );
        drop(one);
        tracker.on_bytes_read();
        assert_eq!(tracker.state(), ConnectionState::Working(1), "a body may come");
        drop(two);
        assert_eq!(tracker.state(), ConnectionState::Idle);
        tracker.on_bytes_read();
        assert_eq!(tracker.state(), ConnectionState::ReadingHead);
    }

    #[test]
    fn idle_http2_frames_start_no_header() {
        let tracker = ConnectionTracker::new();
        drop(tracker.begin_request(true));
        tracker.on_bytes_read();
        assert_eq!(
            tracker.state(),
            ConnectionState::Idle,
            "a ping keeps nothing alive and begins nothing"
        );
    }
}
