//! What happens around every request, by the class of its route.

mod around;
mod cors;
mod given_up;
mod headers;
mod limit;
mod span;

pub(super) use around::{around, fallback};
