//! `/language`: remembers a language in the browser and shows the same page once more.
//!
//! It is a GET, so that the switch is a link that works without scripts and is never what Enter presses. It changes no
//! account and no attempt: the step that is due is decided where it always is (misuse case 4). Where it leads is one of our
//! own paths, chosen here; no address comes from the request (misuse case 43).

use axum::{
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use flows::request::Params;

use super::{
    error::Failure,
    extract::{BrowserRequest, Query},
    login::password,
    oidc::logout,
    page,
};
use crate::{
    app::App,
    locale::{Choice, Locale},
};

/// Where it is.
pub(super) const PATH: &str = "/language";

pub(super) async fn get(
    State(app): State<App>,
    headers: HeaderMap,
    mut request: BrowserRequest,
    Query(params): Query,
) -> Result<Response, Failure> {
    let locale = params
        .get("to")
        .and_then(|to| Locale::ALL.into_iter().find(|locale| locale.tag() == to))
        .ok_or(Failure::NotFound)?;
    // Another site may lead here, but it does not choose a person's language.
    if is_from_us(&headers) && request.top_level {
        request.set_language(&app, Choice::choose(locale));
    }
    let mut response = match params.get("step") {
        Some(step) => page::see_other(&address(step, &params).ok_or(Failure::NotFound)?),
        None => again(&app, &request, &params)?,
    };
    page::set_cookie(&mut response, request.new_choice);
    Ok(response)
}

/// The same step again.
fn address(step: &str, params: &Params) -> Option<String> {
    let path = match step {
        "password" => password::PATH,
        "code" => "/login/code",
        "new_password" => "/login/new-password",
        "consent" => "/login/consent",
        "logout" => return Some(logout::address(params)),
        _ => return None,
    };
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("attempt", params.get("attempt")?);
    Some(format!("{path}?{}", query.finish()))
}

/// A page that only says something: said again, in the other language.
fn again(app: &App, request: &BrowserRequest, params: &Params) -> Result<Response, Failure> {
    let name = params.get("page").ok_or(Failure::NotFound)?;
    match params.get("reference") {
        Some(reference) if is_reference(reference) => {
            page::failure_again(app, request, name, reference)
        }
        Some(_) => Err(Failure::NotFound),
        None => page::notice(app, request, name),
    }
    .map(IntoResponse::into_response)
}

/// What `flows::cx::reference` makes: anything else would be a stranger's text on a page of ours.
fn is_reference(text: &str) -> bool {
    text.len() == 6 && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// A browser without fetch metadata is taken at its word: all that can be lost is a language.
fn is_from_us(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_none_or(|site| site == "same-origin" || site == "none")
}
