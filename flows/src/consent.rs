//! Consent and confirmation: a signed-in person's decision about a client's request.

use std::{sync::Arc, time::Duration};

use store::{Sql, session::SessionWithConsent};

use crate::{
    Cx, Result, attempt,
    attempt::{Attempt, AttemptLookup, BrowserContext, LoadedAttempt, Purpose},
    attempt_request::AttemptRequest,
    audit::{self, event, outcome::Refused},
    authorize::{self, ClientRedirect, NewSignInPage, code_redirect, error_redirect},
    client::Client,
    interaction::{self, Need, SignedInUser},
    login::state::State,
    oauth_error::OAuthError,
    request::AuthorizationRequest,
    session,
    session_codes::{self, CodeWay},
    sign_in::SignIn,
    token::issue::{self, NewCode},
};

/// For how long the proof of both steps answers the request that it was given for, as long as no code of it was redeemed:
/// the person may read the question, or go back to it.
const ANSWERED_FOR: Duration = Duration::from_mins(5);

/// A person's decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsentDecision {
    /// Yes.
    Allow,
    /// No.
    Deny,
    /// Not with this account.
    OtherAccount,
}

/// The outcome of a decision.
#[derive(Debug)]
pub enum ConsentOutcome {
    /// Redirect to the client.
    Client(ClientRedirect),
    /// Show the sign-in page.
    SignIn(Box<NewSignInPage>),
    /// The page was left open for too long: its request is decided about anew, at the authorization endpoint, which reads it
    /// sealed.
    Decide(String),
    /// No attempt that can be continued.
    StartAgain,
}

/// The question to the person.
#[derive(Debug)]
pub struct ConsentPrompt {
    /// The request.
    pub request: AuthorizationRequest,
    /// The client.
    pub client: Arc<Client>,
    /// The signed-in person.
    pub session: SessionWithConsent,
    /// Consent or confirmation.
    pub need: Need,
    attempt: store::AttemptId,
    fresh: bool,
}

/// Finds the question that a page names. Only the session that satisfied the request can answer it.
pub async fn find_prompt(
    cx: &Cx,
    browser_context: &BrowserContext,
    name: &str,
) -> Result<Option<ConsentPrompt>> {
    let mut conn = cx.db.read().await?;
    let AttemptLookup::ThisBrowser(attempt) =
        attempt::find(cx, &mut conn, browser_context, name).await?
    else {
        return Ok(None);
    };
    let Some(request) = attempt.request().authorization().cloned() else { return Ok(None) };
    let Some(client) = cx.find_client(&request.client_id).cloned() else { return Ok(None) };
    let secret = browser_context.session.as_ref();
    let found = session::live_with_consent(cx, &mut conn, secret, Some(&client.id)).await?;
    let Some(session) = found else { return Ok(None) };
    // A row is answered by the session that its two steps created; a sealed page was made for an existing session.
    let fresh = match &attempt {
        Attempt::Row(loaded) => match &loaded.state {
            State::Complete(completed) if completed.session == session.session.id => {
                is_unanswered(cx, &mut conn, loaded).await?
            }
            _ => return Ok(None),
        },
        Attempt::Sealed { purpose: Purpose::Ask, .. } => false,
        Attempt::Sealed { .. } => return Ok(None),
    };
    let signed_in = SignedInUser { session: &session, fresh, confirmed: false };
    let need = interaction::decide(&request, &client, Some(signed_in), cx.now);
    Ok(Some(ConsentPrompt { attempt: attempt.id(), request, client, session, need, fresh }))
}

/// Whether a completed attempt is still good for an answer of its own. Afterwards it is decided like any request of a
/// person who has a session: another code for `prompt=login` needs another sign-in. The right code that is posted once more
/// within a minute has its own rule (decision 3).
async fn is_unanswered(cx: &Cx, sql: &mut impl Sql, loaded: &LoadedAttempt) -> Result<bool> {
    let row = &loaded.row;
    let is_recent = row.completed_at.is_some_and(|at| cx.now.since(at) <= ANSWERED_FOR);
    Ok(is_recent && !store::auth_code::is_attempt_redeemed(sql, row.id).await?)
}

/// Carries out a decision.
pub async fn decide(
    cx: &Cx,
    browser_context: &BrowserContext,
    name: &str,
    decision: ConsentDecision,
) -> Result<ConsentOutcome> {
    let Some(question) = find_prompt(cx, browser_context, name).await? else {
        let stale = find_stale(cx, browser_context, name).await?;
        return Ok(stale.map_or(ConsentOutcome::StartAgain, ConsentOutcome::Decide));
    };
    match decision {
        ConsentDecision::Allow => allow(cx, browser_context, question).await,
        ConsentDecision::Deny => deny(cx, question).await,
        ConsentDecision::OtherAccount => to_sign_in(cx, browser_context, question.request),
    }
}

/// The sealed request of a consent page that can no longer be posted.
pub async fn find_stale(
    cx: &Cx,
    browser_context: &BrowserContext,
    name: &str,
) -> Result<Option<String>> {
    let mut conn = cx.db.read().await?;
    match attempt::find(cx, &mut conn, browser_context, name).await? {
        AttemptLookup::Stale(page) => match (page.purpose, page.request) {
            (Purpose::Ask, AttemptRequest::Client(request)) => {
                authorize::seal_request(cx, *request).map(Some)
            }
            (Purpose::Ask | Purpose::SignIn, _) => Ok(None),
        },
        AttemptLookup::ThisBrowser(_)
        | AttemptLookup::PreviousCookie(_)
        | AttemptLookup::NotFound => Ok(None),
    }
}

fn to_sign_in(
    cx: &Cx,
    browser_context: &BrowserContext,
    request: AuthorizationRequest,
) -> Result<ConsentOutcome> {
    Ok(authorize::sign_in_page(cx, browser_context, request.into())?
        .map_or(ConsentOutcome::StartAgain, |asked| ConsentOutcome::SignIn(Box::new(asked))))
}

async fn allow(
    cx: &Cx,
    browser_context: &BrowserContext,
    question: ConsentPrompt,
) -> Result<ConsentOutcome> {
    let ConsentPrompt { request, client, session, attempt, fresh, need } = question;
    if !session_codes::may_issue(cx, session.session.id, CodeWay::Page).await {
        let error = session_codes::too_many();
        return Ok(ConsentOutcome::Client(error_redirect(cx, &request, &error)));
    }
    let signed_in = SignedInUser { session: &session, fresh, confirmed: true };
    match interaction::decide(&request, &client, Some(signed_in), cx.now) {
        Need::Nothing => {}
        Need::Refuse(error) => {
            return Ok(ConsentOutcome::Client(error_redirect(cx, &request, &error)));
        }
        Need::SignIn | Need::Consent | Need::Confirm => {
            return to_sign_in(cx, browser_context, request);
        }
    }
    let code = cx
        .db
        .write(async |tx| {
            // Read again: the session may have ended since.
            let secret = browser_context.session.as_ref();
            let found = session::live_with_consent(cx, tx, secret, Some(&client.id)).await?;
            let Some(session) = found else { return Ok(None) };
            // First, because it waits for a redemption at the same time, which the next read then sees.
            store::auth_code::void_unredeemed(tx, attempt, cx.now).await?;
            // Another tab may have answered, and its code may have been redeemed meanwhile.
            let fresh = fresh && !store::auth_code::is_attempt_redeemed(tx, attempt).await?;
            let signed_in = SignedInUser { session: &session, fresh, confirmed: true };
            if interaction::decide(&request, &client, Some(signed_in), cx.now) != Need::Nothing {
                return Ok(None);
            }
            if need == Need::Consent {
                store_consent(cx, tx, &session, &request).await?;
            }
            let (sign_in, id) = (SignIn::of_session(&session.session), session.session.id);
            let new =
                NewCode { sign_in: &sign_in, session: id, attempt: Some(attempt), is_first: false };
            issue::authorization_code(cx, tx, &request, new).await.map(Some)
        })
        .await?;
    match code {
        Some(code) => Ok(ConsentOutcome::Client(code_redirect(cx, &request, code.reveal()))),
        None => to_sign_in(cx, browser_context, request),
    }
}

async fn store_consent(
    cx: &Cx,
    tx: &mut store::Tx,
    session: &SessionWithConsent,
    request: &AuthorizationRequest,
) -> Result<()> {
    let user = session.session.user_id;
    let mut scopes: Vec<&str> = session
        .consented
        .as_deref()
        .unwrap_or_default()
        .split(' ')
        .filter(|s| !s.is_empty())
        .collect();
    scopes.extend(request.scopes.iter().map(String::as_str));
    scopes.sort_unstable();
    scopes.dedup();
    let scopes = scopes.join(" ");
    store::consent::put(tx, user, &request.client_id, &scopes, cx.now).await?;
    let entry = audit::AuditEntry::done(event::ConsentGiven { scopes })
        .user(user)
        .client(request.client_id.as_str());
    audit::record(cx, tx, entry).await
}

async fn deny(cx: &Cx, question: ConsentPrompt) -> Result<ConsentOutcome> {
    cx.db
        .write(async |tx| {
            let entry = audit::AuditEntry::new(event::ConsentRefused {}, Refused::Refused)
                .user(question.session.session.user_id)
                .client(question.client.id.as_str());
            audit::record(cx, tx, entry).await
        })
        .await?;
    let error = OAuthError::new("access_denied", "the person refused");
    Ok(ConsentOutcome::Client(error_redirect(cx, &question.request, &error)))
}
