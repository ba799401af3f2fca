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
const ANSWER: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain\r\nretry-after: 5\r\n\
    connection: close\r\ncontent-length: 51\r\n\r\nToo many connections. Please try again in a moment.";
/// Clients that may be told at once. The others are cut: a refusal must not cost what a connection does.
const AT_ONCE: usize = 64;
/// Networks whose refusal is remembered, so that it is logged once.
const MOST_TOLD: usize = 100;
/// How long a client may take to hear it.
const HEARD_WITHIN: Duration = Duration::from_secs(1);

/// Who is being refused.
#[derive(Debug)]
pub(super) struct Refusals {
    voices: Arc<Semaphore>,
    told: HashSet<Option<Network>>,
}

impl Default for Refusals {
    fn default() -> Self {
        Self { voices: Arc::new(Semaphore::new(AT_ONCE)), told: HashSet::new() }
    }
}

impl Refusals {
    /// Logs it once, until there is a permit again.
    pub(super) fn tell(&mut self, full: Full) {
        let network = match full {
            Full::Listener => None,
            Full::Network(network) => Some(network),
        };
        // How many networks there are is for strangers to choose, and no reason to fill memory or log.
        let many = network.is_some() && self.told.len() > MOST_TOLD;
        if many || !self.told.insert(network) {
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
    pub(super) fn none(&mut self, networks: &[Network]) {
        if !self.told.is_empty() {
            self.told.remove(&None);
            for network in networks {
                self.told.remove(&Some(*network));
            }
        }
    }

    /// Tells a client, when there is a voice left.
    pub(super) fn answer(&self, mut stream: TcpStream) -> Option<impl Future<Output = ()> + use<>> {
        let voice = Arc::clone(&self.voices).try_acquire_owned().ok()?;
        Some(async move {
            let _ = timeout(HEARD_WITHIN, async {
                stream.write_all(ANSWER).await?;
                stream.shutdown().await?;
                // Closing over what was not read resets the connection, and the answer is lost with it.
                let mut rest = [0; 1024];
                while stream.read(&mut rest).await? > 0 {}
                std::io::Result::Ok(())
            })
            .await;
            drop(voice);
        })
    }
}
