//! `/login/consent`: consent to scopes, and "Continue to X as Y".

use axum::{extract::State, response::Response};
use flows::{
    admission::PostedStep,
    authorize::{self, AuthorizePage},
    claims,
    consent::{self, ConsentDecision, ConsentOutcome},
    interaction::Need,
    request::AuthorizationRequest,
};
use store::session::LiveSession;

use super::{
    client_name,
    form_token::{attempt_form, posted_attempt},
    rate_limit, redirect_to_due_step, redirect_to_fresh, return_page,
};
use crate::{
    app::App,
    http::{
        error::Failure,
        extract::{BrowserRequest, Form, Query},
        oidc::authorize::posted_address,
        page, step,
    },
    view::{ConfirmPage, ConsentPage, Frame},
};

pub(in crate::http) async fn get(
    State(app): State<App>,
    request: BrowserRequest,
    Query(params): Query,
) -> Result<Response, Failure> {
    let attempt = params.get("attempt").unwrap_or_default();
    let Some(question) =
        consent::find_prompt(&request.cx, &request.browser_context, attempt).await?
    else {
        // There is nothing to answer here: the step that is due is shown, if there is one.
        return match consent::find_stale(&request.cx, &request.browser_context, attempt).await? {
            Some(sealed) => Ok(page::see_other(&posted_address(&sealed))),
            None => redirect_to_due_step(&app, &request, attempt).await,
        };
    };
    let session = &question.session.session;
    let about = ConsentSubject { attempt, request: &question.request, session };
    match question.need {
        Need::Consent => consent_page(&app, &request, &about).await,
        // Answered before, and opened again from the history: it can be answered again.
        Need::Confirm | Need::Nothing => confirm_page(&app, &request, &about),
        // Answered, and opened again later: the request needs another sign-in.
        Need::SignIn => {
            let sealed = authorize::seal_request(&request.cx, question.request)?;
            Ok(page::see_other(&posted_address(&sealed)))
        }
        Need::Refuse(_) => Err(Failure::StartAgain),
    }
}

pub(in crate::http) async fn post(
    State(app): State<App>,
    request: BrowserRequest,
    form: Form,
) -> Result<Response, Failure> {
    let attempt = match posted_attempt(&request, &form, &step::CONSENT).await? {
        Ok(attempt) => attempt,
        Err(response) => return Ok(response),
    };
    rate_limit::reject_if_limited(&request, PostedStep::AfterSecond { attempt }).await?;
    let decision = match form.text("action") {
        "allow" | "continue" => ConsentDecision::Allow,
        "restart" => ConsentDecision::OtherAccount,
        _ => ConsentDecision::Deny,
    };
    match consent::decide(&request.cx, &request.browser_context, attempt, decision).await? {
        ConsentOutcome::Client(to) => return_page::render(&app, &request, &to),
        ConsentOutcome::SignIn(asked) => redirect_to_fresh(&request, &asked, None, ""),
        ConsentOutcome::Decide(sealed) => Ok(page::see_other(&posted_address(&sealed))),
        ConsentOutcome::StartAgain => Err(Failure::StartAgain),
    }
}

/// The subject of a consent page or a confirmation page.
struct ConsentSubject<'a> {
    attempt: &'a str,
    request: &'a AuthorizationRequest,
    session: &'a LiveSession,
}

impl<'a> ConsentSubject<'a> {
    fn of(asked: &'a AuthorizePage, session: &'a LiveSession) -> Self {
        Self { attempt: &asked.attempt, request: &asked.request, session }
    }

    fn account(&self, f: Frame<'_>) -> String {
        let LiveSession { name, email, .. } = self.session;
        let person = ("person", name.as_str().into());
        match email {
            Some(email) => f.l.tr("account-lede", &[person, ("address", email.as_str().into())]),
            None => f.l.tr("account-lede-without-address", &[person]),
        }
    }
}

/// The consent page of a request that has no row.
pub(in crate::http) async fn ask_consent(
    app: &App,
    request: &BrowserRequest,
    asked: &AuthorizePage,
    session: &LiveSession,
) -> Result<Response, Failure> {
    consent_page(app, request, &ConsentSubject::of(asked, session)).await
}

/// The confirmation page of a request that has no row.
pub(in crate::http) fn ask_confirm(
    app: &App,
    request: &BrowserRequest,
    asked: &AuthorizePage,
    session: &LiveSession,
) -> Result<Response, Failure> {
    confirm_page(app, request, &ConsentSubject::of(asked, session))
}

async fn consent_page(
    app: &App,
    request: &BrowserRequest,
    about: &ConsentSubject<'_>,
) -> Result<Response, Failure> {
    let text = request.page_text(app);
    let f = text.f;
    let (user, scopes) = (about.session.user_id, &about.request.scopes);
    let scopes = claims::of_scopes(&request.cx, user, scopes).await?;
    let client_id = &about.request.client_id;
    let registered = request.cx.clients.get(client_id);
    let client = client_name(request, client_id);
    let html = ConsentPage {
        form: attempt_form(request, &step::CONSENT, about.attempt, None),
        title: f.l.tr("consent-title", &[("client", client.into())]),
        lede: f.l.tr("consent-lede", &[("client", client.into())]),
        scopes: scopes.iter().filter_map(|(scope, values)| text.shared(scope, values)).collect(),
        privacy: registered.and_then(|client| client.metadata.privacy_link()),
        privacy_text: f.l.tr("consent-privacy", &[("client", client.into())]),
        back: f.l.tr("consent-back", &[("client", client.into())]),
        account: about.account(f),
        f,
    };
    page::render_form(&html, request)
}

fn confirm_page(
    app: &App,
    request: &BrowserRequest,
    about: &ConsentSubject<'_>,
) -> Result<Response, Failure> {
    let f = Frame::of(&app.brand, request.locale);
    let client = client_name(request, &about.request.client_id);
    let html = ConfirmPage {
        form: attempt_form(request, &step::CONSENT, about.attempt, None),
        title: f.l.tr("confirm-title", &[("client", client.into())]),
        text: f.l.tr("confirm-text", &[("client", client.into())]),
        account: about.account(f),
        f,
    };
    page::render_form(&html, request)
}
