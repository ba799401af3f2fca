//! The rate limit of the posts of a step.

use flows::{
    admission::{Admission, PostedStep},
    network::RateLimited,
};

use crate::http::{error::Failure, extract::BrowserRequest};

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
