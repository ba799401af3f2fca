//! `[proxies]`: the proxies whose forwarding headers are trusted.

use std::net::IpAddr;

use ipnet::IpNet;

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
    if parsed.prefix_len() == 0 {
        return Err(format!(
            "`{text}` trusts every address, so that any client can forge its own; name your proxies"
        ));
    }
    Ok(parsed)
}
