//! Places for connections: so many in all, and so many for one network, so that nobody can take them all.
//!
//! An IPv6 customer may have a /48 with 65,536 networks of a household each, so the /48 is counted, too.

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
    networks: HashMap<Network, usize>,
}

/// An address and how many of its bits count.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Network(IpAddr, u8);

/// A /48 has the places of so many households.
const HOUSEHOLDS: usize = 4;

/// A place, given back when the value is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    networks: Vec<Network>,
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
        let networks = if self.proxies.trusts(peer) { Vec::new() } else { networks(peer) };
        let mut taken = self.taken();
        if taken.all >= self.most {
            return Err(Full::Listener);
        }
        for network in &networks {
            let most = self.most_per_network.saturating_mul(network.households());
            if taken.networks.get(network).is_some_and(|of_network| *of_network >= most) {
                return Err(Full::Network(network.0));
            }
        }
        for network in &networks {
            *taken.networks.entry(*network).or_default() += 1;
        }
        taken.all += 1;
        drop(taken);
        Ok(Place { places: Arc::clone(self), networks })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// The networks that it is counted for; none for a trusted proxy.
    pub(super) fn networks(&self) -> impl Iterator<Item = IpAddr> {
        self.networks.iter().map(|network| network.0)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all = taken.all.saturating_sub(1);
        for network in &self.networks {
            let left = taken.networks.get_mut(network).map(|of_network| {
                *of_network = of_network.saturating_sub(1);
                *of_network
            });
            if left == Some(0) {
                taken.networks.remove(network);
            }
        }
    }
}

impl Network {
    const fn households(self) -> usize {
        if self.1 == 48 { HOUSEHOLDS } else { 1 }
    }
}

/// An IPv4 address; of an IPv6 one the first 64 bits, which one household has whole, and the first 48.
fn networks(peer: IpAddr) -> Vec<Network> {
    match peer.to_canonical() {
        IpAddr::V6(v6) => {
            let first = |bits: u8| {
                let rest = u128::MAX.checked_shr(u32::from(bits)).unwrap_or(0);
                Network(Ipv6Addr::from_bits(v6.to_bits() & !rest).into(), bits)
            };
            vec![first(64), first(48)]
        }
        v4 @ IpAddr::V4(_) => vec![Network(v4, 32)],
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
    fn a_customer_with_many_networks_has_the_places_of_four_households() {
        let places = places(100, 2);
        let take = |network: u16| places.take(ip(&format!("2001:db8:1:{network:x}::1")));
        let taken: Vec<_> = (0..8).map(|nth| take(nth).unwrap()).collect();
        assert_eq!(take(9).unwrap_err(), Full::Network(ip("2001:db8:1::")));
        let _next_door = places.take(ip("2001:db8:2::1")).unwrap();
        drop(taken);
        drop(take(9).unwrap());
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
