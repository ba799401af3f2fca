//! The limit on posts per network, before anything is hashed (decision 4).

use std::{net::IpAddr, time::Duration};

use flows::Trace;
use store::Hit;

use crate::{app::App, http::error::Failure};

const WINDOW: Duration = Duration::from_mins(1);

/// Counts a post. Nobody may post without a network: unknown means refuse, not skip (misuse case 51).
pub(super) async fn posts(
    app: &App,
    address: Option<IpAddr>,
    trace: &Trace,
) -> Result<(), Failure> {
    let Some(address) = address else { return Err(Failure::UnknownNetwork) };
    let limit = u64::try_from(app.live.snapshot().settings.posts_per_minute).unwrap_or(u64::MAX);
    let key = format!("post:{}", network(address));
    match app.ephemeral.hit(&key, limit, WINDOW, app.clock.now()).await {
        Hit::Within => Ok(()),
        Hit::Over { after, first } => {
            if first {
                record(app, trace).await;
            }
            Err(Failure::TooMany(after))
        }
    }
}

/// One row per network and minute. The refusal stands when it cannot be written.
async fn record(app: &App, trace: &Trace) {
    if let Err(error) = flows::audit::network_limited(&app.cx(trace.clone()), "posts").await {
        tracing::error!(%error, "a limited network is not in the audit trail");
    }
}

/// The network that an address is counted under: the address itself, or an IPv6 /64, which one household has whole.
pub(super) fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_household_is_one_network() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(of("2001:db8:1:2::9"), of("2001:db8:1:2:ffff::"));
        assert_eq!(of("::ffff:203.0.113.9"), "203.0.113.9");
    }
}
