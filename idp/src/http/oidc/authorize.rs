//! `/oauth2/authorize`.

use axum::{extract::State, response::Response};
use flows::authorize::{self, AuthorizeOutcome};

use crate::{
    app::App,
    http::{
        error::Failure,
        extract::{BrowserRequest, Form, Query},
        login, page,
    },
};

/// The parameter that carries a posted request to its GET.
const POSTED: &str = "posted";

/// Answers a request. The session counts on top-level navigation only, not in a frame.
pub(in crate::http) async fn get(
    State(app): State<App>,
    mut request: BrowserRequest,
    Query(params): Query,
) -> Result<Response, Failure> {
    if !request.browser_context.top_level {
        request.browser_context.session = None;
    }
    let outcome = match params.get(POSTED) {
        Some(sealed) => authorize::resume(&request.cx, sealed, &request.browser_context).await?,
        None => authorize::start(&request.cx, &params, &request.browser_context).await?,
    };
    respond(&app, &mut request, outcome).await
}

/// A post from another site has no cookies, so it is redirected to a GET of the same request, which has them.
pub(in crate::http) async fn post(
    State(app): State<App>,
    mut request: BrowserRequest,
    Form(params): Form,
) -> Result<Response, Failure> {
    match authorize::post(&request.cx, &params)? {
        Ok(sealed) => Ok(page::see_other(&posted_address(&sealed))),
        Err(outcome) => respond(&app, &mut request, outcome).await,
    }
}

/// The address that decides about a sealed request.
pub(in crate::http) fn posted_address(sealed: &str) -> String {
    format!("{}?{POSTED}={sealed}", flows::discovery::path::AUTHORIZE)
}

async fn respond(
    app: &App,
    request: &mut BrowserRequest,
    outcome: AuthorizeOutcome,
) -> Result<Response, Failure> {
    let shown = match &outcome {
        AuthorizeOutcome::SignIn(asked) => asked.request.authorization(),
        AuthorizeOutcome::Consent(asked, _) | AuthorizeOutcome::Confirm(asked, _) => {
            Some(&asked.request)
        }
        AuthorizeOutcome::Page { .. } | AuthorizeOutcome::Client(_) => None,
    };
    if let Some(shown) = shown {
        request.apply_ui_locales(app, shown.ui_locales.as_deref());
    }
    match outcome {
        AuthorizeOutcome::Page { why } => Err(Failure::UntrustedRequest(why)),
        AuthorizeOutcome::Client(to) => Ok(page::see_other(&to.location)),
        AuthorizeOutcome::SignIn(asked) => login::password_page::render_new(app, request, &asked),
        AuthorizeOutcome::Consent(asked, session) => {
            login::consent::ask_consent(app, request, &asked, &session).await
        }
        AuthorizeOutcome::Confirm(asked, session) => {
            login::consent::ask_confirm(app, request, &asked, &session)
        }
    }
}
