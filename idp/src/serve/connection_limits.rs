//! Limits on open connections, in total and for one network, so that one client cannot take them all.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use flows::network::Network;

use super::network_counts::{CountLimits, Full, NetworkCounts};
use crate::config::{LimitsConfig, ProxiesConfig};

/// The limits of one listener, and its open connections.
#[derive(Debug)]
pub(super) struct ConnectionLimits {
    limits: CountLimits,
    proxies: ProxiesConfig,
    open: Mutex<NetworkCounts>,
}

/// Permission for one connection, released when the value is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    limits: Arc<ConnectionLimits>,
    networks: Vec<Network>,
}

impl ConnectionLimits {
    pub(super) fn new(limits: &LimitsConfig, proxies: ProxiesConfig) -> Arc<Self> {
        let limits =
            CountLimits { all: limits.connections, per_network: limits.connections_per_network };
        Arc::new(Self { limits, proxies, open: Mutex::default() })
    }

    /// Takes a permit for a connection from `peer`. A trusted proxy sends the requests of many clients, so its connections
    /// count against the listener's limit only.
    pub(super) fn acquire(self: &Arc<Self>, peer: IpAddr) -> Result<Permit, Full> {
        let networks =
            if self.proxies.trusts(peer) { Vec::new() } else { Network::containing(peer) };
        let mut open = self.lock();
        if let Some(full) = open.reached(self.limits, &networks) {
            return Err(full);
        }
        open.add(&networks);
        drop(open);
        Ok(Permit { limits: Arc::clone(self), networks })
    }

    fn lock(&self) -> MutexGuard<'_, NetworkCounts> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// The networks that it counts against; none for a trusted proxy.
    pub(super) fn networks(&self) -> &[Network] {
        &self.networks
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.limits.lock().remove(&self.networks);
    }
}

#[cfg(test)]
mod tests {
    use flows::network::NetworkSize;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// The limit of the network of this size that contains an address.
    fn full(text: &str, size: NetworkSize) -> Full {
        let networks = Network::containing(ip(text));
        Full::Network(networks.into_iter().find(|network| network.size() == size).unwrap())
    }

    fn limits(connections: usize, connections_per_network: usize) -> Arc<ConnectionLimits> {
        let limits =
            LimitsConfig { connections, connections_per_network, ..LimitsConfig::default() };
        let proxies = ProxiesConfig { trusted: vec!["10.0.0.0/8".parse().unwrap()] };
        ConnectionLimits::new(&limits, proxies)
    }

    #[test]
    fn permits_are_counted_per_network() {
        let limits = limits(10, 2);
        let household = full("2001:db8:1:2::", NetworkSize::Ipv6Slash64);
        let one = limits.acquire(ip("2001:db8:1:2::1")).unwrap();
        let _two = limits.acquire(ip("2001:db8:1:2:ffff::")).unwrap();
        assert_eq!(limits.acquire(ip("2001:db8:1:2::3")).unwrap_err(), household);
        let _next_door = limits.acquire(ip("2001:db8:1:3::1")).unwrap();
        let _mapped = limits.acquire(ip("::ffff:203.0.113.9")).unwrap();
        let _same = limits.acquire(ip("203.0.113.9")).unwrap();
        let address = full("203.0.113.9", NetworkSize::Ipv4);
        assert_eq!(limits.acquire(ip("203.0.113.9")).unwrap_err(), address);
        drop(one);
        let _again = limits.acquire(ip("2001:db8:1:2::3")).unwrap();
    }

    #[test]
    fn ipv6_48_has_fourfold_permits() {
        let limits = limits(100, 2);
        let acquire = |network: u16| limits.acquire(ip(&format!("2001:db8:1:{network:x}::1")));
        let taken: Vec<_> = (0..8).map(|nth| acquire(nth).unwrap()).collect();
        assert_eq!(acquire(9).unwrap_err(), full("2001:db8:1::", NetworkSize::Ipv6Slash48));
        let _next_door = limits.acquire(ip("2001:db8:2::1")).unwrap();
        drop(taken);
        drop(acquire(9).unwrap());
    }

    #[test]
    fn proxy_counts_against_listener_only() {
        let limits = limits(3, 1);
        let taken: Vec<_> = (0..3).map(|_| limits.acquire(ip("10.0.0.1")).unwrap()).collect();
        assert_eq!(limits.acquire(ip("203.0.113.9")).unwrap_err(), Full::Listener);
        drop(taken);
        drop(limits.acquire(ip("203.0.113.9")).unwrap());
        assert!(limits.lock().is_empty(), "nothing stays behind");
    }
}
