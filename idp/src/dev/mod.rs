//! What only `dev` has: a mailbox instead of a mail server, a demo portal as client, and demo people. `serve` uses none of
//! it.

mod demo;
pub mod folder;
mod host_check;
pub mod mailbox;
mod page;
pub mod portal;
pub mod run;

/// The issuer for commands on a folder while `dev` does not run.
pub(crate) const DEFAULT_ISSUER: &str = "http://localhost:8080";
