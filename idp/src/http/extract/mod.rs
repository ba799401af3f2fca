//! What handlers take: each part of a request read in one place.

mod address;
mod ask;
mod form;

pub use address::client_address;
pub(super) use ask::{Ask, Counted, Traced, locale};
pub(super) use form::{Form, Query};
