//! The harness of the end-to-end tests: real servers and a real mail catcher, and nothing left running afterwards.

use std::path::Path;

use flows::change_authority::ChangeAuthority;

pub mod app;
pub mod attacks;
pub mod backup;
pub mod blocking_tx;
pub mod client;
pub mod collector;
pub mod crowd;
pub mod db;
pub mod dedicated_servers;
mod doors;
pub mod fuzz;
pub mod http;
pub mod log;
pub mod mailbox;
pub mod metrics;
pub mod old_rows;
pub mod page;
pub mod proc;
pub mod proxy;
pub mod served;
pub mod servers;
pub mod starvation_probe;
pub mod tls;
pub mod wait;

/// The authority of a test.
pub fn acting() -> ChangeAuthority {
    ChangeAuthority::from_program("test", "test")
}

/// The folder of the workspace.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}
