//! Mail: from what is to be said to a server that accepted it.

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
