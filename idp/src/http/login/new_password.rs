//! `/login/new-password`.

use axum::{extract::State, response::Response};
use flows::{admission::PostedStep, login};

use super::{
    StepPage, cancel_or_restart,
    form_token::{posted_attempt, step_form},
    rate_limit,
    respond::{PostedForm, respond},
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
    let attempt = match posted_attempt(&request, &form, &step::NEW_PASSWORD).await? {
        Ok(attempt) => attempt,
        Err(response) => return Ok(response),
    };
    let posted = PostedForm { attempt, typed: "" };
    let posted_step = PostedStep::AfterSecond { attempt };
    if let Some(limited) =
        rate_limit::respond_if_limited(&app, &request, posted, posted_step).await?
    {
        return Ok(limited);
    }
    let answer = if let Some(answer) = cancel_or_restart(&request, &form, attempt).await? {
        answer
    } else {
        let (cx, browser_context) = (&request.cx, &request.browser_context);
        login::new_password::post(cx, browser_context, attempt, form.text("new_password")).await?
    };
    respond(&app, &request, posted, answer).await
}

/// The page; a new password is never put back into it.
pub(super) fn render(
    app: &App,
    request: &BrowserRequest,
    shown: &StepPage<'_>,
    email: &str,
    problem: Option<FormProblem>,
) -> Result<Response, Failure> {
    let f = Frame::of(&app.brand, request.locale);
    let length = request.cx.settings.password_min_length;
    let html = NewPasswordPage {
        form: step_form(request, &step::NEW_PASSWORD, shown),
        problems: problem.into_iter().collect(),
        rule: f.l.tr("new-rule", &[("length", length.into())]),
        email,
        f,
    };
    page::render_form(&html, request)
}
