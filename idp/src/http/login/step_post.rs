//! What the posts of all steps after the password share: the form token, the limit of posts, "cancel" and "start again".

use axum::response::Response;
use flows::{
    admission::PostedStep,
    login::{Answer, NextStep},
};

use super::{
    cancel_or_restart,
    form_token::posted_attempt,
    rate_limit,
    respond::{PostedForm, respond},
};
use crate::{
    app::App,
    http::{
        error::Failure,
        extract::{BrowserRequest, Form},
        step::Step,
    },
};

/// Answers a post of a step by `judge`, which gets the name of the attempt, unless something of the above comes first. `typed`
/// is put back into the page.
pub(super) async fn answer_post(
    app: &App,
    request: &BrowserRequest,
    form: &Form,
    (step, typed): (&'static Step, &str),
    judge: impl AsyncFnOnce(&str) -> flows::Result<Answer>,
) -> Result<Response, Failure> {
    let attempt = match posted_attempt(request, form, step).await? {
        Ok(attempt) => attempt,
        Err(response) => return Ok(response),
    };
    let posted = PostedForm { attempt, typed };
    let posted_step = if step.leads_to == Some(NextStep::NewPassword) {
        PostedStep::AfterSecond { attempt }
    } else {
        PostedStep::Second { attempt }
    };
    if let Some(limited) = rate_limit::respond_if_limited(app, request, posted, posted_step).await?
    {
        return Ok(limited);
    }
    let answer = match cancel_or_restart(request, form, attempt).await? {
        Some(answer) => answer,
        None => judge(attempt).await?,
    };
    respond(app, request, posted, answer).await
}
