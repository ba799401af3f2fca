//! `/login/password`.

use axum::{extract::State, http::StatusCode, response::Response};
use flows::{
    authorize::Asked,
    device,
    email::EmailAddress,
    login::{self, Answer, Due, Shown},
    network::{self, Crowded},
};
use keys::Password;

use super::{
    Token, Typed, asked_as_shown, attempt, cancel_or_restart, client_name, respond, source, step,
    unavailable,
};
use crate::{
    app::App,
    http::{
        error::Failure,
        extract::{BrowserRequest, Form, Query},
        page,
    },
    view::{PasswordPage, Problem, messages::PageText},
};

/// Where it is.
pub(in crate::http) const PATH: &str = "/login/password";

pub(in crate::http) async fn get(
    State(app): State<App>,
    request: BrowserRequest,
    Query(params): Query,
) -> Result<Response, Failure> {
    super::get(&app, &request, params.get("attempt").unwrap_or_default(), Due::Password).await
}

pub(in crate::http) async fn post(
    State(app): State<App>,
    mut request: BrowserRequest,
    form: Form,
) -> Result<Response, Failure> {
    if request.uncounted {
        if let Some(rejected) = unavailable::reject_if_full(&app, &request, &form) {
            return rejected;
        }
        request.crowded = network::post(&request.cx).await?;
    }
    let name = match attempt(&app, &request, &form, step::PASSWORD).await? {
        Ok(name) => name,
        Err(response) => return Ok(response),
    };
    let typed = Typed { email: form.text("email"), ..Typed::default() };
    let (cx, visit) = (&request.cx, &request.visit);
    match crowded(&request, typed.email).await {
        Ok(None) => {}
        Ok(Some(crowded)) => {
            let answer = Answer::Crowded { attempt: name.to_owned(), crowded };
            return respond(&app, &request, (name, typed), answer).await;
        }
        Err(error) => return unavailable::failed(&app, &request, (name, typed.email), error),
    }
    let answer = match cancel_or_restart(&request, &form, name).await? {
        Some(answer) => answer,
        None => match credentials(&request.text(&app), &form) {
            Ok((email, password)) => {
                let judged = login::password::post(cx, visit, name, &email, password);
                match judged.await {
                    Err(error) => {
                        return unavailable::failed(&app, &request, (name, typed.email), error);
                    }
                    Ok(answer) => answer,
                }
            }
            Err(problem) => {
                let shown = super::due(&request, name).await?;
                return render(&app, &request, &shown, (typed.email, Some(problem)));
            }
        },
    };
    respond(&app, &request, (name, typed), answer).await
}

/// Whether a post beyond the limit of its network is refused. Here the address that was typed says whose device it may be.
async fn crowded(request: &BrowserRequest, email: &str) -> flows::Result<Option<Crowded>> {
    let Some(crowded) = request.crowded else { return Ok(None) };
    let account = match EmailAddress::parse(email) {
        Ok(email) => device::account(&request.cx, &request.visit, email.canonical()).await?,
        Err(_) => None,
    };
    Ok(super::beyond(request, crowded, account).await)
}

/// What was typed. A password that is too long to be anybody's is none, and takes the time of one.
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
    render(app, request, &asked_as_shown(asked), ("", None))
}

/// The page, with the address as it was typed or hinted.
pub(super) fn render(
    app: &App,
    request: &BrowserRequest,
    shown: &Shown,
    (email, problem): (&str, Option<Problem>),
) -> Result<Response, Failure> {
    let f = request.text(app).f;
    let token = Token::new(request, &shown.attempt, step::PASSWORD);
    let hint = shown.request.login_hint.as_deref().unwrap_or_default();
    let client = client_name(request, &shown.request.client_id);
    let html = PasswordPage {
        hidden: token.hidden(),
        problem,
        lede: f.l.tr("password-lede", &[("client", client.into())]),
        email: if email.is_empty() { hint } else { email },
        f,
    };
    page::form(&html, StatusCode::OK, source(shown).as_deref(), request)
}
