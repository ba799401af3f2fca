//! The password page after a post that could not be checked: the address is kept, the password never. Where possible it
//! does not use the database, because that may be what is busy or unavailable.

use std::time::Duration;

use axum::{
    http::{StatusCode, header},
    response::Response,
};
use flows::{
    attempt::open_sealed_request,
    login::{SignInPage, StepView},
};
use keys::HashingCaller;

use super::{PostedForm, form_token::attempt_with_token, password_page};
use crate::{
    app::App,
    http::{
        error::Failure,
        extract::{BrowserRequest, Form},
        step,
    },
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
    let full = app.hasher.reject_if_full(HashingCaller::Stranger).err()?;
    Some(render_full(app, request, &shown, form.text("email"), full.retry_after))
}

/// The response when the hashing queue was full.
pub(super) async fn respond_full(
    app: &App,
    request: &BrowserRequest,
    posted: PostedForm<'_>,
    retry_after: Duration,
) -> Result<Response, Failure> {
    let shown = match unsaved_sign_in_page(request, posted.attempt) {
        Some(shown) => shown,
        None => super::load_due_page(request, posted.attempt).await?,
    };
    render_full(app, request, &shown, posted.email, retry_after)
}

fn render_full(
    app: &App,
    request: &BrowserRequest,
    shown: &SignInPage,
    email: &str,
    retry_after: Duration,
) -> Result<Response, Failure> {
    app.metrics.record_refusal("busy");
    let response = password_page::render(
        app,
        request,
        shown,
        email,
        Some(request.page_text(app).busy_problem()),
    )?;
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
    let response = password_page::render(app, request, &shown, posted.email, Some(problem))?;
    Ok(mark_unavailable(response, retry_after))
}

/// The sign-in page of a request that has no row yet, from the sealed request in the page.
fn unsaved_sign_in_page(request: &BrowserRequest, attempt: &str) -> Option<SignInPage> {
    let authorization_request =
        open_sealed_request(&request.cx, &request.browser_context, attempt)?;
    Some(SignInPage {
        attempt: attempt.to_owned(),
        request: authorization_request,
        view: StepView::Password,
    })
}

fn mark_unavailable(mut response: Response, retry_after: Duration) -> Response {
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let seconds = retry_after.as_secs().max(1);
    response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    response
}
