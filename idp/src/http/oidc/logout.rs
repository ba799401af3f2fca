//! `/oauth2/logout`.

use axum::{extract::State, response::Response};
use flows::{
    authorize::form_action_source,
    discovery::path,
    logout::{self, Outcome},
    request::Params,
};

use crate::{
    app::App,
    http::{
        error::Failure,
        extract::{Ask, Form, Query},
        page,
    },
    view::{Frame, LogoutPage},
};

/// The parameters of a logout request that are carried through the question.
const CARRIED: [&str; 5] =
    ["id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales"];
const STEP: &str = "logout";

/// Acts on top-level navigation only: a picture on another page signs nobody out.
pub(in crate::http) async fn get(
    State(app): State<App>,
    mut ask: Ask,
    Query(params): Query,
) -> Result<Response, Failure> {
    if !ask.top_level {
        return Err(Failure::Forbidden);
    }
    if let Some(locales) = params.get("ui_locales") {
        ask.hear(&app, Some(locales));
    }
    run(&app, &ask, &params, false).await
}

/// Our own question, answered; or a client's post, which comes without cookies and is answered by a GET that brings them.
pub(in crate::http) async fn post(
    State(app): State<App>,
    ask: Ask,
    Form(params): Form,
) -> Result<Response, Failure> {
    let Some(token) = params.get("form") else {
        return Ok(page::see_other(&address(&params)));
    };
    if !ask.cx.root.form_token_ok(token, &ask.visit.browser, "", STEP) {
        return Err(Failure::Forbidden);
    }
    match params.get("action") {
        Some("continue") => run(&app, &ask, &params, true).await,
        _ => page::notice(&app, &ask, "still"),
    }
}

async fn run(app: &App, ask: &Ask, params: &Params, confirmed: bool) -> Result<Response, Failure> {
    match logout::logout(&ask.cx, &ask.visit, params, confirmed).await? {
        Outcome::Ask { person, to } => question(app, ask, params, (&person, to.as_deref())),
        Outcome::SignedOut { to } => {
            let mut response = match to {
                Some(to) => page::see_other(&to),
                None => page::notice(app, ask, "signed_out")?,
            };
            page::set_cookie(&mut response, app.cookies.clear_session());
            Ok(response)
        }
    }
}

fn question(
    app: &App,
    ask: &Ask,
    params: &Params,
    (person, to): (&str, Option<&str>),
) -> Result<Response, Failure> {
    let carried: Vec<(&str, &str)> =
        CARRIED.iter().filter_map(|name| params.get(name).map(|value| (*name, value))).collect();
    let form = ask.cx.root.form_token(&ask.visit.browser, "", STEP);
    let f = Frame::of(&app.brand, ask.locale);
    let html = LogoutPage {
        form: &form,
        lede: f.l.tr("logout-lede", &[("person", person.into())]),
        fields: &carried,
        f,
    };
    // The post may end in a redirect to the client's registered page, and to no other (decision 18).
    let source = to.and_then(form_action_source);
    page::form(&html, axum::http::StatusCode::OK, source.as_deref(), ask)
}

/// The same request as a GET.
pub(in crate::http) fn address(params: &Params) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for name in CARRIED {
        if let Some(value) = params.get(name) {
            query.append_pair(name, value);
        }
    }
    format!("{}?{}", path::LOGOUT, query.finish())
}
