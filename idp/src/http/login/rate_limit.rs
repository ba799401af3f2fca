//! What a post of a step is told when it is not heard.

use flows::{
    admission::{Admission, PostedStep},
    network::RateLimited,
};

use crate::http::{error::Failure, extract::BrowserRequest};

/// The limit that refuses a post of a step.
pub(super) async fn refused(
    request: &BrowserRequest,
    step: PostedStep<'_>,
) -> flows::Result<Option<RateLimited>> {
    match Admission::for_post(&request.cx, &request.visit, step, request.rate_limited).await? {
        Admission::Admitted => Ok(None),
        Admission::Paused(crowded) => Ok(Some(crowded)),
    }
}

/// Refuses a post of a step whose page has nothing typed to keep.
pub(super) async fn check(request: &BrowserRequest, step: PostedStep<'_>) -> Result<(), Failure> {
    match refused(request, step).await? {
        Some(crowded) => Err(Failure::TooMany(crowded, crowded.until.since(request.cx.now))),
        None => Ok(()),
    }
}
