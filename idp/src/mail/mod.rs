//! Mail: composing, checking and sending it.

mod check;
pub(crate) mod compose;
pub(crate) mod context;
#[cfg(test)]
pub(crate) mod fixtures;
pub(crate) mod forbidden;
mod message;
pub mod smtp;
mod text;

pub(crate) use message::ComposedMail;
