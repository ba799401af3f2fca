//! People's accounts.

pub mod access;
pub mod authenticator_apps;
pub mod change;
pub mod create;
mod distinct_members;
pub mod email_codes;
pub mod methods;
pub mod page_notice;
pub mod passkeys;
pub mod password;
pub mod recovery_sheet;
pub mod standard_claims;
