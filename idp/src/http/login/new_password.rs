//! `/login/new-password`.

use axum::{extract::State, http::StatusCode, response::Response};
use flows::{
    admission::PostedStep,
    login::{self, SignInPage},
};

use super::{
    PostedForm, cancel_or_restart, form_action_origin,
    form_token::{hidden, posted_attempt},
    rate_limit,
    respond::respond,
};
use crate::{
    app::App,
    http::{
        error::Failure,
        extract::{BrowserRequest, Form},
        page, step,
    },
    view::{FormProblem, Frame, NewPasswordPage},
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
    rate_limit::reject_if_limited(&request, PostedStep::AfterSecond { attempt }).await?;
    let new = form.text("new_password");
    let no_new_password = new.trim().is_empty();
    let posted = PostedForm { attempt, no_new_password, ..PostedForm::default() };
    let answer = match cancel_or_restart(&request, &form, attempt).await? {
        Some(answer) => answer,
        None => {
            login::new_password::post(&request.cx, &request.browser_context, attempt, new).await?
        }
    };
    respond(&app, &request, posted, answer).await
}

/// The page; a new password is never put back into it.
pub(super) fn render(
    app: &App,
    request: &BrowserRequest,
    shown: &SignInPage,
    email: &str,
    problem: Option<FormProblem>,
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
    page::render_form(&html, StatusCode::OK, form_action_origin(shown).as_deref(), request)
}
