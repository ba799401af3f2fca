//! Limits of networks (decision 4): posts and failures are counted separately, for an IPv4 address, an IPv6 /64 and an IPv6
//! /48.
//!
//! The counters may be lost with Redis, so no protection of a person depends on them: those are counted in SQL. A completed
//! sign-in gives back what it used, and known devices are not counted here at all, so that the failures of some do not block
//! an address that many people share.

mod prefix;

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use keys::{AccountKey, HashingCaller};
use serde::{Deserialize, Serialize};
use store::{CommitTracker, EphemeralCounters, HitResult, Timestamp, UserId};

pub use self::prefix::{Network, NetworkSize};
use crate::{
    Cx, Result,
    audit::{self, event, outcome::Refused},
    settings::Settings,
};

/// The window of posts.
const MINUTE: Duration = Duration::from_mins(1);
/// The window of failures. Short, because people who share an address with an attacker wait for its end.
const FAILURE_WINDOW: Duration = Duration::from_mins(5);
/// Posts of a completed sign-in: one with the password, one with the code.
const POSTS_PER_SIGN_IN: i64 = 2;

/// A network that is rate limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimited {
    /// How large it is.
    pub size: NetworkSize,
    /// The end of the limit.
    pub until: Timestamp,
}

/// The subject of a request, as far as it is known when its network is found to be rate limited.
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

/// The part of the network that a person's counters use as key: in IPv6 the /48, because a household may have 256 of the
/// /64, and with two of them would use up what all strangers have.
pub(crate) fn throttle_key(cx: &Cx) -> String {
    request_networks(cx).last().map_or_else(|| "unknown".to_owned(), Network::to_string)
}

/// A stranger in the hashing queue, with the account whose password is posted, once that is read.
#[must_use]
pub fn hashing_caller(cx: &Cx, account: Option<AccountKey>) -> HashingCaller {
    // The key is that of no account: no address contains a line break.
    let network = cx.root.counter_key(&format!("\nnetwork {}", throttle_key(cx)));
    HashingCaller::Browser { account, network }
}

/// Counts a post; returns the limit when one of the request's networks is rate limited. The form is not parsed yet, so the
/// subject is unknown.
pub async fn count_post(cx: &Cx) -> Result<Option<RateLimited>> {
    count(cx, LimitKind::Posts, async || Ok(AuditSubject::default())).await
}

/// A failure that was counted before anything was checked. It is given back when this is dropped, so that a client that
/// goes away before its guess is judged leaves no failure behind.
#[must_use]
pub(crate) struct CountedFailure {
    /// The request; none where nothing was counted, or nothing is to be given back any more.
    cx: Option<Cx>,
}

impl CountedFailure {
    /// It was a failure.
    pub(crate) fn keep(mut self) {
        self.cx = None;
    }

    /// It was none.
    pub(crate) async fn refund(mut self) {
        if let Some(cx) = self.cx.take() {
            refund(&cx, LimitKind::Failures, 1).await;
        }
    }
}

impl Drop for CountedFailure {
    fn drop(&mut self) {
        if let Some(cx) = self.cx.take() {
            CommitTracker::start_detached(async move { refund(&cx, LimitKind::Failures, 1).await });
        }
    }
}

/// Counts a stranger's guess as a failure of its network, before anything is checked and until it turns out to be right;
/// returns the limit when one of the request's networks is rate limited, and then nothing is checked. `about` is called only
/// when that is recorded in the trail.
pub(crate) async fn count_failure(
    cx: &Cx,
    is_stranger: bool,
    about: impl AsyncFnOnce() -> Result<AuditSubject>,
) -> Result<std::result::Result<CountedFailure, RateLimited>> {
    if !is_stranger {
        return Ok(Ok(CountedFailure { cx: None }));
    }
    Ok(match count(cx, LimitKind::Failures, about).await? {
        Some(limit) => Err(limit),
        None => Ok(CountedFailure { cx: Some(cx.clone()) }),
    })
}

/// Counts a post of a known device of an account, or of a person who has proven both steps. They have a limit of their own;
/// returns it when there were too many.
pub(crate) async fn count_account_post(cx: &Cx, account: &AccountKey) -> Option<RateLimited> {
    // An HMAC: a value in Redis reveals no address.
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

/// Gives back a post that the full hashing queue has rejected.
pub async fn refund_post(cx: &Cx) {
    refund(cx, LimitKind::Posts, 1).await;
}

/// Gives back what a completed sign-in used: its posts, and this person's failures from here during it.
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
    let counters = Counters { ephemeral: &cx.ephemeral, settings: &cx.settings, now: cx.now };
    let Some(over) = counters.count(what, &request_networks(cx)).await else { return Ok(None) };
    if over.is_first {
        record(cx, what, over.network, about).await;
    }
    Ok(Some(RateLimited { size: over.network.size(), until: over.until }))
}

/// A network that is over its limit.
struct OverLimit {
    network: Network,
    until: Timestamp,
    /// Whether this is the first hit over the limit in its window.
    is_first: bool,
}

/// The counters of networks, and their limits.
struct Counters<'a> {
    ephemeral: &'a EphemeralCounters,
    settings: &'a Settings,
    now: Timestamp,
}

impl Counters<'_> {
    /// Counts a hit, from the largest network to the smallest, up to the first that is over its limit. The smaller ones are then
    /// not counted: each would be one more counter, and a client can have 65,536 networks in one. Nor are the larger ones: a
    /// network that is refused takes nothing from its neighbours.
    async fn count(&self, what: LimitKind, networks: &[Network]) -> Option<OverLimit> {
        for (counted, network) in networks.iter().rev().copied().enumerate() {
            let limit = what.limit(self.settings, network.size());
            let key = counter_key(what, network);
            let hit = self.ephemeral.hit(&key, limit, what.window(), self.now).await;
            if let HitResult::Over { retry_after, is_first } = hit {
                for larger in networks.iter().rev().copied().take(counted) {
                    let key = counter_key(what, larger);
                    self.ephemeral.refund(&key, 1, what.window(), self.now).await;
                }
                return Some(OverLimit { network, until: self.now.plus(retry_after), is_first });
            }
        }
        None
    }
}

fn counter_key(what: LimitKind, network: Network) -> String {
    format!("{}:{network}", what.as_str())
}

async fn refund(cx: &Cx, what: LimitKind, hits: i64) {
    for network in request_networks(cx) {
        cx.ephemeral.refund(&counter_key(what, network), hits, what.window(), cx.now).await;
    }
}

/// One row for each network and window. The refusal is sent even if the row cannot be written.
async fn record(
    cx: &Cx,
    what: LimitKind,
    network: Network,
    about: impl AsyncFnOnce() -> Result<AuditSubject>,
) {
    let written = async {
        let about = about().await?;
        cx.db
            .write(async |tx| audit::record(cx, tx, limit_entry(what, network, &about)).await)
            .await
    };
    if let Err(error) = written.await {
        tracing::error!(%error, "a rate limited network could not be recorded in the audit trail");
    }
}

/// The audit entry of a rate limited network.
fn limit_entry(what: LimitKind, network: Network, about: &AuditSubject) -> audit::AuditEntry<'_> {
    let limited = event::NetworkLimited {
        limit: what.as_str(),
        size: Some(network.size().to_string()),
        network: network.to_string(),
    };
    let entry = audit::AuditEntry::new(limited, Refused::Refused).user(about.user);
    match &about.client {
        Some(client) => entry.client(client.as_str()),
        None => entry,
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// The result of a future that waits for nothing: counters in memory.
    fn now_or_never<T>(future: impl Future<Output = T>) -> T {
        match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => result,
            Poll::Pending => unreachable!("memory answers at once"),
        }
    }

    /// An attacker with two /48 tries from a new /64 each time: the count of another network stays.
    #[test]
    fn two_slash48_leave_other_counts() {
        let (ephemeral, settings) = (EphemeralCounters::in_memory(), Settings::default());
        let now = Timestamp::from_millis(0);
        let counters = Counters { ephemeral: &ephemeral, settings: &settings, now };
        let count = |address: String| {
            let networks = Network::containing(address.parse().unwrap());
            let over = now_or_never(counters.count(LimitKind::Posts, &networks));
            over.map(|over| over.network.size())
        };
        for _ in 0..settings.posts_per_minute {
            assert_eq!(count("203.0.113.9".to_owned()), None);
        }
        let mut refused = 0;
        for nth in 0..200_000_u32 {
            let (customer, household) = (nth % 2, nth / 2 % 0x1_0000);
            match count(format!("2001:db8:{customer:x}:{household:x}::1")) {
                Some(size) => {
                    assert_eq!(size, NetworkSize::Ipv6Slash48);
                    refused += 1;
                }
                None => {
                    assert!(nth / 2 < u32::try_from(settings.posts_per_minute_ipv6_48).unwrap());
                }
            }
        }
        assert!(refused > 190_000, "{refused}");
        assert_eq!(count("203.0.113.9".to_owned()), Some(NetworkSize::Ipv4));
    }

    #[test]
    fn refused_slash64_spares_its_neighbours() {
        let (ephemeral, settings) = (EphemeralCounters::in_memory(), Settings::default());
        let now = Timestamp::from_millis(0);
        let counters = Counters { ephemeral: &ephemeral, settings: &settings, now };
        let count = |address: &str| {
            let networks = Network::containing(address.parse().unwrap());
            let over = now_or_never(counters.count(LimitKind::Posts, &networks));
            over.map(|over| over.network.size())
        };
        for _ in 0..3 * settings.posts_per_minute_ipv6_48 {
            let over = count("2001:db8:7:1::1");
            assert!(matches!(over, None | Some(NetworkSize::Ipv6Slash64)), "{over:?}");
        }
        assert_eq!(count("2001:db8:7:1::2"), Some(NetworkSize::Ipv6Slash64));
        assert_eq!(count("2001:db8:7:2::1"), None);
    }
}
