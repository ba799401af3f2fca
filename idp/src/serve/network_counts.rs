//! Counts in total and for each network, and their limits.
//!
//! One IPv6 customer may have a /48, which contains 65,536 networks /64, so the /48 is counted, too.

use std::collections::HashMap;

use flows::network::{Network, NetworkSize};

/// A /48 may have as many as this many networks /64.
const HOUSEHOLDS: usize = 4;

/// How many there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CountLimits {
    /// In total.
    pub(super) all: usize,
    /// From an IPv4 address or an IPv6 /64.
    pub(super) per_network: usize,
}

impl CountLimits {
    const fn of_network(self, network: Network) -> usize {
        let households = match network.size() {
            NetworkSize::Ipv6Slash48 => HOUSEHOLDS,
            NetworkSize::Ipv4 | NetworkSize::Ipv6Slash64 => 1,
        };
        self.per_network.saturating_mul(households)
    }
}

/// Which limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Full {
    /// The limit of the listener.
    Listener,
    /// The limit of this network.
    Network(Network),
}

/// How many there are.
#[derive(Debug, Default)]
pub(super) struct NetworkCounts {
    all: usize,
    networks: HashMap<Network, usize>,
}

impl NetworkCounts {
    /// The limit that leaves no room for one more of these networks.
    pub(super) fn reached(&self, limits: CountLimits, networks: &[Network]) -> Option<Full> {
        if self.all >= limits.all {
            return Some(Full::Listener);
        }
        let is_full = |network: &&Network| {
            self.networks.get(network).is_some_and(|count| *count >= limits.of_network(**network))
        };
        networks.iter().find(is_full).map(|network| Full::Network(*network))
    }

    /// Counts one of these networks.
    pub(super) fn add(&mut self, networks: &[Network]) {
        self.all += 1;
        for network in networks {
            *self.networks.entry(*network).or_default() += 1;
        }
    }

    /// Takes back an [`Self::add`].
    pub(super) fn remove(&mut self, networks: &[Network]) {
        self.all = self.all.saturating_sub(1);
        for network in networks {
            let left = self.networks.get_mut(network).map(|count| {
                *count = count.saturating_sub(1);
                *count
            });
            if left == Some(0) {
                self.networks.remove(network);
            }
        }
    }

    /// Whether a limit is at least half free again.
    pub(super) fn is_half_free(&self, limits: CountLimits, of: Full) -> bool {
        match of {
            Full::Listener => self.all <= limits.all / 2,
            Full::Network(network) => {
                let count = self.networks.get(&network).copied().unwrap_or_default();
                count <= limits.of_network(network) / 2
            }
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.all == 0 && self.networks.is_empty()
    }
}
