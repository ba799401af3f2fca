//! Whether a post is heard: the one place that decides it, by what the network of the post has had (decision 4).
//!
//! ```text
//! layer counts the post ─▶ within ─▶ admitted
//!                          beyond ─▶ known device, or both steps proven? ─▶ within a limit of its account ─▶ admitted
//!                                                                       └─ no, or beyond that too ─▶ paused
//! a stranger's guess ─▶ charged to its network as a failure ─▶ within ─▶ admitted, and judged
//!                                                              beyond ─▶ paused, nothing is judged
//! ```
//!
//! The layer only counts. Rules about networks belong here.

use keys::AccountKey;
use store::{Sql, user::User};

use crate::{
    Cx, Result,
    attempt::{self, Attempt, Found, Purpose, Visit},
    device,
    email::EmailAddress,
    network::{self, About, Crowded},
    session,
};

/// Whether a post is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is.
    Admitted,
    /// Not until then: which network had too many.
    Paused(Crowded),
}

/// The step that a post is of, as far as it tells whose account it is about.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// The first one: the account is that of the address, as it was typed.
    Password {
        /// What was typed.
        email: &'a str,
    },
    /// The second one, of an attempt by its name.
    Second {
        /// The name.
        attempt: &'a str,
    },
    /// One that comes after both.
    Later {
        /// The name of the attempt.
        attempt: &'a str,
    },
}

impl Admission {
    /// Decides about a post of a step. `beyond` is the limit of a network that it was counted beyond.
    pub async fn of(
        cx: &Cx,
        visit: &Visit,
        step: Step<'_>,
        beyond: Option<Crowded>,
    ) -> Result<Self> {
        let Some(crowded) = beyond else { return Ok(Self::Admitted) };
        Ok(match account(cx, visit, step).await? {
            Some(account) => {
                network::post_of_account(cx, &account).await.map_or(Self::Admitted, Self::Paused)
            }
            None => Self::Paused(crowded),
        })
    }

    /// Decides about a guess before it is judged, and charges a stranger's network with a failure until it is known that it
    /// was none. `about` is asked only when the refusal goes into the trail.
    pub(crate) async fn of_guess(
        cx: &Cx,
        is_stranger: bool,
        about: impl AsyncFnOnce() -> Result<About>,
    ) -> Result<Self> {
        if !is_stranger {
            return Ok(Self::Admitted);
        }
        Ok(network::failure(cx, about).await?.map_or(Self::Admitted, Self::Paused))
    }
}

/// The account that a post is heard for although its network had too many, counted by its own number: this browser is a known
/// device of it, or has proven both steps.
async fn account(cx: &Cx, visit: &Visit, step: Step<'_>) -> Result<Option<AccountKey>> {
    let name = match step {
        Step::Password { email } => {
            let Ok(email) = EmailAddress::parse(email) else { return Ok(None) };
            return device::account(cx, visit, email.canonical()).await;
        }
        // Nothing but a device tells a person from a stranger here, who asks the database nothing.
        Step::Second { .. } if visit.devices.is_empty() => return Ok(None),
        Step::Second { attempt } | Step::Later { attempt } => attempt,
    };
    let mut conn = cx.db.read().await?;
    let Found::Own(attempt) = attempt::find(cx, &mut conn, visit, name).await? else {
        return Ok(None);
    };
    let Some((user, is_proven)) = person(cx, &mut conn, visit, &attempt).await? else {
        return Ok(None);
    };
    let canonical = &user.counter_name();
    let is_heard = is_proven || device::known(cx, &mut conn, visit, canonical).await?.is_some();
    Ok(is_heard.then(|| cx.root.counter_key(canonical)))
}

/// The person of an attempt, and whether this browser has proven both steps: in the attempt, or before it, by the session
/// that the page was made for.
async fn person(
    cx: &Cx,
    sql: &mut impl Sql,
    visit: &Visit,
    attempt: &Attempt,
) -> Result<Option<(User, bool)>> {
    let (id, is_proven) = match attempt {
        Attempt::Row(loaded) => (loaded.state.user(), loaded.state.is_led_on()),
        Attempt::Sealed { purpose: Purpose::Ask, .. } => {
            let live = session::live(cx, sql, visit.session.as_ref()).await?;
            (live.map(|live| live.user_id), true)
        }
        Attempt::Sealed { .. } => (None, false),
    };
    let Some(id) = id else { return Ok(None) };
    Ok(store::user::by_id(sql, id).await?.map(|user| (user, is_proven)))
}
