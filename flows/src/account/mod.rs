//! People's accounts.

pub mod change;
pub mod create;
pub mod password;
pub mod standard_claims;
