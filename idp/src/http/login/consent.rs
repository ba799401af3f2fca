//! `/login/consent`: consent to scopes, and "Continue to X as Y".

use axum::{extract::State, http::StatusCode, response::Response};
use flows::{
    authorize::{Asked, form_action_source},
    consent::{self, Decided, Decision},
    interaction::Need,
    login::Due,
    request::AuthorizationRequest,
};
use store::session::LiveSession;

use super::{Token, attempt, client_name, password, step, words::Voice};
use crate::{
    app::App,
    http::{
        error::Failure,
        extract::{Ask, Form, Query},
        page,
    },
    view::{ConfirmPage, ConsentPage, Frame},
};

pub(in crate::http) async fn get(
    State(app): State<App>,
    ask: Ask,
    Query(params): Query,
) -> Result<Response, Failure> {
    let name = params.get("attempt").unwrap_or_default();
    let Some(question) = consent::question(&ask.cx, &ask.visit, name).await? else {
        // Not answered here: the step that is due is shown, if there is one.
        return super::elsewhere(&ask, name).await;
    };
    let about =
        About { attempt: name, request: &question.request, session: &question.session.live };
    match question.need {
        Need::Consent => consent_page(&app, &ask, &about),
        // Answered before, and opened again from the history: it can be answered again.
        Need::Confirm | Need::Nothing => confirm_page(&app, &ask, &about),
        Need::SignIn | Need::Refuse(_) => Err(Failure::StartAgain),
    }
}

pub(in crate::http) async fn post(
    State(app): State<App>,
    ask: Ask,
    form: Form,
) -> Result<Response, Failure> {
    let name = match attempt(&app, &ask, &form, step::CONSENT).await? {
        Ok(name) => name,
        Err(response) => return Ok(response),
    };
    super::heard_at(&ask, name, Due::Complete).await?;
    let decision = match form.text("action") {
        "allow" | "continue" => Decision::Allow,
        "restart" => Decision::OtherAccount,
        _ => Decision::Deny,
    };
    match consent::decide(&ask.cx, &ask.visit, name, decision).await? {
        Decided::Client(to) => Ok(page::see_other(&to.location)),
        Decided::SignIn(asked) => password::page(&app, &ask, &asked),
        Decided::StartAgain => Err(Failure::StartAgain),
    }
}

/// What a question is about.
struct About<'a> {
    attempt: &'a str,
    request: &'a AuthorizationRequest,
    session: &'a LiveSession,
}

impl<'a> About<'a> {
    fn of(asked: &'a Asked, session: &'a LiveSession) -> Self {
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
pub(in crate::http) fn ask_consent(
    app: &App,
    ask: &Ask,
    asked: &Asked,
    session: &LiveSession,
) -> Result<Response, Failure> {
    consent_page(app, ask, &About::of(asked, session))
}

/// The confirmation page of a request that has no row.
pub(in crate::http) fn ask_confirm(
    app: &App,
    ask: &Ask,
    asked: &Asked,
    session: &LiveSession,
) -> Result<Response, Failure> {
    confirm_page(app, ask, &About::of(asked, session))
}

fn consent_page(app: &App, ask: &Ask, about: &About<'_>) -> Result<Response, Failure> {
    let voice = Voice::of(app, ask);
    let f = voice.f;
    let token = Token::new(ask, about.attempt, step::CONSENT);
    let client = client_name(ask, &about.request.client_id);
    let html = ConsentPage {
        hidden: token.hidden(),
        title: f.l.tr("consent-title", &[("client", client.into())]),
        lede: f.l.tr("consent-lede", &[("client", client.into())]),
        scopes: about.request.scopes.iter().filter_map(|scope| voice.scope(scope)).collect(),
        account: about.account(f),
        f,
    };
    let source = form_action_source(&about.request.redirect_uri);
    page::form(&html, StatusCode::OK, source.as_deref(), ask)
}

fn confirm_page(app: &App, ask: &Ask, about: &About<'_>) -> Result<Response, Failure> {
    let f = Frame::of(&app.brand, ask.locale);
    let token = Token::new(ask, about.attempt, step::CONSENT);
    let client = client_name(ask, &about.request.client_id);
    let html = ConfirmPage {
        hidden: token.hidden(),
        title: f.l.tr("confirm-title", &[("client", client.into())]),
        text: f.l.tr("confirm-text", &[("client", client.into())]),
        account: about.account(f),
        f,
    };
    let source = form_action_source(&about.request.redirect_uri);
    page::form(&html, StatusCode::OK, source.as_deref(), ask)
}
