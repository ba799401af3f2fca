//! The content of a sign-in page: the step that is due, whatever was requested.

use serde::{Deserialize, Serialize};
use store::{
    Sql, Timestamp,
    email_challenge::{ChallengeWithUser, EmailChallenge},
    user::User,
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
    attempt::{self, Attempt, AttemptLookup, BrowserContext, StaleReason},
    authorize::AuthorizePage,
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
    /// What the next post of it changes.
    pub revision: PageRevision,
}

impl SignInPage {
    /// The sign-in page of a request that has no row yet.
    #[must_use]
    pub fn unsaved(attempt: &str, request: AuthorizationRequest) -> Self {
        let attempt = attempt.to_owned();
        Self { attempt, request, view: StepView::Password, revision: PageRevision::default() }
    }
}

/// Counts what posts have changed of an attempt: what a post was refused for is shown until the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRevision {
    /// The version of the attempt's row.
    version: i64,
    /// Guesses at the mailed code.
    tries: i64,
    /// Mails of the code that were asked for.
    sends: i64,
}

/// The result of looking for the page of an attempt.
#[derive(Debug)]
pub enum DuePage {
    /// The page of the step that is due.
    Page(Box<SignInPage>),
    /// The page can no longer be posted: a new one for the same request.
    Fresh(Box<AuthorizePage>, StaleReason),
    /// Nothing that can be continued.
    NotFound,
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
    /// Until when no code of this person is judged, after too many wrong ones.
    pub paused_until: Option<Timestamp>,
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
pub async fn show(cx: &Cx, browser_context: &BrowserContext, name: &str) -> Result<DuePage> {
    let mut conn = cx.db.read().await?;
    let (found, open_challenges) =
        attempt::find_with_challenges(cx, &mut conn, browser_context, name).await?;
    let loaded = match found {
        AttemptLookup::ThisBrowser(Attempt::Row(loaded)) => loaded,
        AttemptLookup::ThisBrowser(Attempt::Sealed { request, .. }) => {
            return Ok(DuePage::Page(Box::new(SignInPage::unsaved(name, *request))));
        }
        AttemptLookup::Stale(page) => {
            let fresh = crate::authorize::sign_in_page(cx, browser_context, page.request)?;
            return Ok(fresh
                .map_or(DuePage::NotFound, |fresh| DuePage::Fresh(Box::new(fresh), page.reason)));
        }
        AttemptLookup::PreviousCookie(_) | AttemptLookup::NotFound => return Ok(DuePage::NotFound),
    };
    drop(conn);
    let (view, revision) = match &loaded.state {
        State::Password => (StepView::Password, PageRevision::default()),
        State::Complete(_) => (StepView::Complete, PageRevision::default()),
        State::Cancelled => (StepView::Cancelled, PageRevision::default()),
        State::Second(_) | State::NewPassword(_) => {
            match follow::find_session(cx, browser_context, &loaded).await? {
                Some((_, live)) => {
                    (StepView::SignedIn { person: live.name }, PageRevision::default())
                }
                None => view_of_step(cx, browser_context, &loaded.state, open_challenges).await?,
            }
        }
    };
    Ok(DuePage::Page(Box::new(SignInPage {
        attempt: loaded.row.id.to_string(),
        request: loaded.request,
        view,
        revision: PageRevision { version: loaded.row.version, ..revision },
    })))
}

/// The view of an open step, and how far its challenge has come.
async fn view_of_step(
    cx: &Cx,
    browser_context: &BrowserContext,
    state: &State,
    open_challenges: Vec<ChallengeWithUser>,
) -> Result<(StepView, PageRevision)> {
    let mut conn = cx.db.read().await?;
    if let State::NewPassword(pending) = state {
        let user = store::user::by_id(&mut conn, pending.first.user).await?;
        let email = user.and_then(|user| user.email).unwrap_or_default();
        return Ok((StepView::NewPassword { email }, PageRevision::default()));
    }
    let found =
        code_post::answered_challenge(&mut conn, browser_context, state, open_challenges).await?;
    // Held methods have no page in this build, and a challenge that another tab used up or that was swept cannot be answered
    // here.
    let Some(ChallengeWithUser { challenge, person }) =
        found.filter(|found| found.challenge.is_open())
    else {
        return Ok((StepView::Password, PageRevision::default()));
    };
    let view = view_of_code(cx, &mut conn, browser_context, &challenge, &person.user).await?;
    let (tries, sends) = (challenge.tries, challenge.sends);
    Ok((StepView::Code(view), PageRevision { tries, sends, ..PageRevision::default() }))
}

async fn view_of_code(
    cx: &Cx,
    sql: &mut impl Sql,
    browser_context: &BrowserContext,
    challenge: &EmailChallenge,
    user: &User,
) -> Result<CodeView> {
    let throttle_subject = ThrottleSubject::for_user(cx, sql, browser_context, user).await?;
    let quota = send_quota::used_up_until(cx, sql, &throttle_subject).await?;
    let next = resend::resend_at(cx, challenge);
    let next = quota.map_or(next, |quota| quota.max(next));
    Ok(CodeView {
        masked_address: email::mask_address(&challenge.address),
        reference: challenge.reference.clone(),
        accepted_at: challenge.last_accepted_at,
        until: code_window::valid_until(cx, challenge),
        validity: code_window::validity(cx, challenge),
        resend: if next <= cx.now { ResendTime::Now } else { ResendTime::At(next) },
        delivery: MailStatus::of(challenge),
        exhausted: challenge.tries >= throttle_subject.code_tries(cx),
        paused_until: throttle_subject.codes_paused_until(cx, sql).await?,
    })
}
