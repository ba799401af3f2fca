//! People's accounts.

pub mod create;
pub mod password;
