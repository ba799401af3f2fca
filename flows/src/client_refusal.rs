//! What the trail records of refusals at the token endpoint: enough for an investigation, and never so much that an attacker
//! can fill it. A refused call costs its sender nothing, and a `client_id` is no secret.

use std::time::Duration;

use store::{HitResult, UserId};

use crate::{
    Cx, Result,
    audit::{self, event, outcome::Refused},
    network,
    oauth_error::TokenError,
};

const WINDOW: Duration = Duration::from_mins(1);

/// Records that a registered client, or a caller that names one, was refused.
pub(crate) async fn record(
    cx: &Cx,
    client: &str,
    user: Option<UserId>,
    error: &TokenError,
) -> Result<()> {
    let refused = event::TokenRefused { why: error.description.clone().into_owned() };
    let entry = audit::AuditEntry::new(refused, error.error).user(user).client(client);
    record_limited(cx, entry).await
}

/// Logs the refusal of a request that names no registered client: the trail has no subject for it.
pub(crate) fn log_unattributed(cx: &Cx, error: &TokenError) {
    let reference = &cx.trace.reference;
    let network = cx.trace.client_address_text();
    tracing::info!(reference, network, why = %error.description, "a token request was refused");
}

/// Records a refusal while its network is within the limit, and beyond it once a minute that there were more.
pub(crate) async fn record_limited(cx: &Cx, entry: audit::AuditEntry<'_>) -> Result<()> {
    let limit = u64::try_from(cx.settings.refusals_per_minute).unwrap_or(u64::MAX);
    let name = network::smallest(cx);
    let key = format!("token-refused:{name}");
    match cx.ephemeral.hit(&key, limit, WINDOW, cx.now).await {
        HitResult::Within => cx.db.write(async |tx| audit::record(cx, tx, entry).await).await,
        HitResult::Over { is_first: true, .. } => {
            let limited = event::NetworkLimited { limit: "token", size: None, network: name };
            // User and client are those of the first refusal that is not recorded.
            let entry = entry.with_event(limited, Refused::Refused);
            cx.db.write(async |tx| audit::record(cx, tx, entry).await).await
        }
        HitResult::Over { is_first: false, .. } => Ok(()),
    }
}
