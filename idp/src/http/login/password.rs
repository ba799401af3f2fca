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
    Posted, cancel_or_restart, form_token::posted_attempt, password_page, rate_limit,
    respond::respond, unavailable,
};
use crate::{
    app::App,
    http::{
        error::Failure,
        extract::{BrowserRequest, Form},
        step,
    },
    view::{Problem, messages::PageText},
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
    let posted = Posted { attempt, email: form.text("email"), ..Posted::default() };
    match rate_limit::refused(&request, PostedStep::Password { email: posted.email }).await {
        Ok(None) => {}
        Ok(Some(crowded)) => {
            let answer = Answer::RateLimited { attempt: attempt.to_owned(), rate_limited: crowded };
            return respond(&app, &request, posted, answer).await;
        }
        Err(error) => return unavailable::failed(&app, &request, posted, error),
    }
    let answer = match cancel_or_restart(&request, &form, attempt).await? {
        Some(answer) => answer,
        None => match credentials(&request.text(&app), &form) {
            Ok((email, password)) => {
                let (cx, visit) = (&request.cx, &request.visit);
                match login::password::post(cx, visit, attempt, &email, password).await {
                    Err(error) => return unavailable::failed(&app, &request, posted, error),
                    Ok(answer) => answer,
                }
            }
            Err(problem) => {
                let shown = super::due(&request, attempt).await?;
                return password_page::render(&app, &request, &shown, posted.email, Some(problem));
            }
        },
    };
    respond(&app, &request, posted, answer).await
}

/// What was typed. A password that is too long to be one takes the time of one.
fn credentials(
    text: &PageText<'_>,
    form: &Form,
) -> Result<(EmailAddress, Option<Password>), Problem> {
    let email = EmailAddress::parse(form.text("email")).map_err(|bad| text.email(bad))?;
    if form.text("password").is_empty() {
        return Err(text.no_password());
    }
    Ok((email, Password::parse(form.text("password")).ok()))
}
