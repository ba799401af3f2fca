//! How a process is asked to stop, and how far it has come.

use std::io;

use tokio::sync::mpsc;

/// What a listener does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ShutdownStage {
    /// It serves.
    Serving,
    /// It serves, and asks whoever comes to come elsewhere next time.
    Unready,
    /// It takes nobody in and finishes what is inside.
    Draining,
    /// It waits for nothing more: what is inside is answered as it is.
    HardStop,
}

/// Who asks this process to stop: once to finish what is in flight, twice to end at once.
#[derive(Debug)]
pub struct StopSignal(mpsc::UnboundedReceiver<()>);

impl StopSignal {
    /// SIGTERM, or SIGINT from a terminal.
    ///
    /// # Errors
    /// The signals cannot be heard.
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
        let (sender, stop) = Self::by_hand();
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() && sender.send(()).is_ok() {}
        });
        Ok(stop)
    }

    /// Whoever holds the sender.
    #[must_use]
    pub fn manual() -> (mpsc::UnboundedSender<()>, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (sender, Self(receiver))
    }

    /// Waits to be asked, once more.
    pub(super) async fn wait(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}
