//! Places for connections: so many in all, and so many for one network, so that nobody can take them all.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::config::{LimitsConfig, ProxiesConfig};

/// The places of one listener.
#[derive(Debug)]
pub(super) struct Places {
    most: usize,
    most_per_network: usize,
    proxies: ProxiesConfig,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    networks: HashMap<IpAddr, usize>,
}

/// A place, given back when the value is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    network: Option<IpAddr>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// The listener has no more.
    Listener,
    /// This network has as many as it may.
    Network(IpAddr),
}

impl Places {
    pub(super) fn new(limits: &LimitsConfig, proxies: ProxiesConfig) -> Arc<Self> {
        Arc::new(Self {
            most: limits.connections,
            most_per_network: limits.connections_per_network,
            proxies,
            taken: Mutex::default(),
        })
    }

    /// Takes a place for a peer. A trusted proxy brings everybody's requests and is counted in the whole alone.
    pub(super) fn take(self: &Arc<Self>, peer: IpAddr) -> Result<Place, Full> {
        let network = (!self.proxies.trusts(peer)).then(|| network(peer));
        let mut taken = self.taken();
        if taken.all >= self.most {
            return Err(Full::Listener);
        }
        if let Some(network) = network {
            let of_network = taken.networks.entry(network).or_default();
            if *of_network >= self.most_per_network {
                return Err(Full::Network(network));
            }
            *of_network += 1;
        }
        taken.all += 1;
        drop(taken);
        Ok(Place { places: Arc::clone(self), network })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// The network that it is counted for; none for a trusted proxy.
    pub(super) fn network(&self) -> Option<IpAddr> {
        self.network
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all = taken.all.saturating_sub(1);
        let Some(network) = self.network else { return };
        let left = taken.networks.get_mut(&network).map(|of_network| {
            *of_network = of_network.saturating_sub(1);
            *of_network
        });
        if left == Some(0) {
            taken.networks.remove(&network);
        }
    }
}

/// An IPv4 address, or the first 64 bits of an IPv6 one, which one household has whole.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn places(connections: usize, connections_per_network: usize) -> Arc<Places> {
        let limits =
            LimitsConfig { connections, connections_per_network, ..LimitsConfig::default() };
        Places::new(&limits, ProxiesConfig { trusted: vec!["10.0.0.0/8".parse().unwrap()] })
    }

    #[test]
    fn a_network_takes_its_own_places_alone_and_gives_them_back() {
        let places = places(10, 2);
        let household = ip("2001:db8:1:2::");
        let one = places.take(ip("2001:db8:1:2::1")).unwrap();
        let _two = places.take(ip("2001:db8:1:2:ffff::")).unwrap();
        assert_eq!(places.take(ip("2001:db8:1:2::3")).unwrap_err(), Full::Network(household));
        let _next_door = places.take(ip("2001:db8:1:3::1")).unwrap();
        let _mapped = places.take(ip("::ffff:203.0.113.9")).unwrap();
        let _same = places.take(ip("203.0.113.9")).unwrap();
        assert_eq!(places.take(ip("203.0.113.9")).unwrap_err(), Full::Network(ip("203.0.113.9")));
        drop(one);
        let _again = places.take(ip("2001:db8:1:2::3")).unwrap();
    }

    #[test]
    fn a_proxy_is_counted_in_the_whole_alone_and_nothing_stays_behind() {
        let places = places(3, 1);
        let taken: Vec<_> = (0..3).map(|_| places.take(ip("10.0.0.1")).unwrap()).collect();
        assert_eq!(places.take(ip("203.0.113.9")).unwrap_err(), Full::Listener);
        drop(taken);
        drop(places.take(ip("203.0.113.9")).unwrap());
        let left = places.taken();
        assert_eq!((left.all, left.networks.len()), (0, 0));
    }
}
