//! The content of a sign-in page: the step that is due, whatever was requested.

use store::{
    Timestamp,
    email_challenge::{ChallengeWithUser, EmailChallenge},
};

use super::{
    code_post,
    code_window::{self, CodeValidity},
    follow, resend, send_quota,
    state::State,
    throttle_subject::ThrottleSubject,
};
use crate::{
    Cx, Result,
    attempt::{self, Attempt, AttemptLookup, BrowserContext},
    email,
    request::AuthorizationRequest,
};

/// A sign-in page's content.
#[derive(Clone, Debug)]
pub struct SignInPage {
    /// The attempt's name, for the page.
    pub attempt: String,
    /// Its request.
    pub request: AuthorizationRequest,
    /// The step that is due.
    pub view: StepView,
}

/// The step that is due, with the content of its page.
#[derive(Clone, Debug)]
pub enum StepView {
    /// Address and password.
    Password,
    /// The mailed code.
    Code(CodeView),
    /// A new password.
    NewPassword {
        /// The person's address, for password managers; empty where there is none.
        email: String,
    },
    /// Signed in by another tab: one click continues.
    SignedIn {
        /// The signed-in person.
        person: String,
    },
    /// Completed: consent or confirmation may be due.
    Complete,
    /// Ended.
    Cancelled,
}

/// The content of the code page.
#[derive(Clone, Debug)]
pub struct CodeView {
    /// The address that the code was sent to, masked.
    pub masked_address: String,
    /// The reference by which the person matches page and mail.
    pub reference: String,
    /// When the mail server accepted the last mail; `None` before.
    pub accepted_at: Option<Timestamp>,
    /// When the code expires.
    pub until: Timestamp,
    /// Whether it is expired.
    pub validity: CodeValidity,
    /// When it can be sent again.
    pub resend: ResendTime,
    /// The status of the last requested mail.
    pub delivery: MailStatus,
    /// Whether all tries are spent.
    pub exhausted: bool,
}

/// The status of the last requested mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailStatus {
    /// There is none: too many were requested.
    NotSent,
    /// It waits to be accepted by the mail server.
    Pending,
    /// The mail server accepted it.
    Accepted,
    /// The mail server refused it permanently.
    Refused,
}

impl MailStatus {
    fn of(challenge: &EmailChallenge) -> Self {
        let since = |at: Option<Timestamp>| at.is_some_and(|at| at >= challenge.last_requested_at);
        if challenge.sends == 0 {
            Self::NotSent
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
pub enum ResendTime {
    /// Now.
    Now,
    /// After a short wait.
    At(Timestamp),
}

/// Finds the content of the page.
pub async fn show(
    cx: &Cx,
    browser_context: &BrowserContext,
    name: &str,
) -> Result<Option<SignInPage>> {
    let mut conn = cx.db.read().await?;
    let (found, open_challenges) =
        attempt::find_with_challenges(cx, &mut conn, browser_context, name).await?;
    let loaded = match found {
        AttemptLookup::ThisBrowser(Attempt::Row(loaded)) => loaded,
        AttemptLookup::ThisBrowser(Attempt::Sealed { request, .. }) => {
            let attempt = name.to_owned();
            return Ok(Some(SignInPage { attempt, request: *request, view: StepView::Password }));
        }
        AttemptLookup::PreviousCookie(_)
        | AttemptLookup::OtherCookie(_)
        | AttemptLookup::NotFound => return Ok(None),
    };
    drop(conn);
    let view = match &loaded.state {
        State::Password => StepView::Password,
        State::Complete(_) => StepView::Complete,
        State::Cancelled => StepView::Cancelled,
        State::Second(_) | State::NewPassword(_) => {
            match follow::find_session(cx, browser_context, &loaded).await? {
                Some((_, live)) => StepView::SignedIn { person: live.name },
                None => view_of_step(cx, browser_context, &loaded.state, open_challenges).await?,
            }
        }
    };
    Ok(Some(SignInPage { attempt: loaded.row.id.to_string(), request: loaded.request, view }))
}

async fn view_of_step(
    cx: &Cx,
    browser_context: &BrowserContext,
    state: &State,
    open_challenges: Vec<ChallengeWithUser>,
) -> Result<StepView> {
    let mut conn = cx.db.read().await?;
    if let State::NewPassword(pending) = state {
        let user = store::user::by_id(&mut conn, pending.first.user).await?;
        return Ok(StepView::NewPassword {
            email: user.and_then(|user| user.email).unwrap_or_default(),
        });
    }
    let found =
        code_post::answered_challenge(&mut conn, browser_context, state, open_challenges).await?;
    // Held methods have no page in this build, and a challenge that another tab used up or that was swept cannot be answered
    // here.
    let Some(ChallengeWithUser { challenge, person }) =
        found.filter(|found| found.challenge.is_open())
    else {
        return Ok(StepView::Password);
    };
    let throttle_subject =
        ThrottleSubject::for_user(cx, &mut conn, browser_context, &person.user).await?;
    let quota = send_quota::used_up_until(cx, &mut conn, &throttle_subject).await?;
    let next = resend::resend_at(cx, &challenge);
    let next = quota.map_or(next, |quota| quota.max(next));
    Ok(StepView::Code(CodeView {
        masked_address: email::mask_address(&challenge.address),
        reference: challenge.reference.clone(),
        accepted_at: challenge.last_accepted_at,
        until: code_window::valid_until(cx, &challenge),
        validity: code_window::validity(cx, &challenge),
        resend: if next <= cx.now { ResendTime::Now } else { ResendTime::At(next) },
        delivery: MailStatus::of(&challenge),
        exhausted: challenge.tries >= throttle_subject.code_tries(cx),
    }))
}
