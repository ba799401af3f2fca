//! `/login/new-password`.

use axum::{extract::State, http::StatusCode, response::Response};
use flows::{
    admission::PostedStep,
    login::{self, SignInPage},
};

use super::{
    Posted, cancel_or_restart,
    form_token::{hidden, posted_attempt},
    rate_limit,
    respond::respond,
    source,
};
use crate::{
    app::App,
    http::{
        error::Failure,
        extract::{BrowserRequest, Form},
        page, step,
    },
    view::{Frame, NewPasswordPage, Problem},
};

pub(in crate::http) async fn post(
    State(app): State<App>,
    request: BrowserRequest,
    form: Form,
) -> Result<Response, Failure> {
    let attempt = match posted_attempt(&app, &request, &form, &step::NEW_PASSWORD).await? {
        Ok(attempt) => attempt,
        Err(response) => return Ok(response),
    };
    rate_limit::check(&request, PostedStep::AfterSecond { attempt }).await?;
    let new = form.text("new_password");
    let no_new_password = new.trim().is_empty();
    let posted = Posted { attempt, no_new_password, ..Posted::default() };
    let answer = match cancel_or_restart(&request, &form, attempt).await? {
        Some(answer) => answer,
        None => login::new_password::post(&request.cx, &request.visit, attempt, new).await?,
    };
    respond(&app, &request, posted, answer).await
}

/// The page; a new password is never put back into it.
pub(super) fn render(
    app: &App,
    request: &BrowserRequest,
    shown: &SignInPage,
    email: &str,
    problem: Option<Problem>,
) -> Result<Response, Failure> {
    let f = Frame::of(&app.brand, request.locale);
    let length = request.cx.settings.password_min_length;
    let html = NewPasswordPage {
        hidden: hidden(request, &step::NEW_PASSWORD, &shown.attempt),
        problem,
        rule: f.l.tr("new-rule", &[("length", length.into())]),
        email,
        f,
    };
    page::form(&html, StatusCode::OK, source(shown).as_deref(), request)
}
