//! `/login/password`.

use axum::{extract::State, response::Response};
use flows::{
    admission::PostedStep,
    email::EmailAddress,
    login::{self, Answer},
    network,
};
use keys::Password;

use super::{
    PostedForm, cancel_or_restart, form_token::posted_attempt, password_page, rate_limit,
    respond::respond, unavailable,
};
use crate::{
    app::App,
    http::{
        error::Failure,
        extract::{BrowserRequest, Form},
        step,
    },
    view::{FormProblem, messages::PageText},
};

pub(in crate::http) async fn post(
    State(app): State<App>,
    mut request: BrowserRequest,
    form: Form,
) -> Result<Response, Failure> {
    if request.count_deferred {
        if let Some(rejected) = unavailable::reject_if_full(&app, &request, &form) {
            return rejected;
        }
        request.rate_limited = network::count_post(&request.cx).await?;
    }
    let attempt = match posted_attempt(&app, &request, &form, &step::PASSWORD).await? {
        Ok(attempt) => attempt,
        Err(response) => return Ok(response),
    };
    let posted = PostedForm { attempt, email: form.text("email"), ..PostedForm::default() };
    match rate_limit::reached_limit(&request, PostedStep::Password { email: posted.email }).await {
        Ok(None) => {}
        Ok(Some(rate_limited)) => {
            let answer = Answer::RateLimited { attempt: attempt.to_owned(), rate_limited };
            return respond(&app, &request, posted, answer).await;
        }
        Err(error) => return unavailable::respond_failed(&app, &request, posted, error),
    }
    let answer = match cancel_or_restart(&request, &form, attempt).await? {
        Some(answer) => answer,
        None => match credentials(&request.page_text(&app), &form) {
            Ok((email, password)) => {
                let (cx, browser_context) = (&request.cx, &request.browser_context);
                match login::password::post(cx, browser_context, attempt, &email, password).await {
                    Err(error) => {
                        return unavailable::respond_failed(&app, &request, posted, error);
                    }
                    Ok(answer) => answer,
                }
            }
            Err(problem) => {
                let shown = super::load_due_page(&request, attempt).await?;
                return password_page::render(&app, &request, &shown, posted.email, Some(problem));
            }
        },
    };
    respond(&app, &request, posted, answer).await
}

/// The typed address and password. A password that is too long is `None`, and takes as long to check as any other.
fn credentials(
    text: &PageText<'_>,
    form: &Form,
) -> Result<(EmailAddress, Option<Password>), FormProblem> {
    let email = EmailAddress::parse(form.text("email")).map_err(|bad| text.email_problem(bad))?;
    if form.text("password").is_empty() {
        return Err(text.missing_password());
    }
    Ok((email, Password::parse(form.text("password")).ok()))
}
