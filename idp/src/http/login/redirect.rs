//! Where a post of a step leads: to the page that is due, with what it was refused for (post, redirect, get).

use axum::response::Response;
use flows::{
    attempt::StaleReason,
    authorize::AuthorizePage,
    login::{
        self, DuePage, NextStep, SignInPage,
        posted_refusal::PostedRefusal,
        refusal::{PasswordRefusal, Refusal},
    },
};

use super::due_step;
use crate::http::{
    error::Failure,
    extract::BrowserRequest,
    page,
    step::{self, Step},
};

/// To the page that is due, which says what a post was refused for.
pub(super) async fn redirect_refused(
    request: &BrowserRequest,
    attempt: &str,
    posted: PostedRefusal,
) -> Result<Response, Failure> {
    match login::show(&request.cx, &request.browser_context, attempt).await? {
        DuePage::Page(page) => redirect_to_page(request, &page, posted),
        DuePage::Fresh(fresh, reason) => {
            redirect_to_fresh(request, &fresh, Some(reason), &posted.typed)
        }
        DuePage::NotFound => Err(Failure::StartAgain),
    }
}

/// To a new sign-in page for the same request, which keeps the address that was typed.
pub(super) fn redirect_to_fresh(
    request: &BrowserRequest,
    fresh: &AuthorizePage,
    reason: Option<StaleReason>,
    typed: &str,
) -> Result<Response, Failure> {
    let refusal = reason.map(|reason| Refusal::Password(PasswordRefusal::Stale(reason)));
    let page = SignInPage::unsaved(&fresh.attempt, fresh.request.clone());
    let mut response = redirect_to_page(request, &page, PostedRefusal::new(refusal, typed))?;
    page::set_cookie(&mut response, request.new_browser_cookie.clone());
    Ok(response)
}

fn redirect_to_page(
    request: &BrowserRequest,
    page: &SignInPage,
    posted: PostedRefusal,
) -> Result<Response, Failure> {
    let step = due_step(&page.view, request.step.unwrap_or(&step::PASSWORD))?;
    let sealed = posted.seal(&request.cx, page)?;
    Ok(page::see_other(&step.address(&page.attempt, sealed.as_deref())))
}

/// The address of the page that is due.
pub(super) fn step_address(next_step: NextStep, attempt: &str) -> Result<String, Failure> {
    Ok(Step::for_next_step(next_step).ok_or(Failure::StartAgain)?.address(attempt, None))
}
