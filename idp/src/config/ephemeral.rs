//! `[ephemeral]`: where data that may be lost is stored (rate counters, replay ids, hints).

use url::Url;

use super::reader::{Reader, Reported};
use super::secret::Secret;

/// The store of counters.
#[derive(Clone, Debug)]
pub struct EphemeralConfig {
    /// Where the counters are. Default: the memory of this process, which only a single replica may use.
    pub url: EphemeralUrl,
}

/// `memory`, `redis://...` or `rediss://...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EphemeralUrl {
    /// The memory of this process.
    Memory,
    /// A Redis server. The address may contain a password.
    Redis(Secret),
}

impl EphemeralConfig {
    pub(super) fn read(reader: &mut Reader) -> Option<Self> {
        let url = match reader.secret("ephemeral.url", "ephemeral.url_file") {
            Ok(Some(text)) => EphemeralUrl::parse(text.reveal())
                .map_err(|why| reader.add_problem("ephemeral.url", why))
                .ok(),
            Ok(None) => Some(EphemeralUrl::Memory),
            Err(Reported) => None,
        };
        Some(Self { url: url? })
    }
}

impl EphemeralUrl {
    /// Checks an address.
    ///
    /// # Errors
    /// What to write instead, without the address itself.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "memory" {
            return Ok(Self::Memory);
        }
        let known = Url::parse(text).is_ok_and(|url| {
            matches!(url.scheme(), "redis" | "rediss")
                && url.host_str().is_some_and(|host| !host.is_empty())
        });
        if known {
            return Ok(Self::Redis(Secret::new(text.to_owned())));
        }
        Err("must be `memory`, `redis://HOST:PORT` or `rediss://USER:PASSWORD@HOST:PORT`"
            .to_owned())
    }
}
