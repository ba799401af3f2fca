//! The answer to a connection beyond a limit: come back soon.

use std::{collections::HashSet, sync::Arc, time::Duration};

use flows::network::Network;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
    time::timeout,
};

use super::connection_limits::Full;

/// The whole answer, in HTTP/1.1 (RFC 9110, section 15.6.4).
const RESPONSE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain\r\nretry-after: 5\r\n\
    connection: close\r\ncontent-length: 51\r\n\r\nToo many connections. Please try again in a moment.";
/// Clients that may be told at once. The others are cut: a refusal must not cost what a connection does.
const MAX_REPLIES: usize = 64;
/// Networks whose refusal is remembered, so that it is logged once.
const MAX_LOGGED: usize = 100;
/// How long a client may take to hear it.
const REPLY_TIMEOUT: Duration = Duration::from_secs(1);

/// Who is being refused.
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
    /// Logs it once, until there is a permit again.
    pub(super) fn log_once(&mut self, full: Full) {
        let network = match full {
            Full::Listener => None,
            Full::Network(network) => Some(network),
        };
        // How many networks there are is for strangers to choose, and no reason to fill memory or log.
        let many = network.is_some() && self.logged.len() > MAX_LOGGED;
        if many || !self.logged.insert(network) {
            return;
        }
        match network {
            None => tracing::error!(
                "alarm: as many connections as limits.connections allows; others are refused"
            ),
            Some(network) => {
                let network = network.address();
                tracing::warn!(%network, "as many connections as limits.connections_per_network allows; others of it are refused");
            }
        }
    }

    /// A client has a permit: the next refusal of its networks, or of the listener, is logged again.
    pub(super) fn reset(&mut self, networks: &[Network]) {
        if !self.logged.is_empty() {
            self.logged.remove(&None);
            for network in networks {
                self.logged.remove(&Some(*network));
            }
        }
    }

    /// Tells a client, when there is a voice left.
    pub(super) fn reply(&self, mut stream: TcpStream) -> Option<impl Future<Output = ()> + use<>> {
        let permit = Arc::clone(&self.reply_permits).try_acquire_owned().ok()?;
        Some(async move {
            let _ = timeout(REPLY_TIMEOUT, async {
                stream.write_all(RESPONSE).await?;
                stream.shutdown().await?;
                // Closing over what was not read resets the connection, and the answer is lost with it.
                let mut rest = [0; 1024];
                while stream.read(&mut rest).await? > 0 {}
                std::io::Result::Ok(())
            })
            .await;
            drop(permit);
        })
    }
}
