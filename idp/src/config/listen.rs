//! `[listen]`: the addresses that we bind.

use std::net::SocketAddr;

use super::reader::Reader;

/// The two listeners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenConfig {
    /// The listener for browsers and clients. Default `0.0.0.0:8080`.
    pub public: SocketAddr,
    /// The listener for health, readiness and metrics, not for the public. Default `127.0.0.1:9090`.
    pub ops: SocketAddr,
}

impl ListenConfig {
    pub(super) fn read(reader: &mut Reader) -> Option<Self> {
        let public = reader.or_default(
            "listen.public",
            SocketAddr::from(([0, 0, 0, 0], 8080)),
            parse_address,
        );
        let ops = reader.or_default(
            "listen.ops",
            SocketAddr::from(([127, 0, 0, 1], 9090)),
            parse_address,
        );
        let listen = Self { public: public?, ops: ops? };
        if listen.public == listen.ops && listen.public.port() != 0 {
            reader.add_problem(
                "listen.ops",
                "is the address of listen.public; give it one of its own",
            );
            return None;
        }
        Some(listen)
    }
}

fn parse_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!(
            "`{text}` is not an address with a port; write it as `127.0.0.1:8080` or `[::1]:8080`"
        )
    })
}
