//! The password page after a post that could not be checked: the address is kept, the password never. Where possible it
//! does not use the database, because that may be what is busy or unavailable.

use std::time::Duration;

use axum::{http::StatusCode, response::Response};
use flows::{
    attempt::open_sealed_request,
    login::{self, DuePage, SignInPage, posted_refusal::PostedRefusal},
    network,
};

use super::{
    StepPage, form_token::attempt_with_token, password_page, redirect::redirect_to_fresh,
    respond::PostedForm,
};
use crate::{
    app::App,
    http::{
        error::Failure,
        extract::{BrowserRequest, Form},
        retry_after::set_retry_after,
        step,
    },
    view::FormProblem,
};

/// The rejection of a password from an unknown device while the hashing queue is full. It reads nothing but the sealed
/// request in the page, and has no effect. `None` for a post that may have another result; it is handled like any other.
pub(super) fn reject_if_full(
    app: &App,
    request: &BrowserRequest,
    form: &Form,
) -> Option<Result<Response, Failure>> {
    let attempt = attempt_with_token(request, form, &step::PASSWORD)?;
    let shown = unsaved_sign_in_page(request, attempt)?;
    if !request.browser_context.devices.is_empty()
        || matches!(form.text("action"), "cancel" | "restart")
    {
        return None;
    }
    let full = app.hasher.reject_if_full(network::hashing_caller(&request.cx, None)).err()?;
    Some(render_full(app, request, &shown, form.text("email"), full.retry_after))
}

/// The response when the hashing queue was full.
pub(super) async fn respond_full(
    app: &App,
    request: &BrowserRequest,
    posted: PostedForm<'_>,
    retry_after: Duration,
) -> Result<Response, Failure> {
    let page = match unsaved_sign_in_page(request, posted.attempt) {
        Some(page) => page,
        None => match login::show(&request.cx, &request.browser_context, posted.attempt).await? {
            DuePage::Page(page) => *page,
            DuePage::Fresh(fresh, reason) => {
                return redirect_to_fresh(request, &fresh, Some(reason), posted.typed);
            }
            DuePage::NotFound => return Err(Failure::StartAgain),
        },
    };
    render_full(app, request, &page, posted.typed, retry_after)
}

fn render_full(
    app: &App,
    request: &BrowserRequest,
    page: &SignInPage,
    email: &str,
    retry_after: Duration,
) -> Result<Response, Failure> {
    app.metrics.record_refusal("busy");
    let problem = request.page_text(app).busy_problem();
    render_unavailable(app, request, page, email, problem, retry_after)
}

/// The page as the answer to the post: it is no redirect, so that a reload tries again (post, redirect, get is for what was
/// judged).
fn render_unavailable(
    app: &App,
    request: &BrowserRequest,
    page: &SignInPage,
    email: &str,
    problem: FormProblem,
    retry_after: Duration,
) -> Result<Response, Failure> {
    let posted = PostedRefusal::new(None, email);
    let shown = StepPage { page, posted, refused: None };
    let response = password_page::render(app, request, &shown, vec![problem])?;
    Ok(mark_unavailable(response, retry_after))
}

/// The response when a dependency was unavailable. If only the database has the page, it is the failure's own page.
pub(super) fn respond_failed(
    app: &App,
    request: &BrowserRequest,
    posted: PostedForm<'_>,
    error: flows::Error,
) -> Result<Response, Failure> {
    let failure = Failure::from(error);
    let shown = unsaved_sign_in_page(request, posted.attempt);
    let (Some(retry_after), Some(shown)) = (failure.retry_after(), shown) else {
        return Err(failure);
    };
    if let Some(reason) = failure.reason() {
        app.metrics.record_refusal(reason);
    }
    let reference = &request.cx.trace.reference;
    tracing::error!(reference, error = failure.detail(), "a password could not be checked");
    let problem = request.page_text(app).unavailable_problem(reference);
    render_unavailable(app, request, &shown, posted.typed, problem, retry_after)
}

/// The sign-in page of a request that has no row yet, from the sealed request in the page.
fn unsaved_sign_in_page(request: &BrowserRequest, attempt: &str) -> Option<SignInPage> {
    let authorization_request =
        open_sealed_request(&request.cx, &request.browser_context, attempt)?;
    Some(SignInPage::unsaved(attempt, authorization_request))
}

fn mark_unavailable(mut response: Response, retry_after: Duration) -> Response {
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    set_retry_after(response.headers_mut(), retry_after);
    response
}
