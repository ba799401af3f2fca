//! `[limits]`: how much of a listener one client may use, so that a slow or greedy one cannot lock out others.

use std::time::Duration;

use super::parse::{parse_duration, parse_number};
use super::reader::Reader;

/// Limits of connections and requests. The size of a body is not configurable: every form of ours fits into 16 KiB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitsConfig {
    /// Open connections of one listener. Each uses a file descriptor. Default 4096.
    pub connections: usize,
    /// Open connections of one network: an IPv4 address or an IPv6 /64; four times as many from an IPv6 /48. Proxies that
    /// `proxies.trusted` names are not counted. Default 256: a whole hospital may share one address.
    pub connections_per_network: usize,
    /// How long a TLS handshake may take. Default 10 s.
    pub handshake_time: Duration,
    /// How long the head of a request may take: from the start of the connection for the first, and from its first byte
    /// for each further one. Default 10 s.
    pub header_time: Duration,
    /// How long the whole body of a request may take after its head. Default 15 s.
    pub body_time: Duration,
    /// How long a connection may be idle between requests, or take to read an answer. Default 75 s: longer than the 60 s
    /// after which common proxies close theirs, so that we never close a connection on which a proxy sends a request.
    pub idle_time: Duration,
    /// Size of a request's head in bytes: request line and headers. Default 16 KiB.
    pub header_size: u32,
    /// Concurrent streams of one HTTP/2 connection. Default 16.
    pub streams: u32,
    /// Requests in flight of one listener. A quarter of them may wait for their clients. Default 2000.
    pub requests: usize,
    /// Requests in flight of one network: an IPv4 address or an IPv6 /64; four times as many from an IPv6 /48. A
    /// quarter of them may wait for their clients. Default 128.
    pub requests_per_network: usize,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            connections: 4096,
            connections_per_network: 256,
            handshake_time: Duration::from_secs(10),
            header_time: Duration::from_secs(10),
            body_time: Duration::from_secs(15),
            idle_time: Duration::from_secs(75),
            header_size: 16 * 1024,
            streams: 16,
            requests: 2000,
            requests_per_network: 128,
        }
    }
}

impl LimitsConfig {
    pub(super) fn read(reader: &mut Reader) -> Option<Self> {
        let default = Self::default();
        let mut time = |key, default| {
            let range = Duration::from_secs(1)..=Duration::from_mins(10);
            reader.or_default(key, default, |text| parse_duration(text, &range))
        };
        let handshake_time = time("limits.handshake_time", default.handshake_time);
        let header_time = time("limits.header_time", default.header_time);
        let body_time = time("limits.body_time", default.body_time);
        let idle_time = time("limits.idle_time", default.idle_time);
        let many = 1..=1_000_000;
        // One connection must not fill the share of those that wait.
        let requests_range = 64..=100_000;
        let connections = reader.or_default("limits.connections", default.connections, |text| {
            parse_number(text, &many)
        });
        let per_network = reader.or_default(
            "limits.connections_per_network",
            default.connections_per_network,
            |text| parse_number(text, &many),
        );
        let header_size = reader.or_default("limits.header_size", default.header_size, |text| {
            parse_number(text, &(8 * 1024..=256 * 1024))
        });
        let streams = reader
            .or_default("limits.streams", default.streams, |text| parse_number(text, &(1..=1000)));
        let requests = reader.or_default("limits.requests", default.requests, |text| {
            parse_number(text, &requests_range)
        });
        let requests_per_network = reader.or_default(
            "limits.requests_per_network",
            default.requests_per_network,
            |text| parse_number(text, &requests_range),
        );
        Some(Self {
            connections: connections?,
            connections_per_network: per_network?,
            handshake_time: handshake_time?,
            header_time: header_time?,
            body_time: body_time?,
            idle_time: idle_time?,
            header_size: header_size?,
            streams: streams?,
            requests: requests?,
            requests_per_network: requests_per_network?,
        })
    }
}
