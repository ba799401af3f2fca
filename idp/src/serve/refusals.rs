//! The answer to a connection over a limit: 503 with `retry-after`.

use std::{collections::HashSet, sync::Arc, time::Duration};

use flows::network::Network;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
    time::timeout,
};

use super::network_counts::Full;

/// The whole answer, in HTTP/1.1 (RFC 9110, section 15.6.4).
const RESPONSE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain\r\nretry-after: 5\r\n\
    connection: close\r\ncontent-length: 51\r\n\r\nToo many connections. Please try again in a moment.";
/// The most refusals that are written at once. Further connections are closed without an answer: rejecting must be cheap.
const MAX_REPLIES: usize = 64;
/// The most networks whose refusal is remembered, so that it is logged once.
const MAX_LOGGED: usize = 100;
/// How long a client may take to read the answer.
const REPLY_TIMEOUT: Duration = Duration::from_secs(1);

/// The refusals of a listener: those being written, and those already logged.
#[derive(Debug)]
pub(super) struct Refusals {
    reply_permits: Arc<Semaphore>,
    logged: HashSet<Option<Network>>,
}

impl Default for Refusals {
    fn default() -> Self {
        Self { reply_permits: Arc::new(Semaphore::new(MAX_REPLIES)), logged: HashSet::new() }
    }
}

impl Refusals {
    /// Logs a refusal once, until `reset`.
    pub(super) fn log_once(&mut self, full: Full) {
        let network = match full {
            Full::Listener => None,
            Full::Network(network) => Some(network),
        };
        // Clients choose the number of networks, so memory and log lines need a bound.
        let many = network.is_some() && self.logged.len() > MAX_LOGGED;
        if many || !self.logged.insert(network) {
            return;
        }
        match network {
            None => tracing::error!(
                "alarm: as many connections as limits.connections allows; further connections are refused"
            ),
            Some(network) => {
                let network = network.address();
                tracing::warn!(%network, "as many connections as limits.connections_per_network allows; further connections of this network are refused");
            }
        }
    }

    /// After a client got a permit: the next refusal of its networks, or of the listener, is logged again.
    pub(super) fn reset(&mut self, networks: &[Network]) {
        if !self.logged.is_empty() {
            self.logged.remove(&None);
            for network in networks {
                self.logged.remove(&Some(*network));
            }
        }
    }

    /// Writes the answer to a client, unless too many are being written.
    pub(super) fn reply(&self, mut stream: TcpStream) -> Option<impl Future<Output = ()> + use<>> {
        let permit = Arc::clone(&self.reply_permits).try_acquire_owned().ok()?;
        Some(async move {
            let _ = timeout(REPLY_TIMEOUT, async {
                stream.write_all(RESPONSE).await?;
                stream.shutdown().await?;
                // Closing with unread data resets the connection, and the client may lose the answer.
                let mut rest = [0; 1024];
                while stream.read(&mut rest).await? > 0 {}
                std::io::Result::Ok(())
            })
            .await;
            drop(permit);
        })
    }
}
