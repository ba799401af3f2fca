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
    Token, Typed, asked_as_shown, attempt, client_name, later, respond, source, step, way_out,
    words::Voice,
};
use crate::{
    app::App,
    http::{
        error::Failure,
        extract::{Ask, Form, Query},
        page,
    },
    view::{PasswordPage, Problem},
};

/// Where it is.
pub(in crate::http) const PATH: &str = "/login/password";

pub(in crate::http) async fn get(
    State(app): State<App>,
    ask: Ask,
    Query(params): Query,
) -> Result<Response, Failure> {
    super::get(&app, &ask, params.get("attempt").unwrap_or_default(), Due::Password).await
}

pub(in crate::http) async fn post(
    State(app): State<App>,
    mut ask: Ask,
    form: Form,
) -> Result<Response, Failure> {
    if ask.uncounted {
        if let Some(turned_away) = later::turned_away(&app, &ask, &form) {
            return turned_away;
        }
        ask.crowded = network::post(&ask.cx).await?;
    }
    let name = match attempt(&app, &ask, &form, step::PASSWORD).await? {
        Ok(name) => name,
        Err(response) => return Ok(response),
    };
    let typed = Typed { email: form.text("email"), ..Typed::default() };
    let (cx, visit) = (&ask.cx, &ask.visit);
    match crowded(&ask, typed.email).await {
        Ok(None) => {}
        Ok(Some(crowded)) => {
            let answer = Answer::Crowded { attempt: name.to_owned(), crowded };
            return respond(&app, &ask, (name, typed), answer).await;
        }
        Err(error) => return later::failed(&app, &ask, (name, typed.email), error),
    }
    let answer = match way_out(&ask, &form, name).await? {
        Some(answer) => answer,
        None => match credentials(&Voice::of(&app, &ask), &form) {
            Ok((email, password)) => {
                let judged = login::password::post(cx, visit, name, &email, password);
                match judged.await {
                    Err(error) => return later::failed(&app, &ask, (name, typed.email), error),
                    Ok(answer) => answer,
                }
            }
            Err(problem) => {
                let shown = super::due(&ask, name).await?;
                return render(&app, &ask, &shown, (typed.email, Some(problem)));
            }
        },
    };
    respond(&app, &ask, (name, typed), answer).await
}

/// Whether a post beyond the limit of its network is refused. Here the address that was typed says whose device it may be.
async fn crowded(ask: &Ask, email: &str) -> flows::Result<Option<Crowded>> {
    let Some(crowded) = ask.crowded else { return Ok(None) };
    let account = match EmailAddress::parse(email) {
        Ok(email) => device::account(&ask.cx, &ask.visit, email.canonical()).await?,
        Err(_) => None,
    };
    Ok(super::beyond(ask, crowded, account).await)
}

/// What was typed. A password that is too long to be anybody's is none, and takes the time of one.
fn credentials(
    voice: &Voice<'_>,
    form: &Form,
) -> Result<(EmailAddress, Option<Password>), Problem> {
    let email = EmailAddress::parse(form.text("email")).map_err(|bad| voice.email(bad))?;
    if form.text("password").is_empty() {
        return Err(voice.no_password());
    }
    Ok((email, Password::parse(form.text("password")).ok()))
}

/// The sign-in page of a request that has no row yet.
pub(in crate::http) fn page(app: &App, ask: &Ask, asked: &Asked) -> Result<Response, Failure> {
    render(app, ask, &asked_as_shown(asked), ("", None))
}

/// The page, with the address as it was typed or hinted.
pub(super) fn render(
    app: &App,
    ask: &Ask,
    shown: &Shown,
    (email, problem): (&str, Option<Problem>),
) -> Result<Response, Failure> {
    let f = Voice::of(app, ask).f;
    let token = Token::new(ask, &shown.attempt, step::PASSWORD);
    let hint = shown.request.login_hint.as_deref().unwrap_or_default();
    let client = client_name(ask, &shown.request.client_id);
    let html = PasswordPage {
        hidden: token.hidden(),
        problem,
        lede: f.l.tr("password-lede", &[("client", client.into())]),
        email: if email.is_empty() { hint } else { email },
        f,
    };
    page::form(&html, StatusCode::OK, source(shown).as_deref(), ask)
}
