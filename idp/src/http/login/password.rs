//! `/login/password`.

use axum::{extract::State, response::Response};
use flows::{
    admission::PostedStep,
    email::EmailAddress,
    login::{
        self, Answer,
        posted_refusal::PostedRefusal,
        refusal::{PasswordRefusal, Refusal},
    },
    network,
};
use keys::Password;

use super::{
    cancel_or_restart,
    form_token::posted_attempt,
    rate_limit,
    redirect::redirect_refused,
    respond::{PostedForm, respond},
    unavailable,
};
use crate::{
    app::App,
    http::{
        error::Failure,
        extract::{BrowserRequest, Form},
        step,
    },
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
    let attempt = match posted_attempt(&request, &form, &step::PASSWORD).await? {
        Ok(attempt) => attempt,
        Err(response) => return Ok(response),
    };
    let posted = PostedForm { attempt, typed: form.text("email") };
    match rate_limit::reached_limit(&request, PostedStep::Password { email: posted.typed }).await {
        Ok(None) => {}
        Ok(Some(rate_limited)) => {
            let answer = Answer::RateLimited { attempt: attempt.to_owned(), rate_limited };
            return respond(&app, &request, posted, answer).await;
        }
        Err(error) => return unavailable::respond_failed(&app, &request, posted, error),
    }
    let answer = match cancel_or_restart(&request, &form, attempt).await? {
        Some(answer) => answer,
        None => match credentials(&form) {
            Ok((email, password)) => {
                let (cx, browser_context) = (&request.cx, &request.browser_context);
                match login::password::post(cx, browser_context, attempt, &email, password).await {
                    Err(error) => {
                        return unavailable::respond_failed(&app, &request, posted, error);
                    }
                    Ok(answer) => {
                        // The network was counted before the account was read, whose share of the queue is full.
                        if matches!(answer, Answer::Busy { .. }) && request.rate_limited.is_none() {
                            network::refund_post(&request.cx).await;
                        }
                        answer
                    }
                }
            }
            Err(refusal) => {
                let refused = PostedRefusal::new(Some(Refusal::Password(refusal)), posted.typed);
                return redirect_refused(&request, attempt, refused).await;
            }
        },
    };
    respond(&app, &request, posted, answer).await
}

/// What was typed. A password that is longer than any can be takes the time of one.
fn credentials(form: &Form) -> Result<(EmailAddress, Option<Password>), PasswordRefusal> {
    let (email, password) = (EmailAddress::parse(form.text("email")), form.text("password"));
    match email {
        Ok(email) if !password.is_empty() => Ok((email, Password::parse(password).ok())),
        email => {
            let no_password = password.is_empty();
            Err(PasswordRefusal::Fields { email: email.err(), no_password })
        }
    }
}
