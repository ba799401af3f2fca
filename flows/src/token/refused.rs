//! What the trail is told about refusals of the token endpoint: enough to see what happens, and never so much that
//! somebody can fill it. An answer costs a stranger nothing, and a `client_id` is no secret.

use std::{net::IpAddr, time::Duration};

use store::{Hit, UserId};

use super::TokenError;
use crate::{Cx, Result, audit};

const WINDOW: Duration = Duration::from_mins(1);

/// Records that a registered client, or somebody who names one, was refused.
pub(crate) async fn record(
    cx: &Cx,
    client: &str,
    user: Option<UserId>,
    error: TokenError,
) -> Result<()> {
    let entry = audit::Entry::new(audit::Event::TokenRefused)
        .outcome(error.error)
        .user(user)
        .client(client)
        .detail(serde_json::json!({ "why": error.description }));
    limited(cx, entry).await
}

/// Tells the log alone about a request that names no registered client: it names nobody whom the trail could be about.
pub(crate) fn nobody(cx: &Cx, error: TokenError) {
    let (reference, network) = (&cx.trace.reference, cx.trace.network.as_deref());
    let network = network.unwrap_or("unknown");
    tracing::info!(reference, network, why = error.description, "a token request was refused");
}

/// Writes a refusal down while its network is within the limit, and once a minute that it no longer is.
pub(super) async fn limited(cx: &Cx, entry: audit::Entry<'_>) -> Result<()> {
    let limit = u64::try_from(cx.settings.refusals_per_minute).unwrap_or(u64::MAX);
    let key = format!("token-refused:{}", network(cx.trace.network.as_deref()));
    match cx.ephemeral.hit(&key, limit, WINDOW, cx.now).await {
        Hit::Within => cx.db.write(async |tx| audit::record(cx, tx, entry).await).await,
        Hit::Over { first: true, .. } => audit::network_limited(cx, "token").await,
        Hit::Over { first: false, .. } => Ok(()),
    }
}

/// The network that an address is counted under: of IPv6 the /64, which one household has whole.
fn network(address: Option<&str>) -> String {
    match address.and_then(|text| text.parse::<IpAddr>().ok()).map(|ip| ip.to_canonical()) {
        Some(IpAddr::V4(v4)) => v4.to_string(),
        Some(IpAddr::V6(v6)) => format!("{:x}/64", v6.to_bits() >> 64),
        None => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_household_is_one_network() {
        assert_eq!(network(Some("2001:db8:1:2:3:4:5:6")), network(Some("2001:db8:1:2::9")));
        assert_ne!(network(Some("2001:db8:1:2::9")), network(Some("2001:db8:1:3::9")));
        assert_eq!(network(Some("::ffff:203.0.113.9")), network(Some("203.0.113.9")));
        assert_eq!(network(None), "unknown");
    }
}
