//! The rate limit of the posts of a step.

use axum::response::Response;
use flows::{
    admission::{Admission, PostedStep},
    login::Answer,
    network::RateLimited,
};

use super::respond::{PostedForm, respond};
use crate::{
    app::App,
    http::{error::Failure, extract::BrowserRequest},
};

/// The limit that refuses a post of a step.
pub(super) async fn reached_limit(
    request: &BrowserRequest,
    step: PostedStep<'_>,
) -> flows::Result<Option<RateLimited>> {
    match Admission::for_post(&request.cx, &request.browser_context, step, request.rate_limited)
        .await?
    {
        Admission::Admitted => Ok(None),
        Admission::Paused(rate_limited) => Ok(Some(rate_limited)),
    }
}

/// The response to a post of a step over the limit: its page, which says until when.
pub(super) async fn respond_if_limited(
    app: &App,
    request: &BrowserRequest,
    posted: PostedForm<'_>,
    step: PostedStep<'_>,
) -> Result<Option<Response>, Failure> {
    let Some(rate_limited) = reached_limit(request, step).await? else { return Ok(None) };
    let answer = Answer::RateLimited { attempt: posted.attempt.to_owned(), rate_limited };
    respond(app, request, posted, answer).await.map(Some)
}

/// Refuses a post over the limit; for a step whose page has no typed values to keep.
pub(super) async fn reject_if_limited(
    request: &BrowserRequest,
    step: PostedStep<'_>,
) -> Result<(), Failure> {
    match reached_limit(request, step).await? {
        Some(rate_limited) => {
            Err(Failure::RateLimited(rate_limited, rate_limited.until.since(request.cx.now)))
        }
        None => Ok(()),
    }
}
