//! The page of the first step.

use axum::response::Response;
use flows::{
    authorize::AuthorizePage,
    login::{SignInPage, posted_refusal::PostedRefusal},
};

use super::{StepPage, client_name, form_token::step_form};
use crate::{
    app::App,
    http::{error::Failure, extract::BrowserRequest, page, step},
    view::{FormProblem, Frame, PasswordPage},
};

/// The sign-in page of an authorization request.
pub(in crate::http) fn render_new(
    app: &App,
    request: &BrowserRequest,
    asked: &AuthorizePage,
) -> Result<Response, Failure> {
    let page = SignInPage::unsaved(&asked.attempt, asked.request.clone());
    let shown = StepPage { page: &page, posted: PostedRefusal::default(), refused: None };
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
    let client = client_name(request, &asked.client_id);
    let html = PasswordPage {
        form: step_form(request, &step::PASSWORD, shown),
        problems,
        lede: f.l.tr("password-lede", &[("client", client.into())]),
        email: if typed.is_empty() {
            asked.login_hint.as_deref().unwrap_or_default()
        } else {
            typed
        },
        f,
    };
    page::render_form(&html, request)
}
