//! `/login/new-password`.

use axum::{extract::State, http::StatusCode, response::Response};
use flows::login::{self, Due, Shown};

use super::{Token, Typed, attempt, respond, source, step, way_out};
use crate::{
    app::App,
    http::{
        error::Failure,
        extract::{Ask, Form, Query},
        page,
    },
    view::{Frame, NewPasswordPage, Problem},
};

pub(in crate::http) async fn get(
    State(app): State<App>,
    ask: Ask,
    Query(params): Query,
) -> Result<Response, Failure> {
    super::get(&app, &ask, params.get("attempt").unwrap_or_default(), Due::NewPassword).await
}

pub(in crate::http) async fn post(
    State(app): State<App>,
    ask: Ask,
    form: Form,
) -> Result<Response, Failure> {
    let name = match attempt(&app, &ask, &form, step::NEW_PASSWORD).await? {
        Ok(name) => name,
        Err(response) => return Ok(response),
    };
    super::heard_at(&ask, name, Due::NewPassword).await?;
    let new = form.text("new_password");
    let typed = Typed { nothing: new.trim().is_empty(), ..Typed::default() };
    let answer = match way_out(&ask, &form, name).await? {
        Some(answer) => answer,
        None => login::new_password::post(&ask.cx, &ask.visit, name, new).await?,
    };
    respond(&app, &ask, (name, typed), answer).await
}

/// The page; a new password is never put back into it.
pub(super) fn render(
    app: &App,
    ask: &Ask,
    shown: &Shown,
    (email, problem): (&str, Option<Problem>),
) -> Result<Response, Failure> {
    let f = Frame::of(&app.brand, ask.locale);
    let token = Token::new(ask, &shown.attempt, step::NEW_PASSWORD);
    let length = ask.cx.settings.password_min_length;
    let html = NewPasswordPage {
        hidden: token.hidden(),
        problem,
        rule: f.l.tr("new-rule", &[("length", length.into())]),
        email,
        f,
    };
    page::form(&html, StatusCode::OK, source(shown).as_deref(), ask)
}
