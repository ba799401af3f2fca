//! What handlers take: each part of a request read in one place.

mod address;
mod browser;
mod form;

pub use address::client_address;
pub(super) use browser::{BrowserRequest, Traced, locale};
pub(super) use form::{Form, Query};
