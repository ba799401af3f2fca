//! Mail: from what is to be said to a server that accepted it.

mod check;
pub(crate) mod compose;
pub(crate) mod context;
pub(crate) mod forbidden;
pub mod smtp;
#[cfg(test)]
pub(crate) mod specimens;
mod words;
