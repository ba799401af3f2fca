//! The page of the first step.

use axum::{http::StatusCode, response::Response};
use flows::{authorize::AuthorizePage, login::SignInPage};

use super::{asked_as_shown, client_name, form_token::hidden, source};
use crate::{
    app::App,
    http::{error::Failure, extract::BrowserRequest, page, step},
    view::{Frame, PasswordPage, Problem},
};

/// The sign-in page of a request that has no row yet.
pub(in crate::http) fn page(
    app: &App,
    request: &BrowserRequest,
    asked: &AuthorizePage,
) -> Result<Response, Failure> {
    render(app, request, &asked_as_shown(asked), "", None)
}

/// The page, with the address as it was typed or hinted.
pub(super) fn render(
    app: &App,
    request: &BrowserRequest,
    shown: &SignInPage,
    email: &str,
    problem: Option<Problem>,
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
    page::form(&html, StatusCode::OK, source(shown).as_deref(), request)
}
