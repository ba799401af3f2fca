//! The page of the first step.

use axum::{http::StatusCode, response::Response};
use flows::{authorize::AuthorizePage, login::SignInPage};

use super::{client_name, form_action_origin, form_token::hidden, to_sign_in_page};
use crate::{
    app::App,
    http::{error::Failure, extract::BrowserRequest, page, step},
    view::{FormProblem, Frame, PasswordPage},
};

/// The sign-in page of a request that has no row yet.
pub(in crate::http) fn render_new(
    app: &App,
    request: &BrowserRequest,
    asked: &AuthorizePage,
) -> Result<Response, Failure> {
    render(app, request, &to_sign_in_page(asked), "", None)
}

/// The page, with the address as it was typed or hinted.
pub(super) fn render(
    app: &App,
    request: &BrowserRequest,
    shown: &SignInPage,
    email: &str,
    problem: Option<FormProblem>,
) -> Result<Response, Failure> {
    let f = Frame::of(&app.brand, request.locale);
    let hint = shown.request.login_hint.as_deref().unwrap_or_default();
    let client = client_name(request, &shown.request.client_id);
    let html = PasswordPage {
        hidden: hidden(request, &step::PASSWORD, &shown.attempt),
        problem,
        lede: f.l.tr("password-lede", &[("client", client.into())]),
        email: if email.is_empty() { hint } else { email },
        f,
    };
    page::render_form(&html, StatusCode::OK, form_action_origin(shown).as_deref(), request)
}
