//! Networks, the unit of limits: an IPv4 address, an IPv6 /64 and an IPv6 /48.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

use serde::{Deserialize, Serialize};

/// The size of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum NetworkSize {
    /// One IPv4 address: a household, or thousands of people behind the NAT of a provider or a hospital.
    Ipv4,
    /// An IPv6 /64: the usual prefix of one household.
    Ipv6Slash64,
    /// An IPv6 /48: the most that a customer usually has, 65,536 of the /64.
    Ipv6Slash48,
}

impl fmt::Display for NetworkSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipv4 => "IPv4 address",
            Self::Ipv6Slash64 => "IPv6 /64",
            Self::Ipv6Slash48 => "IPv6 /48",
        })
    }
}

/// An IP network: a size, and an address whose bits beyond that size are zero. Displayed as `203.0.113.9` or
/// `2001:db8:1:2::/64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    size: NetworkSize,
}

impl Network {
    /// The networks that contain an address, the smallest first: one for IPv4, a /64 and its /48 for IPv6. An IPv4 address
    /// that is mapped into IPv6 (RFC 4291, section 2.5.5.2) is the IPv4 address.
    #[must_use]
    pub fn containing(address: IpAddr) -> Vec<Self> {
        match address.to_canonical() {
            address @ IpAddr::V4(_) => vec![Self { address, size: NetworkSize::Ipv4 }],
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                let network =
                    |d, size| Self { address: Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into(), size };
                vec![network(d, NetworkSize::Ipv6Slash64), network(0, NetworkSize::Ipv6Slash48)]
            }
        }
    }

    /// Its first address.
    #[must_use]
    pub const fn address(self) -> IpAddr {
        self.address
    }

    /// Its size.
    #[must_use]
    pub const fn size(self) -> NetworkSize {
        self.size
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.size {
            NetworkSize::Ipv4 => write!(f, "{}", self.address),
            NetworkSize::Ipv6Slash64 => write!(f, "{}/64", self.address),
            NetworkSize::Ipv6Slash48 => write!(f, "{}/48", self.address),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_counts_as_64_and_48() {
        let of = |text: &str| Network::containing(text.parse().unwrap());
        let names = |text| of(text).iter().map(Network::to_string).collect::<Vec<_>>();
        assert_eq!(names("2001:db8:1:2:3:4:5:6"), ["2001:db8:1:2::/64", "2001:db8:1::/48"]);
        assert_eq!(of("2001:db8:1:2::9"), of("2001:db8:1:2:ffff::"));
        assert_eq!(of("2001:db8:1:3::9")[1], of("2001:db8:1:2::9")[1]);
        assert_ne!(of("2001:db8:1::9")[0], of("2001:db8:1::9")[1], "one address, two sizes");
        assert_eq!(names("::ffff:203.0.113.9"), ["203.0.113.9"]);
        assert_eq!(of("::ffff:203.0.113.9")[0].size(), NetworkSize::Ipv4);
    }
}
