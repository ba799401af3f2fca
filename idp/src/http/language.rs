//! `/language`: remembers a language in the browser and shows the same page once more.
//!
//! It is a GET, so that the switch is a link that works without scripts and is never submitted by Enter. It changes no
//! account and no attempt: the page of the step decides as always which step is due (misuse case 4). It redirects to one of
//! our own paths, chosen here; no address is taken from the request (misuse case 43).

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use flows::request::Params;

use super::{
    account,
    error::Failure,
    extract::{BrowserRequest, Initiator, Query},
    oidc::logout,
    page,
    step::{REFUSED, Step},
};
use crate::{
    app::App,
    locale::{LanguageChoice, Locale},
};

/// Its path.
pub(super) const PATH: &str = "/language";

pub(super) async fn get(
    State(app): State<App>,
    mut request: BrowserRequest,
    Query(params): Query,
) -> Result<Response, Failure> {
    let locale = params
        .get("to")
        .and_then(|to| Locale::ALL.into_iter().find(|locale| locale.tag() == to))
        .ok_or(Failure::NotFound)?;
    // Another site may link here, but must not choose a person's language.
    if request.initiator != Initiator::OtherSite && request.browser_context.top_level {
        request.set_language(&app, LanguageChoice::from_user(locale));
    }
    let mut response = match (params.get("step"), params.get("account")) {
        (Some(step), _) => page::see_other(&step_address(step, &params).ok_or(Failure::NotFound)?),
        (None, Some(name)) => {
            page::see_other(&account::address_of(name, &params).ok_or(Failure::NotFound)?)
        }
        (None, None) => repeat_page(&app, &request, &params)?,
    };
    page::set_cookie(&mut response, request.new_language_cookie);
    Ok(response)
}

/// The address of the step that the person comes from.
fn step_address(step: &str, params: &Params) -> Option<String> {
    if step == logout::STEP {
        return Some(logout::logout_address(params));
    }
    Some(Step::by_name(step)?.address(params.get("attempt")?, params.get(REFUSED)))
}

/// Shows a page without a form again, in the other language: to a person who comes from it. Any other link would show a
/// notice of ours that is not true, such as "You are signed out".
fn repeat_page(app: &App, request: &BrowserRequest, params: &Params) -> Result<Response, Failure> {
    if !(request.initiator == Initiator::OwnPage && request.browser_context.top_level) {
        return Err(Failure::NotFound);
    }
    let name = params.get("page").ok_or(Failure::NotFound)?;
    match params.get("reference") {
        Some(reference) if is_reference(reference) => {
            page::render_failure_again(app, request, name, reference)
        }
        Some(_) => Err(Failure::NotFound),
        None => page::render_notice(app, request, name),
    }
    .map(IntoResponse::into_response)
}

/// Whether a text can be from [`flows::cx::generate_reference`]: any other would be another site's text on our page.
fn is_reference(text: &str) -> bool {
    text.len() == 6 && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}
