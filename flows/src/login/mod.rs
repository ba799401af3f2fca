//! Signing in: the machine, its verifiers, and the executor that carries out its decisions.
//!
//! A post has three phases. *Read and charge*: load rows, spend the try before the guess is checked. *Compute without a
//! transaction*: hash, derive. *One write* that reads again what may have changed, runs the machine and applies its effects.

mod apply;
mod charge;
mod code_limits;
mod code_post;
pub(crate) mod code_window;
mod complete;
mod delay_policy;
mod deliver;
pub mod effect;
pub mod email_code;
pub mod follow;
pub mod goal;
mod held_charge;
mod held_code;
mod held_method;
mod held_post;
mod held_use;
mod judged_attempt;
pub mod machine;
mod mailed_method;
pub mod method;
pub mod new_password;
mod offered;
pub mod other_ways;
pub mod passkey;
pub mod password;
mod person_charge;
mod plan;
pub mod posted_refusal;
mod record;
pub mod recovery_code;
mod reference;
mod refund;
pub mod refusal;
pub mod resend;
pub mod second_step;
mod send_quota;
mod show;
pub mod state;
pub(crate) mod throttle_subject;
pub mod totp;
pub mod typed_code;
mod typed_method;

#[cfg(test)]
mod machine_tests;
#[cfg(test)]
mod search;

pub use code_window::CodeValidity;
pub use show::{
    CodeView, DuePage, HeldCodeView, MailStatus, PageLocation, PasskeyView, ResendTime, SignInPage,
    StepView, locate, show,
};

use std::time::Duration;

use keys::{DeviceToken, OpaqueToken};
use store::AttemptId;

use crate::{
    Cx, Error, Result, attempt,
    attempt::{Attempt, AttemptLookup, BrowserContext, LoadedAttempt, StalePage, StaleReason},
    attempt_request::AttemptRequest,
    audit::{self, event, outcome::Refused},
    authorize::{ClientRedirect, NewSignInPage},
    interaction::Need,
    network::RateLimited,
    oauth_error::OAuthError,
};
use goal::Page;
use machine::Input;
use method::HeldMethod;
use refusal::Refusal;
use state::{AwaitedProof, PendingSecondStep, State};

/// New values of a browser's cookies, for a change of privilege.
#[derive(Clone, Debug)]
pub struct NewCookies {
    /// The browser cookie.
    pub browser: OpaqueToken,
    /// The session cookie.
    pub session: OpaqueToken,
    /// The values of the device cookie, the newest first.
    pub devices: Vec<DeviceToken>,
}

/// The answer to a post of a sign-in page.
#[derive(Debug)]
pub enum Answer {
    /// Show the step that is due, with the reason if it is not the next one.
    Show(AttemptId, Option<Refusal>),
    /// Redirect to the page of the step that is now due.
    Next(AttemptId, NextStep),
    /// The same, with a new value of the browser cookie.
    BrowserChanged {
        /// The attempt.
        id: AttemptId,
        /// The page that is due.
        next_step: NextStep,
        /// The new value.
        browser: OpaqueToken,
    },
    /// Signed in: new cookies, and a redirect to the client or to a page that asks.
    SignedIn {
        /// New cookie values; `None` when the session existed already.
        cookies: Option<NewCookies>,
        /// The target.
        destination: AfterSignIn,
    },
    /// Redirect to the client without a sign-in.
    Client(ClientRedirect),
    /// Away from a page of ours that the person no longer wants to sign in to.
    Home,
    /// Back at the password, at the person's request: with the address of the attempt, if it had one.
    Restarted {
        /// The attempt.
        id: AttemptId,
        /// The address, for the form.
        address: String,
    },
    /// A new sign-in page for the same request, and why the posted one could not be used, if that was not asked for.
    FreshPage(Box<NewSignInPage>, Option<StaleReason>),
    /// The hashing pool is full: the page again, with the address, never the password.
    Busy {
        /// The page.
        attempt: String,
        /// When to try again.
        retry_after: Duration,
    },
    /// Too many failures of strangers in this network: the page again, with the address, never the password.
    RateLimited {
        /// The page.
        attempt: String,
        /// Which network, and until when.
        rate_limited: RateLimited,
    },
    /// Nothing that can be continued: the browser starts again.
    StartAgain,
}

/// The page that a state requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextStep {
    /// Address and password.
    Password,
    /// The mailed code.
    Code,
    /// A code of an authenticator app.
    Totp,
    /// A recovery code.
    RecoveryCode,
    /// A passkey, after the password.
    Passkey,
    /// A new password.
    NewPassword,
    /// Consent or confirmation.
    Complete,
    /// None: the attempt has ended.
    Nothing,
}

impl NextStep {
    /// The page of a state.
    #[must_use]
    pub fn of(state: &State) -> Self {
        match state {
            State::Second(PendingSecondStep { waiting, .. }) => Self::of_awaited(*waiting),
            State::Password => Self::Password,
            State::NewPassword(_) => Self::NewPassword,
            State::Complete(_) => Self::Complete,
            State::Cancelled => Self::Nothing,
        }
    }

    /// The page of what is awaited. A method without one leads to the password, which may be posted in any open state.
    fn of_awaited(waiting: AwaitedProof) -> Self {
        match waiting {
            AwaitedProof::Mailed(_) => Self::Code,
            AwaitedProof::Held(HeldMethod::TOTP) => Self::Totp,
            AwaitedProof::Held(HeldMethod::RECOVERY_CODE) => Self::RecoveryCode,
            AwaitedProof::Held(HeldMethod::PASSKEY) => Self::Passkey,
            AwaitedProof::Held(_) => Self::Password,
        }
    }
}

/// Where a signed-in browser is redirected.
#[derive(Debug)]
pub enum AfterSignIn {
    /// To the client.
    Client(ClientRedirect),
    /// To the page of ours that is the attempt's goal.
    Page(Page),
    /// To a page of ours that asks for consent or confirmation.
    Ask(AttemptId, Need),
}

/// Finds the attempt that a post names, or returns the answer to send instead.
async fn find_own_attempt(
    cx: &Cx,
    browser_context: &BrowserContext,
    name: &str,
) -> Result<Result<Attempt, Answer>> {
    let found = attempt::find(cx, &mut cx.db.read().await?, browser_context, name).await?;
    attempt_or_answer(cx, browser_context, found)
}

/// The attempt that was found, or the answer to send instead.
fn attempt_or_answer(
    cx: &Cx,
    browser_context: &BrowserContext,
    found: AttemptLookup,
) -> Result<Result<Attempt, Answer>> {
    Ok(match found {
        AttemptLookup::ThisBrowser(attempt) => Ok(attempt),
        AttemptLookup::Stale(page) => Err(answer_stale(cx, browser_context, *page)?),
        AttemptLookup::PreviousCookie(_) | AttemptLookup::NotFound => Err(Answer::StartAgain),
    })
}

/// A new page for the request of one that can no longer be posted.
fn answer_stale(cx: &Cx, browser_context: &BrowserContext, page: StalePage) -> Result<Answer> {
    Ok(match renew(cx, browser_context, page)? {
        Some((fresh, reason)) => Answer::FreshPage(fresh, Some(reason)),
        None => Answer::StartAgain,
    })
}

/// A new page for the request of one that can no longer be posted, unless its client may not make it any more.
fn renew(
    cx: &Cx,
    browser_context: &BrowserContext,
    page: StalePage,
) -> Result<Option<(Box<NewSignInPage>, StaleReason)>> {
    let fresh = crate::authorize::sign_in_page(cx, browser_context, page.request)?;
    Ok(fresh.map(|fresh| (Box::new(fresh), page.reason)))
}

/// The answer to a page whose form token is no longer valid. Nothing is done.
#[derive(Debug)]
pub enum StaleForm {
    /// It can no longer be posted: a new page for the same request.
    FreshPage(Box<NewSignInPage>, StaleReason),
    /// It is of this browser, whose cookie has changed since: the page that is due.
    NextStep(NextStep),
    /// It is not of this browser.
    NotThisBrowser,
}

/// Decides what to show instead of acting on a form with an invalid token. A form that was `posted` at a step that is not
/// due is recorded in the trail: its token is of the step that is due, or of an earlier one.
pub async fn resolve_stale_form(
    cx: &Cx,
    browser_context: &BrowserContext,
    name: &str,
    posted: Option<NextStep>,
) -> Result<StaleForm> {
    let mut conn = cx.db.read().await?;
    let found = attempt::find(cx, &mut conn, browser_context, name).await?;
    drop(conn);
    Ok(match found {
        AttemptLookup::ThisBrowser(Attempt::Row(loaded)) => {
            let due = NextStep::of(&loaded.state);
            if posted.is_some_and(|posted| posted != due) {
                record_out_of_turn(cx, &loaded).await?;
            }
            StaleForm::NextStep(due)
        }
        AttemptLookup::Stale(page) => match renew(cx, browser_context, *page)? {
            Some((fresh, reason)) => StaleForm::FreshPage(fresh, reason),
            None => StaleForm::NotThisBrowser,
        },
        AttemptLookup::ThisBrowser(Attempt::Sealed { .. })
        | AttemptLookup::PreviousCookie(_)
        | AttemptLookup::NotFound => StaleForm::NotThisBrowser,
    })
}

/// "Start again": back to the password, nothing proven.
pub async fn restart(cx: &Cx, browser_context: &BrowserContext, name: &str) -> Result<Answer> {
    let attempt = match find_own_attempt(cx, browser_context, name).await? {
        Ok(attempt) => attempt,
        Err(answer) => return Ok(answer),
    };
    match attempt {
        Attempt::Row(loaded) => {
            let address = address_of(cx, &loaded).await?;
            match apply::apply_input(cx, browser_context, &loaded, Input::Restart).await? {
                Answer::Next(id, NextStep::Password) => Ok(Answer::Restarted { id, address }),
                answer => Ok(answer),
            }
        }
        Attempt::Sealed { request, .. } => {
            Ok(crate::authorize::sign_in_page(cx, browser_context, request)?
                .map_or(Answer::StartAgain, |asked| Answer::FreshPage(Box::new(asked), None)))
        }
    }
}

/// The address that an attempt was begun with, as the account has it; empty where no first step is proven.
async fn address_of(cx: &Cx, loaded: &LoadedAttempt) -> Result<String> {
    let Some(user) = loaded.state.user() else { return Ok(String::new()) };
    let user = store::user::by_id(&mut cx.db.read().await?, user).await?;
    Ok(user.and_then(|user| user.email).unwrap_or_default())
}

/// "Cancel": back to the client with `access_denied`.
pub async fn cancel(cx: &Cx, browser_context: &BrowserContext, name: &str) -> Result<Answer> {
    let error = OAuthError::new("access_denied", "the person cancelled");
    let found = attempt::find(cx, &mut cx.db.read().await?, browser_context, name).await?;
    if let AttemptLookup::Stale(page) = &found
        && page.reason == StaleReason::Old
    {
        // An old page of this browser: there is nothing to renew it for.
        return Ok(cancelled(cx, &page.request, &error));
    }
    let attempt = match attempt_or_answer(cx, browser_context, found)? {
        Ok(attempt) => attempt,
        Err(answer) => return Ok(answer),
    };
    if let Attempt::Row(loaded) = &attempt {
        let answer = apply::apply_input(cx, browser_context, loaded, Input::Cancel).await?;
        if matches!(answer, Answer::Show(..)) {
            return Ok(answer);
        }
        record_cancelled(cx, loaded).await?;
    }
    Ok(cancelled(cx, attempt.request(), &error))
}

/// Back to where the person came from.
fn cancelled(cx: &Cx, request: &AttemptRequest, error: &OAuthError) -> Answer {
    match request {
        AttemptRequest::Client(request) => {
            Answer::Client(crate::authorize::error_redirect(cx, request, error))
        }
        AttemptRequest::Page(_) => Answer::Home,
    }
}

async fn record_cancelled(cx: &Cx, loaded: &LoadedAttempt) -> Result<()> {
    cx.db
        .write(async |tx| {
            let entry = audit::AuditEntry::done(event::AttemptCancelled {})
                .user(loaded.state.user())
                .client(loaded.request.client_id());
            audit::record(cx, tx, entry).await
        })
        .await
}

/// Records that a step was posted out of order (misuse case 1).
async fn record_out_of_turn(cx: &Cx, loaded: &LoadedAttempt) -> Result<()> {
    cx.db
        .write(async |tx| {
            let entry = audit::AuditEntry::new(event::SequenceFailed {}, Refused::Refused)
                .user(loaded.state.user())
                .client(loaded.request.client_id());
            audit::record(cx, tx, entry).await
        })
        .await
}

/// A lost compare-and-set is not an error for the person: the new state is shown, the input is not applied again.
fn show_on_conflict(id: AttemptId, outcome: Result<Answer>) -> Result<Answer> {
    match outcome {
        Err(Error::Conflict) => Ok(Answer::Show(id, None)),
        other => other,
    }
}
