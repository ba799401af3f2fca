//! HTTP: extract, call one flow, render.

mod assets;
pub mod cookies;
mod error;
mod extract;
mod language;
mod layer;
mod login;
mod oidc;
pub mod ops;
mod page;
mod policy;
pub mod routes;
pub mod user_agent;

pub use extract::client_address;
