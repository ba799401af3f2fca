//! The client's address: the right-most hop that is not a proxy of ours (misuse case 51).

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::HeaderMap;

use crate::config::ProxiesConfig;

/// The client's address; none if a trusted proxy sends an invalid one. A caller that decides by network must then refuse
/// the request, not skip the check.
///
/// `X-Forwarded-For` is read only if the peer itself is a trusted proxy, and then from the right. A header without any text
/// names no client, as if it were absent. An empty element beside others is invalid: a proxy that could not name its client
/// may have written it, and what is left of it is the client's own text.
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
    let forwarded = headers.get_all("x-forwarded-for");
    if forwarded.iter().all(|header| header.as_bytes().trim_ascii().is_empty()) {
        return Some(peer);
    }
    let mut client = peer;
    for header in forwarded.iter().rev() {
        for hop in header.to_str().ok()?.split(',').rev() {
            client = parse_hop(hop.trim())?.to_canonical();
            if !proxies.trusts(client) {
                return Some(client);
            }
        }
    }
    Some(client)
}

/// An address as proxies write it: with or without the client's port, IPv6 with or without brackets (the spellings of RFC
/// 7239, section 6; some proxies use them in `X-Forwarded-For`).
fn parse_hop(text: &str) -> Option<IpAddr> {
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok();
    // `SocketAddr` would read a zone, too, which only has a meaning on the proxy.
    let with_port = || Some(text.parse::<SocketAddr>().ok().filter(|_| !text.contains('%'))?.ip());
    text.parse().ok().or_else(|| bracketed().map(IpAddr::V6)).or_else(with_port)
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
    }

    #[test]
    fn hop_may_have_port_or_brackets() {
        for hop in ["203.0.113.7:51234", "::ffff:203.0.113.7", "[::ffff:203.0.113.7]:443"] {
            assert_eq!(walk("10.0.0.1", &[hop]).as_deref(), Some("203.0.113.7"), "{hop}");
        }
        for hop in ["2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:51234", " [2001:DB8::1]:1 "] {
            assert_eq!(walk("10.0.0.1", &[hop]).as_deref(), Some("2001:db8::1"), "{hop}");
        }
        assert_eq!(
            walk("10.0.0.1", &["198.51.100.4, 203.0.113.7:443, 10.0.0.2:8080"]).as_deref(),
            Some("203.0.113.7"),
            "a proxy of ours is one with a port, too"
        );
    }

    #[test]
    fn unreadable_hop_hides_the_client() {
        for hop in [
            "a",
            "unknown",
            "_hidden",
            "203.0.113.9, ",
            "203.0.113.9, 203.0.113",
            "203.0.113.7:",
            "203.0.113.7:x",
            "203.0.113.7:99999",
            "[203.0.113.7]",
            "[203.0.113.7]:443",
            "[2001:db8::1",
            "2001:db8::1]:443",
            "[2001:db8::1]443",
            "[fe80::1%5]:443",
            "\"[2001:db8::1]:443\"",
            "login.example.org:443",
        ] {
            assert_eq!(walk("10.0.0.1", &[hop]), None, "{hop}");
        }
        assert_eq!(walk("10.0.0.1", &["203.0.113.9", ""]), None, "the last proxy wrote nothing");
    }

    #[test]
    fn empty_forwarded_header_counts_as_absent() {
        for empty in [&[""][..], &["  "], &["", ""]] {
            assert_eq!(walk("10.0.0.1", empty).as_deref(), Some("10.0.0.1"), "{empty:?}");
        }
        assert_eq!(walk("203.0.113.9", &[""]).as_deref(), Some("203.0.113.9"));
    }
}
