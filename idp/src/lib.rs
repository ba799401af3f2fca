//! The program: routes, pages, mail, jobs, clock, configuration and the command line.
//!
//! One rule: it extracts, calls one flow, and renders. What may happen is decided in `flows`.

pub mod app;
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
pub mod serve;
pub mod snapshot;
mod startup_retry;
pub mod telemetry;
mod view;
