//! `/login/new-password`.

use axum::{extract::State, response::Response};
use flows::login;

use super::{StepPage, form_token::step_form, step_post::answer_post};
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
    let (cx, browser_context) = (&request.cx, &request.browser_context);
    answer_post(&app, &request, &form, (&step::NEW_PASSWORD, ""), async |attempt| {
        let typed = form.text("new_password");
        login::new_password::post(cx, browser_context, attempt, typed).await
    })
    .await
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
