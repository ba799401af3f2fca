//! `[proxies]`: the proxies whose forwarding headers are trusted.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use super::reader::Reader;

/// The networks of our own proxies. If empty, the peer of the connection is the client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxiesConfig {
    /// Networks whose `X-Forwarded-For` is used.
    pub trusted: Vec<IpNet>,
}

impl ProxiesConfig {
    pub(super) fn read(reader: &mut Reader) -> Option<Self> {
        let texts = reader.list("proxies.trusted")?;
        let trusted: Result<Vec<_>, _> = texts.iter().map(|text| parse_network(text)).collect();
        trusted
            .map(|trusted| Self { trusted })
            .map_err(|why| reader.add_problem("proxies.trusted", why))
            .ok()
    }

    /// Whether `address` is one of our proxies. An IPv4 address inside IPv6 counts as IPv4.
    #[must_use]
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted.iter().any(|network| network.contains(&address))
    }
}

fn parse_network(text: &str) -> Result<IpNet, String> {
    let parsed =
        text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(
            |_| format!("`{text}` is not a network; write it as `10.0.0.0/8` or `fd00::/8`"),
        )?;
    let parsed = canonical_network(parsed);
    if parsed.prefix_len() == 0 {
        return Err(format!(
            "`{text}` trusts every address, so that any client can forge its own; name your proxies"
        ));
    }
    Ok(parsed)
}

/// An IPv4 network that is written inside IPv6 (RFC 4291, section 2.5.5.2) as IPv4: addresses are compared in that form.
fn canonical_network(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else { return network };
    let mapped = v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96));
    mapped
        .and_then(|(address, length)| Ipv4Net::new(address, length).ok())
        .map_or(network, IpNet::V4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_network_trusts_ipv4_address() {
        let trusted =
            ["::ffff:10.0.0.0/104", "::ffff:192.0.2.7"].map(|t| parse_network(t).unwrap());
        let proxies = ProxiesConfig { trusted: trusted.to_vec() };
        for (address, is_trusted) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
        ] {
            assert_eq!(proxies.trusts(address.parse().unwrap()), is_trusted, "{address}");
        }
        for text in ["10.0.0.1:8080", "[fd00::1]:8080", "::ffff:0.0.0.0/96", "lb.internal"] {
            assert!(parse_network(text).is_err(), "{text}");
        }
    }
}
