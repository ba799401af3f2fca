//! The authorization endpoint (OpenID Connect Core 1.0, section 3.1.2).
//!
//! ```text
//! parameters ─▶ checks ─▶ session? ─▶ need ─┬─ nothing ─▶ grant and code ─▶ client
//!                  │                        ├─ sign in ─▶ password page, request sealed in it: no row
//!                  │                        └─ consent, confirm, too many in a minute ─▶ that page, likewise
//!                  └─ refused ─▶ our page, or the client by redirect
//! ```
//!
//! A stranger's request writes nothing (decision 12). With a session this GET acts, on top-level navigation only.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use store::session::{LiveSession, SessionWithConsent};

use crate::{
    Cx, Result, attempt,
    attempt::{BrowserContext, Purpose},
    attempt_request::AttemptRequest,
    client::Client,
    interaction::{self, Need, SignedInUser},
    oauth_error::OAuthError,
    request::{self, AuthorizationRequest, Params, RejectedRequest, RequestRefusal},
    session,
    session_codes::{self, CodeWay},
    sign_in::SignIn,
    token::issue::{self, NewCode},
};

/// A redirect to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientRedirect {
    /// The client.
    pub client_id: String,
    /// The whole URL; it is always built from a registered redirect URI.
    pub location: String,
}

/// The answer to an authorization request.
#[derive(Debug)]
pub enum AuthorizeOutcome {
    /// An error page of ours: the redirect URI is not trusted.
    Page {
        /// What is wrong.
        why: &'static str,
    },
    /// Back to the client, with a code or an error.
    Client(ClientRedirect),
    /// The sign-in page.
    SignIn(NewSignInPage),
    /// The consent page.
    Consent(AuthorizePage, Box<LiveSession>),
    /// "Continue to X as Y".
    Confirm(AuthorizePage, Box<LiveSession>),
}

/// The content of a page about a request that has no row yet.
#[derive(Clone, Debug)]
pub struct AuthorizePage {
    /// The sealed request, for the page's `attempt` field.
    pub attempt: String,
    /// The checked request.
    pub request: AuthorizationRequest,
}

/// A sign-in page without a row.
#[derive(Clone, Debug)]
pub struct NewSignInPage {
    /// What it answers, sealed, for the page's `attempt` field.
    pub attempt: String,
    /// What it answers.
    pub request: AttemptRequest,
}

/// Answers an authorization request.
pub async fn start(
    cx: &Cx,
    params: &Params,
    browser_context: &BrowserContext,
) -> Result<AuthorizeOutcome> {
    match request::check(cx, params) {
        Ok((request, client)) => proceed(cx, browser_context, request, client).await,
        Err(rejected) => Ok(rejection_outcome(cx, &rejected)),
    }
}

fn rejection_outcome(cx: &Cx, rejected: &RejectedRequest) -> AuthorizeOutcome {
    match &rejected.refusal {
        RequestRefusal::Page { why } => AuthorizeOutcome::Page { why },
        RequestRefusal::Redirect(error) => {
            AuthorizeOutcome::Client(error_redirect(cx, &rejected.request, error))
        }
    }
}

/// Handles a posted authorization request: it comes from another site, so the browser withholds its cookies. The checked
/// request is sealed for a GET that carries them (decision 13).
pub fn post(cx: &Cx, params: &Params) -> Result<Result<String, AuthorizeOutcome>> {
    match request::check(cx, params) {
        Ok((request, _)) => seal_request(cx, request).map(Ok),
        Err(rejected) => Ok(Err(rejection_outcome(cx, &rejected))),
    }
}

/// Seals a checked request for [`resume`].
pub fn seal_request(cx: &Cx, request: AuthorizationRequest) -> Result<String> {
    let plain = serde_json::to_vec(&PostedRequest { request })?;
    Ok(cx.root.seal_text(&cx.rng, POSTED_AAD, &plain)?)
}

/// Handles the GET that [`post`] redirects to.
pub async fn resume(
    cx: &Cx,
    sealed: &str,
    browser_context: &BrowserContext,
) -> Result<AuthorizeOutcome> {
    let opened: Option<PostedRequest> = cx
        .root
        .open_text(POSTED_AAD, sealed)
        .ok()
        .and_then(|plain| serde_json::from_slice(&plain).ok());
    let Some(PostedRequest { request }) = opened else {
        return Ok(AuthorizeOutcome::Page { why: "the posted request is not from here" });
    };
    // It can be opened again from the history at any time, like the address of a request by GET.
    match cx.find_entitled_client(&request).cloned() {
        Some(client) => proceed(cx, browser_context, request, client).await,
        None => Ok(AuthorizeOutcome::Page {
            why: "the client is not registered any more, or not for this request",
        }),
    }
}

const POSTED_AAD: &[u8] = b"vestibule/posted-request/v1";

#[derive(Serialize, Deserialize)]
struct PostedRequest {
    request: AuthorizationRequest,
}

async fn proceed(
    cx: &Cx,
    browser_context: &BrowserContext,
    request: AuthorizationRequest,
    client: Arc<Client>,
) -> Result<AuthorizeOutcome> {
    let session = match &browser_context.session {
        Some(secret) => {
            let mut conn = cx.db.read().await?;
            session::live_with_consent(cx, &mut conn, Some(secret), Some(&client.id)).await?
        }
        None => None,
    };
    let signed_in =
        session.as_ref().map(|session| SignedInUser { session, fresh: false, confirmed: false });
    let mut need = interaction::decide(&request, &client, signed_in, cx.now);
    if request.prompt.none && need != Need::Nothing {
        let error = interaction::silent_error(&need, browser_context.top_level);
        return Ok(AuthorizeOutcome::Client(error_redirect(cx, &request, &error)));
    }
    if need == Need::Nothing
        && let Some(found) = &session
        && !session_codes::may_issue(cx, found.session.id, CodeWay::Silent).await
    {
        if request.prompt.none {
            let error = session_codes::too_many();
            return Ok(AuthorizeOutcome::Client(error_redirect(cx, &request, &error)));
        }
        need = Need::Confirm;
    }
    answer(cx, browser_context, request, need, session).await
}

async fn answer(
    cx: &Cx,
    browser_context: &BrowserContext,
    request: AuthorizationRequest,
    need: Need,
    session: Option<SessionWithConsent>,
) -> Result<AuthorizeOutcome> {
    let question = || -> Result<AuthorizePage> {
        let sealed = AttemptRequest::from(request.clone());
        let attempt = attempt::seal(cx, &browser_context.browser, Purpose::Ask, &sealed)?;
        Ok(AuthorizePage { attempt, request: request.clone() })
    };
    Ok(match (need, session.map(|session| session.session)) {
        (Need::Nothing, Some(session)) => {
            AuthorizeOutcome::Client(issue_silently(cx, &request, &session).await?)
        }
        (Need::Consent, Some(session)) => AuthorizeOutcome::Consent(question()?, Box::new(session)),
        (Need::Confirm, Some(session)) => AuthorizeOutcome::Confirm(question()?, Box::new(session)),
        (Need::Refuse(error), _) => AuthorizeOutcome::Client(error_redirect(cx, &request, &error)),
        (Need::SignIn, _) | (_, None) => {
            let request = AttemptRequest::from(request);
            AuthorizeOutcome::SignIn(new_sign_in_page(cx, browser_context, request)?)
        }
    })
}

/// The sign-in page of a request again, for example when another cookie has replaced the one it was sealed for.
pub(crate) fn sign_in_page(
    cx: &Cx,
    browser_context: &BrowserContext,
    request: AttemptRequest,
) -> Result<Option<NewSignInPage>> {
    if let Some(request) = request.authorization()
        && cx.find_entitled_client(request).is_none()
    {
        return Ok(None);
    }
    new_sign_in_page(cx, browser_context, request).map(Some)
}

/// A new sign-in page.
pub(crate) fn new_sign_in_page(
    cx: &Cx,
    browser_context: &BrowserContext,
    request: AttemptRequest,
) -> Result<NewSignInPage> {
    let attempt = attempt::seal(cx, &browser_context.browser, Purpose::SignIn, &request)?;
    Ok(NewSignInPage { attempt, request })
}

async fn issue_silently(
    cx: &Cx,
    request: &AuthorizationRequest,
    session: &LiveSession,
) -> Result<ClientRedirect> {
    let sign_in = SignIn::of_session(session);
    let code = cx
        .db
        .write(async |tx| {
            session::touch(cx, tx, session).await?;
            let new =
                NewCode { sign_in: &sign_in, session: session.id, attempt: None, is_first: false };
            issue::authorization_code(cx, tx, request, new).await
        })
        .await?;
    Ok(code_redirect(cx, request, code.reveal()))
}

/// The URL that returns a code to the client, with `state` and `iss` (RFC 9207).
#[must_use]
pub(crate) fn code_redirect(cx: &Cx, request: &AuthorizationRequest, code: &str) -> ClientRedirect {
    client_redirect(cx, request, &[("code", code)])
}

/// The URL that returns an error to the client.
#[must_use]
pub(crate) fn error_redirect(
    cx: &Cx,
    request: &AuthorizationRequest,
    error: &OAuthError,
) -> ClientRedirect {
    client_redirect(
        cx,
        request,
        &[("error", error.error), ("error_description", error.description)],
    )
}

fn client_redirect(
    cx: &Cx,
    request: &AuthorizationRequest,
    pairs: &[(&str, &str)],
) -> ClientRedirect {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs);
    if let Some(state) = &request.state {
        query.append_pair("state", state);
    }
    query.append_pair("iss", &cx.issuer);
    let base = &request.redirect_uri;
    // As text, so that the registered part stays byte for byte as it was registered.
    let joint = match base.split_once('?') {
        None => "?",
        Some((_, "")) => "",
        Some(_) => "&",
    };
    ClientRedirect {
        client_id: request.client_id.clone(),
        location: format!("{base}{joint}{}", query.finish()),
    }
}
