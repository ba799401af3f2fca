//! The content of a sign-in page: the step that is due, whatever was requested.

use serde::{Deserialize, Serialize};
use store::{
    Sql, Timestamp,
    email_challenge::{ChallengeWithUser, EmailChallenge},
    user::UserWithPassword,
};

use super::{
    NextStep,
    code_limits::CodeLimits,
    code_post,
    code_window::{self, CodeValidity},
    follow,
    goal::Goal,
    method::{HeldMethod, Method},
    offered::second_methods,
    renew, resend,
    state::{AwaitedProof, PendingSecondStep, State},
    throttle_subject::ThrottleSubject,
};
use crate::{
    Cx, Result,
    attempt::{self, Attempt, AttemptLookup, BrowserContext, LoadedAttempt, StaleReason},
    attempt_request::AttemptRequest,
    authorize::NewSignInPage,
    email,
};

/// A sign-in page's content.
#[derive(Clone, Debug)]
pub struct SignInPage {
    /// Where it is.
    pub location: PageLocation,
    /// Its request.
    pub request: AttemptRequest,
    /// The step that is due.
    pub view: StepView,
}

impl SignInPage {
    /// The sign-in page of a request that has no row yet.
    #[must_use]
    pub fn unsaved(attempt: &str, request: AttemptRequest) -> Self {
        Self { location: PageLocation::unsaved(attempt), request, view: StepView::Password }
    }
}

impl PageLocation {
    /// The sign-in page of a request that has no row yet.
    #[must_use]
    pub fn unsaved(attempt: &str) -> Self {
        Self {
            attempt: attempt.to_owned(),
            next_step: NextStep::Password,
            revision: PageRevision::default(),
        }
    }

    fn of(loaded: &LoadedAttempt, challenge: Option<&ChallengeWithUser>) -> Self {
        let next_step = match &loaded.state {
            State::Second(PendingSecondStep { waiting: AwaitedProof::Mailed(_), .. })
                if challenge.is_none() =>
            {
                NextStep::Password
            }
            state => NextStep::of(state),
        };
        let (tries, sends) = challenge.map_or((0, 0), |ChallengeWithUser { challenge, .. }| {
            (challenge.tries, challenge.sends)
        });
        let revision = PageRevision { version: loaded.row.version, tries, sends };
        Self { attempt: loaded.row.id.to_string(), next_step, revision }
    }
}

/// Counts what posts have changed of an attempt: what a post was refused for is shown until the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRevision {
    /// The version of the attempt's row.
    version: i64,
    /// Guesses at the mailed code.
    tries: i64,
    /// Mails of the code that were requested.
    sends: i64,
}

/// The result of looking for the page of an attempt: what was looked for, its content or its location.
#[derive(Debug)]
pub enum DuePage<T> {
    /// The page of the step that is due.
    Page(Box<T>),
    /// The page can no longer be posted: a new one for the same request.
    Fresh(Box<NewSignInPage>, StaleReason),
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
    /// A code that the person holds.
    Held(HeldCodeView),
    /// A passkey, after the password.
    Passkey(PasskeyView),
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
    /// Whether the person may answer with another method.
    pub has_other_ways: bool,
}

/// The content of the page of a code that the person holds.
#[derive(Clone, Copy, Debug)]
pub struct HeldCodeView {
    /// The method.
    pub method: HeldMethod,
    /// Until when no code of this person is judged, after too many wrong ones.
    pub paused_until: Option<Timestamp>,
    /// Whether the person may answer with another method.
    pub has_other_ways: bool,
}

/// The content of the page of the second step by a passkey.
#[derive(Clone, Debug)]
pub struct PasskeyView {
    /// The credential ids of the person's passkeys, in base64url.
    pub credential_ids: Vec<String>,
    /// Whether the person may answer with another method.
    pub has_other_ways: bool,
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

/// Where the page of an attempt is: which step is due, and how far posts have come.
#[derive(Clone, Debug)]
pub struct PageLocation {
    /// The attempt's name, for the page.
    pub attempt: String,
    /// The step that is due.
    pub next_step: NextStep,
    /// What the next post of it changes.
    pub revision: PageRevision,
}

/// What was read to locate a page.
struct LocatedPage {
    location: PageLocation,
    request: AttemptRequest,
    /// The row, if there is one yet.
    row: Option<Box<LoadedAttempt>>,
    /// The mailed code that the row can be answered with.
    challenge: Option<ChallengeWithUser>,
}

/// Finds the page that is due, by one read, and reads no more than its location.
pub async fn locate(
    cx: &Cx,
    browser_context: &BrowserContext,
    name: &str,
) -> Result<DuePage<PageLocation>> {
    Ok(match find_page(cx, browser_context, name).await? {
        DuePage::Page(page) => DuePage::Page(Box::new(page.location)),
        DuePage::Fresh(fresh, reason) => DuePage::Fresh(fresh, reason),
        DuePage::NotFound => DuePage::NotFound,
    })
}

/// Finds the page that is due, with its content.
pub async fn show(
    cx: &Cx,
    browser_context: &BrowserContext,
    name: &str,
) -> Result<DuePage<SignInPage>> {
    let found = match find_page(cx, browser_context, name).await? {
        DuePage::Page(found) => *found,
        DuePage::Fresh(fresh, reason) => return Ok(DuePage::Fresh(fresh, reason)),
        DuePage::NotFound => return Ok(DuePage::NotFound),
    };
    let LocatedPage { location, request, row, challenge } = found;
    let view = match row {
        Some(loaded) => view_of_row(cx, browser_context, &loaded, challenge).await?,
        None => StepView::Password,
    };
    Ok(DuePage::Page(Box::new(SignInPage { location, request, view })))
}

async fn find_page(
    cx: &Cx,
    browser_context: &BrowserContext,
    name: &str,
) -> Result<DuePage<LocatedPage>> {
    let mut conn = cx.db.read().await?;
    let (found, open_challenges) =
        attempt::find_with_challenges(cx, &mut conn, browser_context, name).await?;
    let loaded = match found {
        AttemptLookup::ThisBrowser(Attempt::Row(loaded)) => loaded,
        AttemptLookup::ThisBrowser(Attempt::Sealed { request, .. }) => {
            let location = PageLocation::unsaved(name);
            let page = LocatedPage { location, request, row: None, challenge: None };
            return Ok(DuePage::Page(Box::new(page)));
        }
        AttemptLookup::Stale(page) => {
            return Ok(match renew(cx, browser_context, *page)? {
                Some((fresh, reason)) => DuePage::Fresh(fresh, reason),
                None => DuePage::NotFound,
            });
        }
        AttemptLookup::PreviousCookie(_) | AttemptLookup::NotFound => return Ok(DuePage::NotFound),
    };
    // A challenge that another tab used up or that was swept cannot be answered here.
    let challenge = match &loaded.state {
        state @ State::Second(_) => {
            code_post::answered_challenge(&mut conn, browser_context, state, open_challenges)
                .await?
                .filter(|found| found.challenge.is_open())
        }
        _ => None,
    };
    let location = PageLocation::of(&loaded, challenge.as_ref());
    let request = loaded.request.clone();
    Ok(DuePage::Page(Box::new(LocatedPage { location, request, row: Some(loaded), challenge })))
}

async fn view_of_row(
    cx: &Cx,
    browser_context: &BrowserContext,
    loaded: &LoadedAttempt,
    challenge: Option<ChallengeWithUser>,
) -> Result<StepView> {
    match &loaded.state {
        State::Password => return Ok(StepView::Password),
        State::Complete(_) => return Ok(StepView::Complete),
        State::Cancelled => return Ok(StepView::Cancelled),
        State::Second(_) | State::NewPassword(_) => {}
    }
    if let Some((_, live)) = follow::find_session(cx, browser_context, loaded).await? {
        return Ok(StepView::SignedIn { person: live.name });
    }
    let mut conn = cx.db.read().await?;
    if let State::NewPassword(pending) = &loaded.state {
        let user = store::user::by_id(&mut conn, pending.first.user).await?;
        let email = user.and_then(|user| user.email).unwrap_or_default();
        return Ok(StepView::NewPassword { email });
    }
    if let State::Second(PendingSecondStep { first, waiting: AwaitedProof::Held(method) }) =
        &loaded.state
    {
        let person = store::user::by_id_with_password(&mut conn, first.user).await?;
        let Some(person) = person else { return Ok(StepView::Password) };
        if *method == HeldMethod::PASSKEY {
            let known = store::passkey::of_user(&mut conn, first.user).await?;
            return Ok(StepView::Passkey(PasskeyView {
                credential_ids: known.into_iter().map(|row| row.credential_id).collect(),
                has_other_ways: has_other_ways(&person, loaded.request.goal(), *method),
            }));
        }
        let view =
            view_of_held(cx, &mut conn, browser_context, *method, (&person, loaded.request.goal()));
        return view.await.map(StepView::Held);
    }
    match challenge {
        Some(ChallengeWithUser { challenge, person }) => {
            let view = view_of_code(
                cx,
                &mut conn,
                browser_context,
                &challenge,
                (&person, loaded.request.goal()),
            );
            view.await.map(StepView::Code)
        }
        None => Ok(StepView::Password),
    }
}

/// Whether the person may answer with another method than a held one, which may have been removed meanwhile.
fn has_other_ways(person: &UserWithPassword, goal: Goal, awaited: HeldMethod) -> bool {
    second_methods(person, goal).iter().any(|method| *method != Method::Held(awaited))
}

async fn view_of_held(
    cx: &Cx,
    sql: &mut impl Sql,
    browser_context: &BrowserContext,
    method: HeldMethod,
    (person, goal): (&UserWithPassword, Goal),
) -> Result<HeldCodeView> {
    let subject = ThrottleSubject::for_user(cx, sql, browser_context, &person.user).await?;
    let limits = CodeLimits::read(cx, sql, &subject).await?;
    let has_other_ways = has_other_ways(person, goal, method);
    Ok(HeldCodeView { method, paused_until: limits.paused_until, has_other_ways })
}

async fn view_of_code(
    cx: &Cx,
    sql: &mut impl Sql,
    browser_context: &BrowserContext,
    challenge: &EmailChallenge,
    (person, goal): (&UserWithPassword, Goal),
) -> Result<CodeView> {
    let throttle_subject =
        ThrottleSubject::for_user(cx, sql, browser_context, &person.user).await?;
    let limits = CodeLimits::read(cx, sql, &throttle_subject).await?;
    let next = resend::resend_at(cx, challenge);
    let next = limits.mails_used_up_until.map_or(next, |until| until.max(next));
    Ok(CodeView {
        masked_address: email::mask_address(&challenge.address),
        reference: challenge.reference.clone(),
        accepted_at: challenge.last_accepted_at,
        until: code_window::valid_until(cx, challenge),
        validity: code_window::validity(cx, challenge),
        resend: if next <= cx.now { ResendTime::Now } else { ResendTime::At(next) },
        delivery: MailStatus::of(challenge),
        exhausted: challenge.tries >= throttle_subject.code_tries(cx),
        paused_until: limits.paused_until,
        has_other_ways: second_methods(person, goal).len() > 1,
    })
}
