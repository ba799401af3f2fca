//! HTTP: extract, call one flow, render.

mod assets;
pub mod cookies;
mod error;
mod extract;
mod layer;
mod login;
mod oidc;
pub mod ops;
mod page;
pub mod routes;
