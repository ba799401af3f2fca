//! Limits of networks (decision 4): posts and failures count apart, for an IPv4 address, an IPv6 /64 and an IPv6 /48.
//!
//! They may vanish with Redis, so nothing rests on them: what holds a person safe is counted in SQL. A completed sign-in
//! gives back what it took, and known devices do not ask here at all, so that an exit that many people share is not shut
//! by the failures of some.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use store::{Hit, Timestamp, UserId};

use crate::{Cx, Result, audit, settings::Settings};

/// The window of posts.
const MINUTE: Duration = Duration::from_mins(1);
/// The window of failures. Short, because whoever shares an exit with an attacker waits for its end.
const FAILURES: Duration = Duration::from_mins(5);
/// Posts of a completed sign-in: one with the password, one with the code.
const POSTS: i64 = 2;

/// How large a network is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// One IPv4 address: a household, or thousands of people behind a provider's or a hospital's exit.
    Ipv4,
    /// An IPv6 /64: what one household has whole.
    Ipv6Slash64,
    /// An IPv6 /48: what a customer may have, with 65,536 of the former.
    Ipv6Slash48,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipv4 => "IPv4 address",
            Self::Ipv6Slash64 => "IPv6 /64",
            Self::Ipv6Slash48 => "IPv6 /48",
        })
    }
}

/// A network that had too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crowded {
    /// How large it is.
    pub size: Size,
    /// Until when.
    pub until: Timestamp,
}

/// Whom a request is about, as far as it is known when its network is found to have had too many.
#[derive(Clone, Debug, Default)]
pub(crate) struct About {
    /// The person.
    pub(crate) user: Option<UserId>,
    /// The client.
    pub(crate) client: Option<String>,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Posts,
    Failures,
}

impl What {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Posts => "post",
            Self::Failures => "fail",
        }
    }

    const fn window(self) -> Duration {
        match self {
            Self::Posts => MINUTE,
            Self::Failures => FAILURES,
        }
    }

    fn limit(self, settings: &Settings, size: Size) -> u64 {
        let limit = match (self, size) {
            (Self::Posts, Size::Ipv4 | Size::Ipv6Slash64) => settings.posts_per_minute,
            (Self::Posts, Size::Ipv6Slash48) => settings.posts_per_minute_ipv6_48,
            (Self::Failures, Size::Ipv4) => settings.failures_ipv4,
            (Self::Failures, Size::Ipv6Slash64) => settings.failures_ipv6_64,
            (Self::Failures, Size::Ipv6Slash48) => settings.failures_ipv6_48,
        };
        u64::try_from(limit).unwrap_or(u64::MAX)
    }
}

/// The networks that an address is counted under, the smallest first.
#[must_use]
pub fn networks(address: IpAddr) -> Vec<(Size, String)> {
    match address.to_canonical() {
        IpAddr::V4(v4) => vec![(Size::Ipv4, v4.to_string())],
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            let name = |d, length| format!("{}/{length}", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0));
            vec![(Size::Ipv6Slash64, name(d, 64)), (Size::Ipv6Slash48, name(0, 48))]
        }
    }
}

/// The networks of a request. One whose address nobody knows is counted with all others like it.
fn own(cx: &Cx) -> Vec<(Size, String)> {
    let address = cx.trace.network.as_ref().and_then(|text| text.parse().ok());
    address.map(networks).unwrap_or_default()
}

/// The smallest network of a request.
pub(crate) fn smallest(cx: &Cx) -> String {
    own(cx).into_iter().next().map_or_else(|| "unknown".to_owned(), |(_, name)| name)
}

/// By what a person's counters tell one network from another: in IPv6 by the /48, because a household may have 256 of the
/// /64, and with two of them would spend what all strangers have.
pub(crate) fn at_a_person(cx: &Cx) -> String {
    own(cx).into_iter().next_back().map_or_else(|| "unknown".to_owned(), |(_, name)| name)
}

/// Counts a post; says so when one of the request's networks had too many. Its form is not read yet, so nobody knows whom
/// it is about.
pub async fn post(cx: &Cx) -> Result<Option<Crowded>> {
    count(cx, What::Posts, async || Ok(About::default())).await
}

/// Counts a failure before anything is judged; says so when one of the request's networks had too many, and then nothing
/// is judged. `about` is asked only when that goes into the trail.
pub(crate) async fn failure(
    cx: &Cx,
    about: impl AsyncFnOnce() -> Result<About>,
) -> Result<Option<Crowded>> {
    count(cx, What::Failures, about).await
}

/// Counts a post of a known device of an account, or of somebody who has proven both steps. They have a number of their
/// own; says so when there were too many.
pub async fn post_of_account(cx: &Cx, account: &keys::Account) -> Option<Crowded> {
    // An HMAC: what lies in Redis tells nobody's address.
    let name = BASE64_URL_SAFE_NO_PAD.encode(account);
    let limit = u64::try_from(cx.settings.posts_per_minute_device).unwrap_or(u64::MAX);
    match cx.ephemeral.hit(&format!("post:device:{name}"), limit, MINUTE, cx.now).await {
        Hit::Within => None,
        Hit::Over { after, .. } => {
            let size = own(cx).first().map_or(Size::Ipv4, |(size, _)| *size);
            Some(Crowded { size, until: cx.now.plus(after) })
        }
    }
}

/// Gives back a failure that was none.
pub(crate) async fn no_failure(cx: &Cx) {
    give_back(cx, What::Failures, 1).await;
}

/// Gives back what a completed sign-in took: its posts, and the failures of this person from here on the way.
pub(crate) async fn completed(cx: &Cx, failures: i64) {
    give_back(cx, What::Posts, POSTS).await;
    if failures > 0 {
        give_back(cx, What::Failures, failures).await;
    }
}

async fn count(
    cx: &Cx,
    what: What,
    about: impl AsyncFnOnce() -> Result<About>,
) -> Result<Option<Crowded>> {
    let (mut crowded, mut news) = (None, Vec::new());
    for (size, name) in own(cx) {
        let (key, limit) = (key(what, &name), what.limit(&cx.settings, size));
        let hit = cx.ephemeral.hit(&key, limit, what.window(), cx.now).await;
        let Hit::Over { after, first } = hit else { continue };
        if first {
            news.push((size, name));
        }
        let until = cx.now.plus(after);
        if crowded.is_none_or(|other: Crowded| other.until < until) {
            crowded = Some(Crowded { size, until });
        }
    }
    if !news.is_empty() {
        record(cx, what, &news, about).await;
    }
    Ok(crowded)
}

fn key(what: What, name: &str) -> String {
    format!("{}:{name}", what.as_str())
}

async fn give_back(cx: &Cx, what: What, hits: i64) {
    for (_, name) in own(cx) {
        cx.ephemeral.give_back(&key(what, &name), hits, what.window(), cx.now).await;
    }
}

/// One row for each network and window. The refusal stands when it cannot be written.
async fn record(
    cx: &Cx,
    what: What,
    news: &[(Size, String)],
    about: impl AsyncFnOnce() -> Result<About>,
) {
    let written = async {
        let about = about().await?;
        cx.db
            .write(async |tx| {
                for (size, name) in news {
                    let detail = serde_json::json!({
                        "limit": what.as_str(), "size": size.to_string(), "network": name,
                    });
                    audit::record(cx, tx, limited(&about).detail(detail)).await?;
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
fn limited(about: &About) -> audit::Entry<'_> {
    let entry = audit::Entry::new(audit::Event::NetworkLimited).outcome("refused").user(about.user);
    match &about.client {
        Some(client) => entry.client(client),
        None => entry,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_household_is_one_network_and_a_customer_another() {
        let of = |text: &str| networks(text.parse().unwrap());
        let names = |text| of(text).into_iter().map(|(_, name)| name).collect::<Vec<_>>();
        assert_eq!(names("2001:db8:1:2:3:4:5:6"), ["2001:db8:1:2::/64", "2001:db8:1::/48"]);
        assert_eq!(of("2001:db8:1:2::9"), of("2001:db8:1:2:ffff::"));
        assert_eq!(names("2001:db8:1:3::9")[1], names("2001:db8:1:2::9")[1]);
        assert_eq!(of("::ffff:203.0.113.9"), [(Size::Ipv4, "203.0.113.9".to_owned())]);
    }
}
