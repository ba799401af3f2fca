//! The program: routes, pages, mail, jobs, clock, configuration and the command line.
//!
//! One rule: a handler extracts, calls one flow, and renders. The flow decides what may happen.

pub mod app;
mod brand;
mod cached;
mod check;
pub mod cli;
pub mod clock;
pub mod clock_skew;
pub mod config;
pub mod dev;
pub mod fetch;
mod health;
pub mod http;
pub mod jobs;
pub mod locale;
pub mod mail;
pub mod metrics;
mod phone_apps;
pub mod serve;
mod small_file;
pub mod snapshot;
mod startup_retry;
pub mod telemetry;
mod view;
