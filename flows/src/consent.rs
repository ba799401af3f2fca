//! Consent and confirmation: what a signed-in person answers a client's request with.

use std::sync::Arc;

use store::session::SessionWithConsent;

use crate::{
    Cx, Result, attempt,
    attempt::{Attempt, Found, Purpose, Visit},
    audit::{self, event, outcome::Refused},
    authorize::{Asked, ClientRedirect, code_redirect, error_redirect},
    client::Client,
    interaction::{self, Need, Signed},
    login::state::State,
    oauth_error::OAuthError,
    request::AuthorizationRequest,
    session,
    sign_in::SignIn,
    token::issue::{self, NewCode},
};

/// What a person answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Yes.
    Allow,
    /// No.
    Deny,
    /// Not with this account.
    OtherAccount,
}

/// What a decision leads to.
#[derive(Debug)]
pub enum Decided {
    /// To the client.
    Client(ClientRedirect),
    /// To the sign-in page.
    SignIn(Box<Asked>),
    /// Nothing that can be continued.
    StartAgain,
}

/// What there is to decide about.
#[derive(Debug)]
pub struct Question {
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

/// Finds the question that a page names. It exists only for the session that satisfied the request.
pub async fn question(cx: &Cx, visit: &Visit, name: &str) -> Result<Option<Question>> {
    let mut conn = cx.db.read().await?;
    let Found::Own(attempt) = attempt::find(cx, &mut conn, visit, name).await? else {
        return Ok(None);
    };
    let request = attempt.request().clone();
    let Some(client) = cx.client(&request.client_id).cloned() else { return Ok(None) };
    let secret = visit.session.as_ref();
    let found = session::live_with_consent(cx, &mut conn, secret, &client.id).await?;
    let Some(session) = found else { return Ok(None) };
    // A row is answered by the session that its two steps made; a sealed page was made for a session in the first place.
    let fresh = match &attempt {
        Attempt::Row(loaded) => match &loaded.state {
            State::Complete(completed) if completed.session == session.session.id => true,
            _ => return Ok(None),
        },
        Attempt::Sealed { purpose: Purpose::Ask, .. } => false,
        Attempt::Sealed { .. } => return Ok(None),
    };
    let signed = Signed { session: &session, fresh, confirmed: false };
    let need = interaction::decide(&request, &client, Some(signed), cx.now);
    Ok(Some(Question { attempt: attempt.id(), request, client, session, need, fresh }))
}

/// Acts on a decision.
pub async fn decide(cx: &Cx, visit: &Visit, name: &str, decision: Decision) -> Result<Decided> {
    let Some(question) = question(cx, visit, name).await? else { return Ok(Decided::StartAgain) };
    match decision {
        Decision::Allow => allow(cx, visit, question).await,
        Decision::Deny => deny(cx, question).await,
        Decision::OtherAccount => sign_in(cx, visit, question.request),
    }
}

fn sign_in(cx: &Cx, visit: &Visit, request: AuthorizationRequest) -> Result<Decided> {
    Ok(crate::authorize::sign_in_page(cx, visit, request)?
        .map_or(Decided::StartAgain, |asked| Decided::SignIn(Box::new(asked))))
}

async fn allow(cx: &Cx, visit: &Visit, question: Question) -> Result<Decided> {
    let Question { request, client, session, attempt, fresh, need } = question;
    let signed = Signed { session: &session, fresh, confirmed: true };
    match interaction::decide(&request, &client, Some(signed), cx.now) {
        Need::Nothing => {}
        Need::Refuse(error) => return Ok(Decided::Client(error_redirect(cx, &request, &error))),
        Need::SignIn | Need::Consent | Need::Confirm => return sign_in(cx, visit, request),
    }
    let code = cx
        .db
        .write(async |tx| {
            // Read again: the session may have ended since the question was read.
            let secret = visit.session.as_ref();
            let found = session::live_with_consent(cx, tx, secret, &client.id).await?;
            let Some(session) = found else { return Ok(None) };
            if need == Need::Consent {
                remember(cx, tx, &session, &request).await?;
            }
            store::auth_code::void_unredeemed(tx, attempt, cx.now).await?;
            let (sign_in, id) = (SignIn::load(&session.session), session.session.id);
            let new = NewCode { sign_in: &sign_in, session: id, attempt: Some(attempt) };
            issue::authorization_code(cx, tx, &request, new).await.map(Some)
        })
        .await?;
    match code {
        Some(code) => Ok(Decided::Client(code_redirect(cx, &request, code.reveal()))),
        None => sign_in(cx, visit, request),
    }
}

async fn remember(
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
    let entry =
        audit::Entry::done(event::ConsentGiven { scopes }).user(user).client(&request.client_id);
    audit::record(cx, tx, entry).await
}

async fn deny(cx: &Cx, question: Question) -> Result<Decided> {
    cx.db
        .write(async |tx| {
            let entry = audit::Entry::new(event::ConsentRefused {}, Refused::Refused)
                .user(question.session.session.user_id)
                .client(&question.client.id);
            audit::record(cx, tx, entry).await
        })
        .await?;
    let error = OAuthError::new("access_denied", "the person refused");
    Ok(Decided::Client(error_redirect(cx, &question.request, &error)))
}
