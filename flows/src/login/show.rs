//! What a sign-in page shows: the step that is due, whatever was asked for.

use store::{
    Timestamp,
    email_challenge::{ChallengeWithUser, EmailChallenge},
};

use super::{
    code_window::{self, Time},
    follow, post, resend, send_quota,
    state::State,
    tries::Guesser,
};
use crate::{
    Cx, Result,
    attempt::{self, Attempt, Found, Visit},
    email,
    request::AuthorizationRequest,
};

/// A sign-in page's content.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The attempt's name, for the page.
    pub attempt: String,
    /// Its request.
    pub request: AuthorizationRequest,
    /// The step that is due.
    pub view: View,
}

/// The step that is due, with what its page says.
#[derive(Clone, Debug)]
pub enum View {
    /// Address and password.
    Password,
    /// The mailed code.
    Code(CodeView),
    /// A new password.
    NewPassword {
        /// The person's address, for password managers; empty where there is none.
        email: String,
    },
    /// Signed in by another tab: one press goes on.
    SignedIn {
        /// Who.
        person: String,
    },
    /// Completed: consent or confirmation may be due.
    Complete,
    /// Ended.
    Cancelled,
}

/// What the code page says.
#[derive(Clone, Debug)]
pub struct CodeView {
    /// Where the code went, masked.
    pub masked: String,
    /// The words by which page and mail can be matched.
    pub reference: String,
    /// When the mail server took the last mail; none while it has not.
    pub accepted_at: Option<Timestamp>,
    /// Until when the code works.
    pub until: Timestamp,
    /// Whether that time has passed.
    pub time: Time,
    /// When it can be sent again.
    pub resend: Resend,
    /// What became of the mail that was asked for last.
    pub delivery: Delivery,
    /// Whether all tries are spent.
    pub exhausted: bool,
}

/// How far the mail has come that was asked for last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// There is none: too many were asked for.
    Unasked,
    /// It is on its way to the mail server.
    Pending,
    /// The mail server took it.
    Accepted,
    /// The mail server refused it for good.
    Refused,
}

impl Delivery {
    fn of(challenge: &EmailChallenge) -> Self {
        let since = |at: Option<Timestamp>| at.is_some_and(|at| at >= challenge.last_requested_at);
        if challenge.sends == 0 {
            Self::Unasked
        } else if since(challenge.last_accepted_at) {
            Self::Accepted
        } else if since(challenge.refused_at) {
            Self::Refused
        } else {
            Self::Pending
        }
    }
}

/// When a code can be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resend {
    /// Now.
    Now,
    /// After a short wait.
    At(Timestamp),
}

/// Finds out what to show.
pub async fn show(cx: &Cx, visit: &Visit, name: &str) -> Result<Option<Shown>> {
    let mut conn = cx.db.read().await?;
    let (found, near) = attempt::find_with_challenges(cx, &mut conn, visit, name).await?;
    let loaded = match found {
        Found::Own(Attempt::Row(loaded)) => loaded,
        Found::Own(Attempt::Sealed { request, .. }) => {
            let attempt = name.to_owned();
            return Ok(Some(Shown { attempt, request: *request, view: View::Password }));
        }
        Found::Previous(_) | Found::OtherCookie(_) | Found::Nothing => return Ok(None),
    };
    drop(conn);
    let view = match &loaded.state {
        State::Password => View::Password,
        State::Complete(_) => View::Complete,
        State::Cancelled => View::Cancelled,
        State::Second(_) | State::NewPassword(_) => {
            match follow::check(cx, visit, &loaded).await? {
                Some((_, live)) => View::SignedIn { person: live.name },
                None => due(cx, visit, &loaded.state, near).await?,
            }
        }
    };
    Ok(Some(Shown { attempt: loaded.row.id.to_string(), request: loaded.request, view }))
}

async fn due(cx: &Cx, visit: &Visit, state: &State, near: Vec<ChallengeWithUser>) -> Result<View> {
    let mut conn = cx.db.read().await?;
    if let State::NewPassword(pending) = state {
        let user = store::user::by_id(&mut conn, pending.first.user).await?;
        return Ok(View::NewPassword {
            email: user.and_then(|user| user.email).unwrap_or_default(),
        });
    }
    let found = post::current(&mut conn, visit, state, near).await?;
    // What is held has no page in this build, and a challenge that another tab used up or that is gone cannot be answered
    // here.
    let Some(ChallengeWithUser { challenge, person }) =
        found.filter(|found| found.challenge.is_open())
    else {
        return Ok(View::Password);
    };
    let guesser = Guesser::of(cx, &mut conn, visit, &person.user).await?;
    let quota = send_quota::quota_until(cx, &mut conn, &guesser).await?;
    let next = resend::resend_at(cx, &challenge);
    let next = quota.map_or(next, |quota| quota.max(next));
    Ok(View::Code(CodeView {
        masked: email::masked(&challenge.address),
        reference: challenge.reference.clone(),
        accepted_at: challenge.last_accepted_at,
        until: code_window::good_until(cx, &challenge),
        time: code_window::time(cx, &challenge),
        resend: if next <= cx.now { Resend::Now } else { Resend::At(next) },
        delivery: Delivery::of(&challenge),
        exhausted: challenge.tries >= guesser.code_tries(cx),
    }))
}
