//! Signing in: the machine, its verifiers, and the executor that applies what it decides.
//!
//! A post has three phases. *Read and charge*: load rows, spend the try before it is judged. *Compute with nothing
//! held*: hash, derive. *One write* that reads again what may have changed, asks the machine and applies its effects.

mod apply;
mod charge;
pub(crate) mod code_window;
mod complete;
mod deliver;
pub mod effect;
pub mod email_code;
pub mod follow;
pub mod goal;
mod held;
pub mod machine;
mod mailed;
pub mod method;
pub mod new_password;
pub mod password;
mod plan;
mod post;
mod record;
mod reference;
pub mod refusal;
pub mod resend;
pub mod second;
mod send_quota;
mod show;
pub mod state;
pub(crate) mod tries;
pub mod typed_code;

#[cfg(test)]
mod machine_tests;
#[cfg(test)]
mod search;

pub use code_window::Time;
pub use show::{CodeView, Delivery, Resend, Shown, View, show};

use std::time::Duration;

use keys::{DeviceToken, OpaqueToken};
use store::AttemptId;

use crate::{
    Cx, Error, Result, attempt,
    attempt::{Attempt, Found, Loaded, Visit},
    audit::{self, event, outcome::Refused},
    authorize::{Asked, ClientRedirect},
    interaction::Need,
    network::Crowded,
    oauth_error::OAuthError,
};
use goal::Page;
use machine::Input;
use refusal::Refusal;
use state::{Second, State, Waiting};

/// New values of a browser's cookies, at a change of privilege.
#[derive(Clone, Debug)]
pub struct NewCookies {
    /// The browser cookie.
    pub browser: OpaqueToken,
    /// The session cookie.
    pub session: OpaqueToken,
    /// The values of the device cookie, the newest first.
    pub devices: Vec<DeviceToken>,
}

/// What to answer a post of a sign-in page with.
#[derive(Debug)]
pub enum Answer {
    /// Show the step that is due, with a word about why it is not the next one.
    Show(AttemptId, Option<Refusal>),
    /// On to the page of the step that is now due.
    Next(AttemptId, Due),
    /// The same under a new value of the browser cookie.
    Moved {
        /// The attempt.
        id: AttemptId,
        /// The page that is due.
        due: Due,
        /// The new value.
        browser: OpaqueToken,
    },
    /// Signed in: new cookies, and on to the client, or to a page that asks.
    SignedIn {
        /// New cookie values; none when the session was there already.
        cookies: Option<NewCookies>,
        /// Where to.
        to: Onwards,
    },
    /// Back to the client without a sign-in.
    Client(ClientRedirect),
    /// The page was made for another cookie: the same page again.
    Anew(Box<Asked>),
    /// The hashing pool is full: the page again, with the address, never the password.
    Busy {
        /// The page.
        attempt: String,
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// Too many failures of strangers in this network: the page again, with the address, never the password.
    Crowded {
        /// The page.
        attempt: String,
        /// Which network, and until when.
        crowded: Crowded,
    },
    /// Nothing that can be continued.
    StartAgain,
}

/// The page that a state is due on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Address and password.
    Password,
    /// The mailed code.
    Code,
    /// A new password.
    NewPassword,
    /// Consent or confirmation.
    Complete,
    /// None: it has ended.
    Nothing,
}

impl Due {
    /// The page of a state.
    #[must_use]
    pub const fn of(state: &State) -> Self {
        match state {
            State::Second(Second { waiting: Waiting::Mailed(_), .. }) => Self::Code,
            // No held method has a page in this build, and a password may be posted in any open state.
            State::Password | State::Second(Second { waiting: Waiting::Held(_), .. }) => {
                Self::Password
            }
            State::NewPassword(_) => Self::NewPassword,
            State::Complete(_) => Self::Complete,
            State::Cancelled => Self::Nothing,
        }
    }
}

/// Where a signed-in browser goes.
#[derive(Debug)]
pub enum Onwards {
    /// To the client.
    Client(ClientRedirect),
    /// To the page of ours at which the attempt ends.
    Page(Page),
    /// To a page of ours that asks for consent or confirmation.
    Ask(AttemptId, Need),
}

/// Finds the attempt that a post names, or says what to answer instead.
async fn own(cx: &Cx, visit: &Visit, name: &str) -> Result<Result<Attempt, Answer>> {
    let found = attempt::find(cx, &mut cx.db.read().await?, visit, name).await?;
    or_answer(cx, visit, found)
}

/// The attempt that was found, or what to answer instead.
fn or_answer(cx: &Cx, visit: &Visit, found: Found) -> Result<Result<Attempt, Answer>> {
    Ok(match found {
        Found::Own(attempt) => Ok(attempt),
        Found::OtherCookie(request) => {
            Err(match crate::authorize::sign_in_page(cx, visit, request)? {
                Some(asked) => Answer::Anew(Box::new(asked)),
                None => Answer::StartAgain,
            })
        }
        Found::Previous(_) | Found::Nothing => Err(Answer::StartAgain),
    })
}

/// What a page whose form token is no longer right is answered with. Nothing is done.
#[derive(Debug)]
pub enum Reopened {
    /// It was made for another cookie, when two tabs were opened at once: the same page again.
    Anew(Box<Asked>),
    /// It is of this browser, whose cookie has changed since: the page that is due.
    Due(Due),
    /// It is not of this browser.
    Nothing,
}

/// Finds out what to show instead of acting on a form whose token is not right. A form that was `posted` at a step that
/// is not due goes into the trail: its token is of the step that is due, or of one before.
pub async fn reopen(cx: &Cx, visit: &Visit, name: &str, posted: Option<Due>) -> Result<Reopened> {
    let mut conn = cx.db.read().await?;
    let found = attempt::find(cx, &mut conn, visit, name).await?;
    drop(conn);
    Ok(match found {
        Found::Own(Attempt::Row(loaded)) => {
            let due = Due::of(&loaded.state);
            if posted.is_some_and(|posted| posted != due) {
                out_of_turn(cx, &loaded).await?;
            }
            Reopened::Due(due)
        }
        Found::OtherCookie(request) => crate::authorize::sign_in_page(cx, visit, request)?
            .map_or(Reopened::Nothing, |asked| Reopened::Anew(Box::new(asked))),
        Found::Own(Attempt::Sealed { .. }) | Found::Previous(_) | Found::Nothing => {
            Reopened::Nothing
        }
    })
}

/// "Start again": back to the password, nothing proven.
pub async fn restart(cx: &Cx, visit: &Visit, name: &str) -> Result<Answer> {
    let attempt = match own(cx, visit, name).await? {
        Ok(attempt) => attempt,
        Err(answer) => return Ok(answer),
    };
    match attempt {
        Attempt::Row(loaded) => apply::input(cx, visit, &loaded, Input::Restart).await,
        Attempt::Sealed { request, .. } => Ok(crate::authorize::sign_in_page(cx, visit, *request)?
            .map_or(Answer::StartAgain, |asked| Answer::Anew(Box::new(asked)))),
    }
}

/// "Cancel": back to the client with `access_denied`.
pub async fn cancel(cx: &Cx, visit: &Visit, name: &str) -> Result<Answer> {
    let attempt = match own(cx, visit, name).await? {
        Ok(attempt) => attempt,
        Err(answer) => return Ok(answer),
    };
    if let Attempt::Row(loaded) = &attempt {
        let answer = apply::input(cx, visit, loaded, Input::Cancel).await?;
        if matches!(answer, Answer::Show(..)) {
            return Ok(answer);
        }
        cancelled(cx, loaded).await?;
    }
    let error = OAuthError::new("access_denied", "the person cancelled");
    Ok(Answer::Client(crate::authorize::error_redirect(cx, attempt.request(), &error)))
}

async fn cancelled(cx: &Cx, loaded: &Loaded) -> Result<()> {
    cx.db
        .write(async |tx| {
            let entry = audit::Entry::done(event::AttemptCancelled {})
                .user(loaded.state.user())
                .client(&loaded.request.client_id);
            audit::record(cx, tx, entry).await
        })
        .await
}

/// Records that a step was posted out of turn (misuse case 1).
async fn out_of_turn(cx: &Cx, loaded: &Loaded) -> Result<()> {
    cx.db
        .write(async |tx| {
            let entry = audit::Entry::new(event::SequenceFailed {}, Refused::Refused)
                .user(loaded.state.user())
                .client(&loaded.request.client_id);
            audit::record(cx, tx, entry).await
        })
        .await
}

/// A lost compare-and-set is no error for the person: the new state is shown, the input is not applied again.
fn or_show(id: AttemptId, outcome: Result<Answer>) -> Result<Answer> {
    match outcome {
        Err(Error::Lost) => Ok(Answer::Show(id, None)),
        other => other,
    }
}
