//! How long a connection may take, by what it is doing.
//!
//! ```text
//! Fresh ──▶ Working ──▶ Idle ──first byte──▶ Head ──▶ Working
//! ```
//!
//! A time begins with the state and not with each byte, so that nobody lives on by a byte now and then.

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
pub(super) enum Doing {
    /// It has not asked anything yet.
    Fresh,
    /// It has sent the beginning of a further request.
    Head,
    /// So many requests are being answered.
    Working(usize),
    /// It was answered and rests, or it takes its time to read the answer.
    Idle,
}

/// What is known of a connection, shared by its transport and its requests.
#[derive(Debug)]
pub(super) struct Watch {
    state: Mutex<State>,
    moved: Notify,
}

#[derive(Debug)]
struct State {
    doing: Doing,
    /// On a connection of many requests at once, bytes between them may be anything.
    many_at_once: bool,
}

impl Watch {
    pub(super) fn new() -> Arc<Self> {
        let state = State { doing: Doing::Fresh, many_at_once: false };
        Arc::new(Self { state: Mutex::new(state), moved: Notify::new() })
    }

    pub(super) fn doing(&self) -> Doing {
        self.state().doing
    }

    /// Waits until it does something else.
    pub(super) async fn moved(&self) {
        self.moved.notified().await;
    }

    /// How long it may go on as it does. A request that is being answered has limits of its own.
    pub(super) fn patience(&self, limits: &LimitsConfig) -> Option<Duration> {
        match self.doing() {
            Doing::Fresh | Doing::Head => Some(limits.header_time),
            Doing::Idle => Some(limits.idle_time),
            Doing::Working(_) => None,
        }
    }

    /// A request is being answered as long as the value lives.
    pub(super) fn work(self: &Arc<Self>, many_at_once: bool) -> Work {
        let mut state = self.state();
        state.many_at_once = many_at_once;
        state.doing = match state.doing {
            Doing::Working(others) => Doing::Working(others + 1),
            _ => Doing::Working(1),
        };
        drop(state);
        self.moved.notify_one();
        Work(Arc::clone(self))
    }

    fn heard(&self) {
        let mut state = self.state();
        if state.doing == Doing::Idle && !state.many_at_once {
            state.doing = Doing::Head;
            drop(state);
            self.moved.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct Work(Arc<Watch>);

impl Drop for Work {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.doing = match state.doing {
            Doing::Working(others @ 2..) => Doing::Working(others - 1),
            _ => Doing::Idle,
        };
        drop(state);
        self.0.moved.notify_one();
    }
}

/// A stream that tells when it hears something.
#[derive(Debug)]
pub(super) struct Heard<S> {
    stream: S,
    watch: Arc<Watch>,
}

impl<S> Heard<S> {
    pub(super) fn new(stream: S, watch: Arc<Watch>) -> Self {
        Self { stream, watch }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Heard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.watch.heard();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heard<S> {
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
        let watch = Watch::new();
        watch.heard();
        assert_eq!(watch.doing(), Doing::Fresh, "counted from the start of the connection");
        let (one, two) = (watch.work(false), watch.work(false));
        assert_eq!(
            (watch.doing(), watch.patience(&LimitsConfig::default())),
            (Doing::Working(2), None)
        );
        drop(one);
        watch.heard();
        assert_eq!(watch.doing(), Doing::Working(1), "a body may come");
        drop(two);
        assert_eq!(watch.doing(), Doing::Idle);
        watch.heard();
        assert_eq!(watch.doing(), Doing::Head);
    }

    #[test]
    fn idle_http2_frames_start_no_header() {
        let watch = Watch::new();
        drop(watch.work(true));
        watch.heard();
        assert_eq!(watch.doing(), Doing::Idle, "a ping keeps nothing alive and begins nothing");
    }
}
