//! Whether a post is processed: the one place that decides it, by what the network of the post has used (decision 4).
//!
//! ```text
//! layer counts the post ─▶ within ─▶ admitted
//!                          beyond ─▶ known device, or both steps proven? ─▶ within a limit of its account ─▶ admitted
//!                                                                       └─ no, or beyond that too ─▶ paused
//! ```
//!
//! The layer only counts. Rules about posts of networks belong here; those about guesses are in [`network`].

use keys::AccountKey;
use store::{Sql, user::User};

use crate::{
    Cx, Result,
    attempt::{self, Attempt, AttemptLookup, BrowserContext, Purpose},
    device,
    email::EmailAddress,
    network::{self, RateLimited},
    session,
};

/// The decision about a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is processed.
    Admitted,
    /// It is rejected until then: which network is rate limited.
    Paused(RateLimited),
}

/// The step that a post belongs to, with what it reveals about the account.
#[derive(Clone, Copy, Debug)]
pub enum PostedStep<'a> {
    /// The first one: the account is that of the address that was typed.
    Password {
        /// What was typed.
        email: &'a str,
    },
    /// The second one, of the attempt with this name.
    Second {
        /// The name.
        attempt: &'a str,
    },
    /// One that comes after both.
    AfterSecond {
        /// The name of the attempt.
        attempt: &'a str,
    },
}

impl Admission {
    /// Decides about a post of a step. `beyond` is the limit of a network that the post exceeded.
    pub async fn for_post(
        cx: &Cx,
        browser_context: &BrowserContext,
        step: PostedStep<'_>,
        rate_limited: Option<RateLimited>,
    ) -> Result<Self> {
        let Some(limit) = rate_limited else { return Ok(Self::Admitted) };
        Ok(match exempt_account(cx, browser_context, step).await? {
            Some(account) => {
                network::count_account_post(cx, &account).await.map_or(Self::Admitted, Self::Paused)
            }
            None => Self::Paused(limit),
        })
    }
}

/// The account for which a post is processed although its network is rate limited, counted per account: this browser is a
/// known device of it, or has proven both steps.
async fn exempt_account(
    cx: &Cx,
    browser_context: &BrowserContext,
    step: PostedStep<'_>,
) -> Result<Option<AccountKey>> {
    let name = match step {
        PostedStep::Password { email } => {
            let Ok(email) = EmailAddress::parse(email) else { return Ok(None) };
            return device::known_account(cx, browser_context, email.canonical()).await;
        }
        // Only a device distinguishes the person from a stranger here; a stranger causes no query.
        PostedStep::Second { .. } if browser_context.devices.is_empty() => return Ok(None),
        PostedStep::Second { attempt } | PostedStep::AfterSecond { attempt } => attempt,
    };
    let mut conn = cx.db.read().await?;
    let AttemptLookup::ThisBrowser(attempt) =
        attempt::find(cx, &mut conn, browser_context, name).await?
    else {
        return Ok(None);
    };
    let Some((user, is_proven)) =
        person_of_attempt(cx, &mut conn, browser_context, &attempt).await?
    else {
        return Ok(None);
    };
    let canonical = &user.counter_name();
    let is_exempt =
        is_proven || device::find_known(cx, &mut conn, browser_context, canonical).await?.is_some();
    Ok(is_exempt.then(|| cx.root.counter_key(canonical)))
}

/// The person of an attempt, and whether this browser has proven both steps: in the attempt, or before it, by the session
/// that the page was made for.
async fn person_of_attempt(
    cx: &Cx,
    sql: &mut impl Sql,
    browser_context: &BrowserContext,
    attempt: &Attempt,
) -> Result<Option<(User, bool)>> {
    let (id, is_proven) = match attempt {
        Attempt::Row(loaded) => (loaded.state.user(), loaded.state.is_second_step_proven()),
        Attempt::Sealed { purpose: Purpose::Ask, .. } => {
            let live = session::live(cx, sql, browser_context.session.as_ref()).await?;
            (live.map(|live| live.user_id), true)
        }
        Attempt::Sealed { .. } => (None, false),
    };
    let Some(id) = id else { return Ok(None) };
    Ok(store::user::by_id(sql, id).await?.map(|user| (user, is_proven)))
}
