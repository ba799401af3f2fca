//! The client's address: the right-most hop that is not a proxy of ours (misuse case 51).

use std::net::IpAddr;

use axum::http::HeaderMap;

use crate::config::ProxiesConfig;

/// The client's address; none if a trusted proxy sends an invalid one. A caller that decides by network must then refuse
/// the request, not skip the check.
///
/// `X-Forwarded-For` is read only if the peer itself is a trusted proxy, and then from the right.
#[must_use]
pub fn client_address(
    peer: IpAddr,
    headers: &HeaderMap,
    proxies: &ProxiesConfig,
) -> Option<IpAddr> {
    let peer = peer.to_canonical();
    if !proxies.trusts(peer) {
        return Some(peer);
    }
    let mut client = peer;
    for header in headers.get_all("x-forwarded-for").iter().rev() {
        for hop in header.to_str().ok()?.split(',').rev() {
            client = hop.trim().parse::<IpAddr>().ok()?.to_canonical();
            if !proxies.trusts(client) {
                return Some(client);
            }
        }
    }
    Some(client)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(peer: &str, forwarded: &[&str]) -> Option<String> {
        let proxies = ProxiesConfig { trusted: vec!["10.0.0.0/8".parse().unwrap()] };
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        client_address(peer.parse().unwrap(), &headers, &proxies).map(|ip| ip.to_string())
    }

    #[test]
    fn forwarded_for_needs_trusted_proxy() {
        assert_eq!(walk("203.0.113.9", &["1.2.3.4"]).as_deref(), Some("203.0.113.9"));
        assert_eq!(walk("10.0.0.1", &["1.2.3.4, 203.0.113.9"]).as_deref(), Some("203.0.113.9"));
        assert_eq!(
            walk("10.0.0.1", &["1.2.3.4", "203.0.113.9, 10.0.0.2"]).as_deref(),
            Some("203.0.113.9")
        );
        assert_eq!(
            walk("::ffff:10.0.0.1", &["::ffff:203.0.113.9"]).as_deref(),
            Some("203.0.113.9")
        );
        assert_eq!(walk("10.0.0.1", &[]).as_deref(), Some("10.0.0.1"));
        assert_eq!(walk("10.0.0.1", &["a"]), None);
        assert_eq!(walk("10.0.0.1", &["203.0.113.9, "]), None);
    }
}
