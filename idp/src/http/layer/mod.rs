//! What happens around every request, by the columns of its route.

mod cancellation;
mod cors;
mod headers;
mod post_limit;
mod request_log;
mod request_pipeline;
mod span;

pub(super) use request_pipeline::{fallback, handle};
