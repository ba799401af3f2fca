//! `/login/passkey`: a passkey as both steps, from the page of the password, or as the second step.

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use flows::{
    login::{
        PasskeyView, follow, passkey,
        refusal::{PageMessage, PasskeyRefusal},
    },
    passkey::ceremony::PageCeremony,
};
use serde_json::{Value, json};

use super::{
    StepPage, form_token::step_form, get, other_ways, passkey_form::passkey_form,
    step_post::answer_post,
};
use crate::{
    app::App,
    http::{
        error::Failure,
        extract::{BrowserRequest, Form, Query},
        page, step,
    },
    view::PasskeyPage,
};

/// The page, or for its script the options of a new ceremony.
pub(in crate::http) async fn get_page(
    State(app): State<App>,
    request: BrowserRequest,
    Query(params): Query,
) -> Result<Response, Failure> {
    if !request.accepts_json {
        return get(State(app), request, Query(params)).await;
    }
    let attempt = params.get("attempt").unwrap_or_default();
    let renewed = passkey::renew(&request.cx, &request.browser_context, attempt).await?;
    let PageCeremony { sealed, options } = renewed.ok_or(Failure::NotFound)?;
    let options: Value = serde_json::from_str(&options).map_err(flows::Error::from)?;
    let body = json!({ "ceremony": sealed, "options": options }).to_string();
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, body).into_response())
}

/// The answer of an authenticator.
pub(in crate::http) async fn post(
    State(app): State<App>,
    request: BrowserRequest,
    form: Form,
) -> Result<Response, Failure> {
    let (cx, browser_context) = (&request.cx, &request.browser_context);
    answer_post(&app, &request, &form, (&step::PASSKEY, ""), async |attempt| {
        if form.text("follow") == "session" {
            return follow::continue_with_session(cx, browser_context, attempt).await;
        }
        let posted = (form.text("ceremony"), form.text("answer"));
        passkey::post(cx, browser_context, attempt, posted).await
    })
    .await
}

/// The page of the second step.
pub(super) fn render(
    app: &App,
    request: &BrowserRequest,
    shown: &StepPage<'_>,
    view: &PasskeyView,
    message: Option<PageMessage<PasskeyRefusal>>,
) -> Result<Response, Failure> {
    let form = step_form(request, &step::PASSKEY, shown);
    let ids = &view.credential_ids;
    let ceremony = passkey::begin_second_step(&request.cx, form.attempt, ids)?;
    let text = request.page_text(app);
    let html = PasskeyPage {
        passkey: ceremony.map(|ceremony| passkey_form(request, form.attempt, ceremony)),
        other_ways: view.has_other_ways.then(|| other_ways::address(form.attempt)),
        problems: message
            .map(|message| text.passkey_problem(message, "other-ways"))
            .into_iter()
            .collect(),
        form,
        f: text.f,
    };
    page::render_form(&html, request)
}
