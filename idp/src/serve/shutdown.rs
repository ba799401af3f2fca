//! How a process is asked to stop, and how far it has come.

use std::io;

use tokio::sync::mpsc;

/// What a listener does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// It serves.
    Open,
    /// It serves, and asks whoever comes to come elsewhere next time.
    Leaving,
    /// It takes nobody in and finishes what is inside.
    Closing,
    /// It waits for nothing more: what is inside is answered as it is.
    Halting,
}

/// Who asks this process to stop: once to finish what is in flight, twice to end at once.
#[derive(Debug)]
pub struct Stop(mpsc::UnboundedReceiver<()>);

impl Stop {
    /// SIGTERM, or SIGINT from a terminal.
    ///
    /// # Errors
    /// The signals cannot be heard.
    #[cfg(unix)]
    pub(crate) fn signals() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let (sender, stop) = Self::by_hand();
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
    pub fn by_hand() -> (mpsc::UnboundedSender<()>, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (sender, Self(receiver))
    }

    /// Waits to be asked, once more.
    pub(super) async fn asked(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}
