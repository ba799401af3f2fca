//! `/login/password`.

use axum::{extract::State, http::StatusCode, response::Response};
use flows::{
    authorize::Asked,
    email::EmailAddress,
    login::{self, Answer, Shown},
    network,
};
use keys::Password;

use super::{
    Posted, asked_as_shown, cancel_or_restart, client_name,
    form_token::{hidden, posted_attempt},
    rate_limit,
    respond::respond,
    source, unavailable,
};
use crate::{
    app::App,
    http::{
        error::Failure,
        extract::{BrowserRequest, Form},
        page, step,
    },
    view::{Frame, PasswordPage, Problem, messages::PageText},
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
        request.rate_limited = network::post(&request.cx).await?;
    }
    let attempt = match posted_attempt(&app, &request, &form, &step::PASSWORD).await? {
        Ok(attempt) => attempt,
        Err(response) => return Ok(response),
    };
    let posted = Posted { attempt, email: form.text("email"), ..Posted::default() };
    match rate_limit::of_address(&request, posted.email).await {
        Ok(None) => {}
        Ok(Some(crowded)) => {
            let answer = Answer::Crowded { attempt: attempt.to_owned(), crowded };
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
                return render(&app, &request, &shown, posted.email, Some(problem));
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

/// The sign-in page of a request that has no row yet.
pub(in crate::http) fn page(
    app: &App,
    request: &BrowserRequest,
    asked: &Asked,
) -> Result<Response, Failure> {
    render(app, request, &asked_as_shown(asked), "", None)
}

/// The page, with the address as it was typed or hinted.
pub(super) fn render(
    app: &App,
    request: &BrowserRequest,
    shown: &Shown,
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
