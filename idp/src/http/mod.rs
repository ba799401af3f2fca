//! HTTP: extract, call one flow, render.

mod account;
mod assets;
pub mod cookies;
mod csp;
mod error;
mod extract;
mod home;
mod language;
mod layer;
mod login;
mod oauth_error;
mod oidc;
pub mod ops;
mod page;
mod phone_apps;
mod retry_after;
pub mod route;
pub mod routes;
pub mod step;
pub mod user_agent;

pub(crate) use error::{REFUSAL_HEADER, UNKNOWN_NETWORK};
pub use extract::client_address;
