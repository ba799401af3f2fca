//! Limits of networks (decision 4): posts and failures count apart, for an IPv4 address, an IPv6 /64 and an IPv6 /48.
//!
//! They may vanish with Redis, so nothing rests on them: what holds a person safe is counted in SQL. A completed sign-in
//! gives back what it took, and known devices do not ask here at all, so that an exit that many people share is not shut
//! by the failures of some.

mod prefix;

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use store::{HitResult, Timestamp, UserId};

pub use self::prefix::{Network, NetworkSize};
use crate::{
    Cx, Result,
    audit::{self, event, outcome::Refused},
    settings::Settings,
};

/// The window of posts.
const MINUTE: Duration = Duration::from_mins(1);
/// The window of failures. Short, because whoever shares an exit with an attacker waits for its end.
const FAILURE_WINDOW: Duration = Duration::from_mins(5);
/// Posts of a completed sign-in: one with the password, one with the code.
const POSTS_PER_SIGN_IN: i64 = 2;

/// A network that had too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimited {
    /// How large it is.
    pub size: NetworkSize,
    /// Until when.
    pub until: Timestamp,
}

/// Whom a request is about, as far as it is known when its network is found to have had too many.
#[derive(Clone, Debug, Default)]
pub(crate) struct AuditSubject {
    /// The person.
    pub(crate) user: Option<UserId>,
    /// The client.
    pub(crate) client: Option<String>,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LimitKind {
    Posts,
    Failures,
}

impl LimitKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Posts => "post",
            Self::Failures => "fail",
        }
    }

    const fn window(self) -> Duration {
        match self {
            Self::Posts => MINUTE,
            Self::Failures => FAILURE_WINDOW,
        }
    }

    fn limit(self, settings: &Settings, size: NetworkSize) -> u64 {
        let limit = match (self, size) {
            (Self::Posts, NetworkSize::Ipv4 | NetworkSize::Ipv6Slash64) => {
                settings.posts_per_minute
            }
            (Self::Posts, NetworkSize::Ipv6Slash48) => settings.posts_per_minute_ipv6_48,
            (Self::Failures, NetworkSize::Ipv4) => settings.failures_ipv4,
            (Self::Failures, NetworkSize::Ipv6Slash64) => settings.failures_ipv6_64,
            (Self::Failures, NetworkSize::Ipv6Slash48) => settings.failures_ipv6_48,
        };
        u64::try_from(limit).unwrap_or(u64::MAX)
    }
}

/// The networks of a request, the smallest first; none when its address is unknown.
fn request_networks(cx: &Cx) -> Vec<Network> {
    cx.trace.client_address.map(Network::containing).unwrap_or_default()
}

/// The smallest network of a request.
pub(crate) fn smallest(cx: &Cx) -> String {
    request_networks(cx).first().map_or_else(|| "unknown".to_owned(), Network::to_string)
}

/// By what a person's counters tell one network from another: in IPv6 by the /48, because a household may have 256 of the
/// /64, and with two of them would spend what all strangers have.
pub(crate) fn throttle_key(cx: &Cx) -> String {
    request_networks(cx).last().map_or_else(|| "unknown".to_owned(), Network::to_string)
}

/// Counts a post; says so when one of the request's networks had too many. Its form is not read yet, so nobody knows whom
/// it is about.
pub async fn count_post(cx: &Cx) -> Result<Option<RateLimited>> {
    count(cx, LimitKind::Posts, async || Ok(AuditSubject::default())).await
}

/// Counts a failure before anything is judged; says so when one of the request's networks had too many, and then nothing
/// is judged. `about` is asked only when that goes into the trail.
pub(crate) async fn count_failure(
    cx: &Cx,
    about: impl AsyncFnOnce() -> Result<AuditSubject>,
) -> Result<Option<RateLimited>> {
    count(cx, LimitKind::Failures, about).await
}

/// Counts a post of a known device of an account, or of somebody who has proven both steps. They have a number of their
/// own; says so when there were too many.
pub(crate) async fn count_account_post(cx: &Cx, account: &keys::AccountKey) -> Option<RateLimited> {
    // An HMAC: what lies in Redis tells nobody's address.
    let name = BASE64_URL_SAFE_NO_PAD.encode(account);
    let limit = u64::try_from(cx.settings.posts_per_minute_device).unwrap_or(u64::MAX);
    match cx.ephemeral.hit(&format!("post:device:{name}"), limit, MINUTE, cx.now).await {
        HitResult::Within => None,
        HitResult::Over { retry_after: after, .. } => {
            let size =
                request_networks(cx).first().map_or(NetworkSize::Ipv4, |network| network.size());
            Some(RateLimited { size, until: cx.now.plus(after) })
        }
    }
}

/// Gives back a failure that was none.
pub(crate) async fn refund_failure(cx: &Cx) {
    refund(cx, LimitKind::Failures, 1).await;
}

/// Gives back what a completed sign-in took: its posts, and the failures of this person from here on the way.
pub(crate) async fn refund_sign_in(cx: &Cx, failures: i64) {
    refund(cx, LimitKind::Posts, POSTS_PER_SIGN_IN).await;
    if failures > 0 {
        refund(cx, LimitKind::Failures, failures).await;
    }
}

async fn count(
    cx: &Cx,
    what: LimitKind,
    about: impl AsyncFnOnce() -> Result<AuditSubject>,
) -> Result<Option<RateLimited>> {
    let (mut rate_limited, mut news) = (None, Vec::new());
    for network in request_networks(cx) {
        let limit = what.limit(&cx.settings, network.size());
        let hit = cx.ephemeral.hit(&counter_key(what, network), limit, what.window(), cx.now).await;
        let HitResult::Over { retry_after: after, is_first: first } = hit else { continue };
        if first {
            news.push(network);
        }
        let until = cx.now.plus(after);
        if rate_limited.is_none_or(|other: RateLimited| other.until < until) {
            rate_limited = Some(RateLimited { size: network.size(), until });
        }
    }
    if !news.is_empty() {
        record(cx, what, &news, about).await;
    }
    Ok(rate_limited)
}

fn counter_key(what: LimitKind, network: Network) -> String {
    format!("{}:{network}", what.as_str())
}

async fn refund(cx: &Cx, what: LimitKind, hits: i64) {
    for network in request_networks(cx) {
        cx.ephemeral.refund(&counter_key(what, network), hits, what.window(), cx.now).await;
    }
}

/// One row for each network and window. The refusal stands when it cannot be written.
async fn record(
    cx: &Cx,
    what: LimitKind,
    news: &[Network],
    about: impl AsyncFnOnce() -> Result<AuditSubject>,
) {
    let written = async {
        let about = about().await?;
        cx.db
            .write(async |tx| {
                for network in news {
                    audit::record(cx, tx, limit_entry(what, *network, &about)).await?;
                }
                Ok::<_, crate::Error>(())
            })
            .await
    };
    if let Err(error) = written.await {
        tracing::error!(%error, "a limited network is not in the audit trail");
    }
}

/// A network had too many.
fn limit_entry(what: LimitKind, network: Network, about: &AuditSubject) -> audit::AuditEntry<'_> {
    let limited = event::NetworkLimited {
        limit: what.as_str(),
        size: Some(network.size().to_string()),
        network: network.to_string(),
    };
    let entry = audit::AuditEntry::new(limited, Refused::Refused).user(about.user);
    match &about.client {
        Some(client) => entry.client(client),
        None => entry,
    }
}
