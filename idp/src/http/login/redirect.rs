//! Where a post of a step leads: to the page that is due, with what it was refused for (post, redirect, get).

use axum::response::Response;
use flows::{
    attempt::StaleReason,
    authorize::NewSignInPage,
    login::{
        self, DuePage, NextStep, PageLocation,
        posted_refusal::PostedRefusal,
        refusal::{PasswordRefusal, Refusal},
    },
};

use crate::http::{error::Failure, extract::BrowserRequest, page, step::Step};

/// To the page that is due, which says what a post was refused for.
pub(super) async fn redirect_refused(
    request: &BrowserRequest,
    attempt: &str,
    posted: PostedRefusal,
) -> Result<Response, Failure> {
    match login::locate(&request.cx, &request.browser_context, attempt).await? {
        DuePage::Page(page) => {
            let is_other = request.step.is_none_or(|step| step.leads_to != Some(page.next_step));
            let posted = if is_other { posted.without_typed() } else { posted };
            redirect_to_page(request, &page, posted)
        }
        DuePage::Fresh(fresh, reason) => {
            redirect_to_fresh(request, &fresh, Some(reason), &posted.typed)
        }
        DuePage::NotFound => Err(Failure::StartAgain),
    }
}

/// To the password page of an attempt that was begun again, with its address.
pub(super) async fn redirect_restarted(
    request: &BrowserRequest,
    attempt: &str,
    address: &str,
) -> Result<Response, Failure> {
    match login::locate(&request.cx, &request.browser_context, attempt).await? {
        DuePage::Page(page) if page.next_step == NextStep::Password => {
            redirect_to_page(request, &page, PostedRefusal::new(None, address))
        }
        DuePage::Page(page) => redirect_to_page(request, &page, PostedRefusal::default()),
        DuePage::Fresh(..) | DuePage::NotFound => Err(Failure::StartAgain),
    }
}

/// To a new sign-in page for the same request, which keeps the address that was typed.
pub(super) fn redirect_to_fresh(
    request: &BrowserRequest,
    fresh: &NewSignInPage,
    reason: Option<StaleReason>,
    typed: &str,
) -> Result<Response, Failure> {
    let refusal = reason.map(|reason| Refusal::Password(PasswordRefusal::Stale(reason)));
    let page = PageLocation::unsaved(&fresh.attempt);
    let mut response = redirect_to_page(request, &page, PostedRefusal::new(refusal, typed))?;
    page::set_cookie(&mut response, request.new_browser_cookie.clone());
    Ok(response)
}

fn redirect_to_page(
    request: &BrowserRequest,
    page: &PageLocation,
    posted: PostedRefusal,
) -> Result<Response, Failure> {
    let step = Step::for_next_step(page.next_step).ok_or(Failure::StartAgain)?;
    let sealed = posted.seal(&request.cx, page)?;
    Ok(page::see_other(&step.address(&page.attempt, sealed.as_deref())))
}

/// The address of the page that is due.
pub(super) fn step_address(next_step: NextStep, attempt: &str) -> Result<String, Failure> {
    Ok(Step::for_next_step(next_step).ok_or(Failure::StartAgain)?.address(attempt, None))
}
