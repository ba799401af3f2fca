//! Form tokens (decision 13): the form of a step has a token for this browser, this attempt and this step.

use std::borrow::Cow;

use axum::response::Response;
use flows::login::{self, NextStep, StaleForm, posted_refusal::PostedRefusal, refusal::Refusal};

use super::{StepPage, redirect::redirect_refused, redirect_to_fresh, step_address};
use crate::{
    http::{
        error::Failure,
        extract::{BrowserRequest, Form},
        page,
        step::Step,
    },
    view::StepForm,
};

/// The form of a step.
pub(super) fn step_form<'a>(
    request: &BrowserRequest,
    step: &'static Step,
    shown: &StepPage<'a>,
) -> StepForm<'a> {
    attempt_form(request, step, &shown.page.location.attempt, shown.refused)
}

/// The same for the page of an attempt by its name.
pub(super) fn attempt_form<'a>(
    request: &BrowserRequest,
    step: &'static Step,
    attempt: &'a str,
    refused: Option<&'a str>,
) -> StepForm<'a> {
    let browser = &request.browser_context.browser;
    let token = Cow::Owned(request.cx.root.form_token(browser, attempt, step.form_name));
    StepForm { path: step.path, step: step.name, attempt, token, refused }
}

/// The attempt that a form names, if its token is right. If it is not, the form may be from before this browser's cookie
/// changed: two tabs opened at once, or another tab that has signed in. Nothing is done then, and the page is shown anew.
pub(super) async fn posted_attempt<'f>(
    request: &BrowserRequest,
    form: &'f Form,
    step: &'static Step,
) -> Result<Result<&'f str, Response>, Failure> {
    // With a valid token the post may still be accepted: the step checks next whether it is from a known device.
    if let Some(rate_limited) = request.rate_limited
        && !has_valid_token(request, form, step)
    {
        return Err(Failure::RateLimited(rate_limited, rate_limited.until.since(request.cx.now)));
    }
    if request.new_browser_cookie.is_some() {
        return Err(Failure::CookiesBlocked);
    }
    if form.text("form").is_empty() {
        return Err(Failure::Forbidden);
    }
    // Of two values it is unknown which one was meant.
    if form.0.duplicate().is_some() {
        return Err(Failure::NotAForm);
    }
    let attempt = form.text("attempt");
    if has_valid_token(request, form, step) {
        return Ok(Ok(attempt));
    }
    match login::resolve_stale_form(&request.cx, &request.browser_context, attempt, step.leads_to)
        .await?
    {
        StaleForm::FreshPage(fresh, reason) => {
            Ok(Err(redirect_to_fresh(request, &fresh, Some(reason), form.text("email"))?))
        }
        StaleForm::NextStep(NextStep::Complete) => {
            Ok(Err(page::see_other(&step_address(NextStep::Complete, attempt)?)))
        }
        StaleForm::NextStep(_) => {
            let posted = PostedRefusal::new(Some(Refusal::OutOfTurn), "");
            Ok(Err(redirect_refused(request, attempt, posted).await?))
        }
        StaleForm::NotThisBrowser => Err(Failure::Forbidden),
    }
}

/// The attempt that a form names, if its token is right and it has no duplicate fields.
pub(super) fn attempt_with_token<'f>(
    request: &BrowserRequest,
    form: &'f Form,
    step: &Step,
) -> Option<&'f str> {
    let is_valid = has_valid_token(request, form, step) && form.0.duplicate().is_none();
    is_valid.then(|| form.text("attempt"))
}

fn has_valid_token(request: &BrowserRequest, form: &Form, step: &Step) -> bool {
    let (token, attempt) = (form.text("form"), form.text("attempt"));
    request.cx.root.verify_form_token(
        token,
        &request.browser_context.browser,
        attempt,
        step.form_name,
    )
}
