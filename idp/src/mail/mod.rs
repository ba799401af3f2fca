//! Mail: from what is to be said to a server that accepted it.

pub(crate) mod check;
pub mod compose;
pub mod smtp;
#[cfg(test)]
pub(crate) mod specimens;
mod words;
