//! The page of the first step.

use axum::response::Response;
use flows::{
    authorize::NewSignInPage,
    login::{SignInPage, posted_refusal::PostedRefusal},
};

use super::{StepPage, client_name, form_token::step_form, passkey_form};
use crate::{
    app::App,
    http::{error::Failure, extract::BrowserRequest, page, step},
    view::{FormProblem, Frame, PasswordPage},
};

/// The sign-in page of an authorization request.
pub(in crate::http) fn render_new(
    app: &App,
    request: &BrowserRequest,
    asked: &NewSignInPage,
) -> Result<Response, Failure> {
    render_new_for(app, request, asked, "")
}

/// The same, with the address of a person who is to sign in again.
pub(in crate::http) fn render_new_for(
    app: &App,
    request: &BrowserRequest,
    asked: &NewSignInPage,
    email: &str,
) -> Result<Response, Failure> {
    let page = SignInPage::unsaved(&asked.attempt, asked.request.clone());
    let shown = StepPage { page: &page, posted: PostedRefusal::new(None, email), refused: None };
    render(app, request, &shown, Vec::new())
}

/// The page, with the address as it was typed or hinted.
pub(super) fn render(
    app: &App,
    request: &BrowserRequest,
    shown: &StepPage<'_>,
    problems: Vec<FormProblem>,
) -> Result<Response, Failure> {
    let f = Frame::of(&app.brand, request.locale);
    let (asked, typed) = (&shown.page.request, shown.posted.typed.as_str());
    let lede = match asked.client_id() {
        Some(client) => {
            let client = ("client", client_name(request, client).into());
            f.l.tr("password-lede", &[client])
        }
        None => f.l.t("password-lede-account").to_owned(),
    };
    let hint = asked.authorization().and_then(|request| request.login_hint.as_deref());
    let html = PasswordPage {
        form: step_form(request, &step::PASSWORD, shown),
        problems,
        lede,
        passkey: passkey_form::sign_in_form(request, &shown.page.location.attempt)?,
        email: if typed.is_empty() { hint.unwrap_or_default() } else { typed },
        f,
    };
    page::render_form(&html, request)
}
