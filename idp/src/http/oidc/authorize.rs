//! `/oauth2/authorize`.

use axum::{extract::State, response::Response};
use flows::authorize::{self, Outcome};

use crate::{
    app::App,
    http::{
        error::Failure,
        extract::{Ask, Form, Query},
        login, page,
    },
};

/// The parameter that carries a posted request to its GET.
const POSTED: &str = "posted";

/// Answers a request. With a session it acts, on top-level navigation only: in a frame nobody is signed in.
pub(in crate::http) async fn get(
    State(app): State<App>,
    mut ask: Ask,
    Query(params): Query,
) -> Result<Response, Failure> {
    if !ask.top_level {
        ask.visit.session = None;
    }
    let outcome = match params.get(POSTED) {
        Some(sealed) => authorize::resume(&ask.cx, sealed, &ask.visit).await?,
        None => authorize::start(&ask.cx, &params, &ask.visit).await?,
    };
    answer(&app, &mut ask, outcome)
}

/// A post from another site comes without cookies, so it is answered by a GET of the same request that brings them.
pub(in crate::http) async fn post(
    State(app): State<App>,
    mut ask: Ask,
    Form(params): Form,
) -> Result<Response, Failure> {
    match authorize::post(&ask.cx, &params)? {
        Ok(sealed) => {
            Ok(page::see_other(&format!("{}?{POSTED}={sealed}", flows::discovery::path::AUTHORIZE)))
        }
        Err(outcome) => answer(&app, &mut ask, outcome),
    }
}

fn answer(app: &App, ask: &mut Ask, outcome: Outcome) -> Result<Response, Failure> {
    if let Outcome::SignIn(asked) | Outcome::Consent(asked, _) | Outcome::Confirm(asked, _) =
        &outcome
    {
        ask.hear(app, asked.request.ui_locales.as_deref());
    }
    match outcome {
        Outcome::Page { why } => Err(Failure::Request(why)),
        Outcome::Client(to) => Ok(page::see_other(&to.location)),
        Outcome::SignIn(asked) => login::password::page(app, ask, &asked),
        Outcome::Consent(asked, session) => login::consent::ask_consent(app, ask, &asked, &session),
        Outcome::Confirm(asked, session) => login::consent::ask_confirm(app, ask, &asked, &session),
    }
}
