//! What staff start for people. They never see or set a secret.

pub mod find;
pub mod reset;
