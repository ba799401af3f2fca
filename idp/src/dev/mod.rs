//! What only `dev` has: the mailbox that stands in for mail, the demo portal that stands in for a client, and demo people.
//! None of it is reachable from `serve`.

mod demo;
pub mod folder;
mod host_check;
pub mod mailbox;
mod page;
pub mod portal;
pub mod run;

/// The issuer of a folder that is looked at while `dev` does not run.
pub(crate) const DEFAULT_ISSUER: &str = "http://localhost:8080";
