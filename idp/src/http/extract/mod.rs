//! What handlers take: one extractor for each kind of caller, and each part of a request read in one place.

mod address;
mod bearer;
mod browser;
mod caller;
mod client;
mod context;
mod form;

pub use address::client_address;
pub(super) use bearer::BearerCall;
pub(super) use browser::{BrowserRequest, Initiator, request_locale};
pub(super) use caller::{Anyone, called_by};
pub(super) use client::ClientCall;
pub(super) use context::{PostCount, RequestContext};
pub(super) use form::{Form, Query, is_form};
