//! What the trail is told about refusals of clients: enough to see what happens, and never so much that a stranger can fill
//! it. An answer costs a stranger nothing, and a `client_id` is no secret.

use std::time::Duration;

use store::{Hit, UserId};

use crate::{Cx, Result, audit, network, oauth_error::TokenError};

const WINDOW: Duration = Duration::from_mins(1);

/// Records that a registered client, or a caller that names one, was refused.
pub(crate) async fn record(
    cx: &Cx,
    client: &str,
    user: Option<UserId>,
    error: &TokenError,
) -> Result<()> {
    let entry = audit::Entry::new(audit::Event::TokenRefused)
        .outcome(error.error)
        .user(user)
        .client(client)
        .detail(serde_json::json!({ "why": error.description }));
    limited(cx, entry).await
}

/// Tells the log alone about a request that names no registered client: the trail would say no more than the log.
pub(crate) fn log_alone(cx: &Cx, error: &TokenError) {
    let reference = &cx.trace.reference;
    let network = cx.trace.network_text();
    tracing::info!(reference, network, why = %error.description, "a token request was refused");
}

/// Writes a refusal down while its network is within the limit, and once a minute that it no longer is.
pub(crate) async fn limited(cx: &Cx, entry: audit::Entry<'_>) -> Result<()> {
    let limit = u64::try_from(cx.settings.refusals_per_minute).unwrap_or(u64::MAX);
    let name = network::smallest(cx);
    let key = format!("token-refused:{name}");
    match cx.ephemeral.hit(&key, limit, WINDOW, cx.now).await {
        Hit::Within => cx.db.write(async |tx| audit::record(cx, tx, entry).await).await,
        Hit::Over { first: true, .. } => {
            let detail = serde_json::json!({ "limit": "token", "network": name });
            // Whom and whose: of the refusal that is the first not to be written down.
            let entry = entry.instead(audit::Event::NetworkLimited).outcome("refused");
            let entry = entry.detail(detail);
            cx.db.write(async |tx| audit::record(cx, tx, entry).await).await
        }
        Hit::Over { first: false, .. } => Ok(()),
    }
}
