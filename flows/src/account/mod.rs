//! People's accounts.

pub mod change;
pub mod create;
mod distinct_members;
pub mod password;
pub mod standard_claims;
