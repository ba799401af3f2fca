//! Every decision of the provider, with no HTTP, no SQL text, no clock and no source of randomness.
//!
//! A flow takes a [`Cx`], reads, computes without a transaction, and applies its result in one write transaction. Refusals
//! of people and clients are values; [`Error`] means that the machine failed.

pub mod account;
pub mod actor;
pub mod admission;
pub mod attempt;
pub mod attempt_request;
pub mod audit;
pub mod authorize;
pub mod change_authority;
pub mod claims;
pub mod client;
pub mod client_auth;
mod client_refusal;
pub mod consent;
pub mod cx;
pub mod device;
pub mod discovery;
pub mod display_name;
pub mod email;
mod error;
pub mod guess_budget;
pub mod interaction;
pub mod invariant_check;
pub mod jobs;
pub mod login;
pub mod logout;
pub mod mail;
pub mod network;
pub mod oauth_error;
pub mod observer;
pub mod operational_status;
pub mod passkey;
pub mod request;
pub mod retention;
pub mod root_keys;
mod session;
mod session_codes;
pub mod settings;
mod sign_in;
pub mod signing_keys;
pub mod staff;
pub mod token;
pub mod totp;
pub mod trail;

pub use cx::{Cx, Trace};
pub use error::{Error, Result};
pub use sign_in::SignIn;
