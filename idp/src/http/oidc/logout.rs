//! `/oauth2/logout`.

use axum::{extract::State, response::Response};
use flows::{
    discovery::path,
    logout::{self, AfterLogout, LogoutOutcome, NotFollowed},
    request::Params,
};

use crate::{
    app::App,
    http::{
        error::Failure,
        extract::{BrowserRequest, Form, Query},
        login::{client_name, return_page},
        page,
    },
    view::{Frame, LogoutPage},
};

/// The parameters of a logout request that the confirmation page carries along.
const CARRIED_PARAMETERS: [&str; 5] =
    ["id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales"];
/// Its name in form tokens, and in the link that switches the language.
pub(in crate::http) const STEP: &str = "logout";

/// Acts on top-level navigation only: an image on another page cannot end a session.
pub(in crate::http) async fn get(
    State(app): State<App>,
    mut request: BrowserRequest,
    Query(params): Query,
) -> Result<Response, Failure> {
    if !request.browser_context.top_level {
        return Err(Failure::Forbidden);
    }
    if let Some(locales) = params.get("ui_locales") {
        request.apply_ui_locales(&app, Some(locales));
    }
    log_out(&app, &request, &params, false).await
}

/// The answer to our confirmation page; or a client's post, which has no cookies and is redirected to a GET with them.
pub(in crate::http) async fn post(
    State(app): State<App>,
    request: BrowserRequest,
    Form(params): Form,
) -> Result<Response, Failure> {
    let Some(token) = params.get("form") else {
        return Ok(page::see_other(&logout_address(&params)));
    };
    if !request.cx.root.verify_form_token(token, &request.browser_context.browser, "", STEP) {
        return Err(Failure::Forbidden);
    }
    match params.get("action") {
        Some("continue") => log_out(&app, &request, &params, true).await,
        _ => page::render_notice(&app, &request, "still"),
    }
}

async fn log_out(
    app: &App,
    request: &BrowserRequest,
    params: &Params,
    confirmed: bool,
) -> Result<Response, Failure> {
    match logout::logout(&request.cx, &request.browser_context, params, confirmed).await? {
        LogoutOutcome::Ask { person } => render_question(app, request, params, &person),
        LogoutOutcome::SignedOut { next, client } => {
            let mut response = match next {
                AfterLogout::Client(to) if confirmed => {
                    let name = client.as_deref().map_or(to.as_str(), |id| client_name(request, id));
                    return_page::render_to(app, request, &to, name)?
                }
                AfterLogout::Client(to) => page::see_other(&to),
                AfterLogout::OwnPage => page::render_notice(app, request, "signed_out")?,
                AfterLogout::NotFollowed(why) => {
                    page::render_notice(app, request, notice_name(why))?
                }
            };
            page::set_cookie(&mut response, app.cookies.clear_session());
            Ok(response)
        }
    }
}

/// The page that says "You are signed out", and to the developers of the client why it was not left.
const fn notice_name(why: NotFollowed) -> &'static str {
    match why {
        NotFollowed::WithoutHint => "signed_out_without_hint",
        NotFollowed::NotRegistered => "signed_out_not_registered",
    }
}

fn render_question(
    app: &App,
    request: &BrowserRequest,
    params: &Params,
    person: &str,
) -> Result<Response, Failure> {
    let carried: Vec<(&str, &str)> = CARRIED_PARAMETERS
        .iter()
        .filter_map(|name| params.get(name).map(|value| (*name, value)))
        .collect();
    let form = request.cx.root.form_token(&request.browser_context.browser, "", STEP);
    let f = Frame::of(&app.brand, request.locale);
    let html = LogoutPage {
        form: &form,
        lede: f.l.tr("logout-lede", &[("person", person.into())]),
        fields: &carried,
        f,
    };
    page::render_form(&html, request)
}

/// The address of the same request as a GET.
pub(in crate::http) fn logout_address(params: &Params) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for name in CARRIED_PARAMETERS {
        if let Some(value) = params.get(name) {
            query.append_pair(name, value);
        }
    }
    format!("{}?{}", path::LOGOUT, query.finish())
}
