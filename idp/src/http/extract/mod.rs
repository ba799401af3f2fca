//! What handlers take: each part of a request read in one place.

mod address;
mod browser;
mod context;
mod form;

pub use address::client_address;
pub(super) use browser::{BrowserRequest, locale};
pub(super) use context::{PostCount, RequestContext};
pub(super) use form::{Form, Query};
