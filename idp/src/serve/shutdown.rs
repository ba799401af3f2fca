//! The stop signal of a process, and the stages of its shutdown.

use std::io;

use tokio::sync::mpsc;

/// What a listener does at each stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ShutdownStage {
    /// It serves.
    Serving,
    /// It still serves, but answers of HTTP/1.1 have `connection: close`.
    Unready,
    /// It accepts no connections and finishes open requests.
    Draining,
    /// It waits for no more data: open requests are cancelled and answered.
    HardStop,
}

/// The source of stop signals: the first one finishes requests in flight, the second one is a hard stop.
#[derive(Debug)]
pub struct StopSignal(mpsc::UnboundedReceiver<()>);

impl StopSignal {
    /// SIGTERM, or SIGINT from a terminal.
    ///
    /// # Errors
    /// No handler can be installed for the signals.
    #[cfg(unix)]
    pub(crate) fn signals() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let (sender, stop) = Self::manual();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                if sender.send(()).is_err() {
                    return;
                }
            }
        });
        Ok(stop)
    }

    /// Ctrl-C.
    ///
    /// # Errors
    /// None on this platform.
    #[cfg(not(unix))]
    pub(crate) fn signals() -> io::Result<Self> {
        let (sender, stop) = Self::manual();
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() && sender.send(()).is_ok() {}
        });
        Ok(stop)
    }

    /// A stop signal that is sent by the returned sender.
    #[must_use]
    pub fn manual() -> (mpsc::UnboundedSender<()>, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (sender, Self(receiver))
    }

    /// Waits for the next signal.
    pub(super) async fn wait(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

/// Waits for the hard stop.
pub(super) async fn until_hard_stop(mut stage: tokio::sync::watch::Receiver<ShutdownStage>) {
    let _ = stage.wait_for(|stage| *stage == ShutdownStage::HardStop).await;
}
