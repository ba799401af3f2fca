//! The harness of the end-to-end tests: real servers and a real mail catcher, which end with the tests.

use std::path::Path;

use flows::change_authority::ChangeAuthority;

pub mod aged_data;
pub mod app;
pub mod attacks;
pub mod authenticator_app;
pub mod backup;
pub mod blocking_tx;
pub mod client;
pub mod collector;
pub mod crowd;
pub mod db;
pub mod dedicated_servers;
pub mod fuzz;
pub mod http;
pub mod log;
pub mod mail_server;
pub mod metrics;
pub mod page;
pub mod passkey_device;
pub mod proc;
pub mod proxy;
pub mod serve_process;
pub mod shared_servers;
pub mod starvation_probe;
pub mod tls;
mod tls_routing;
pub mod wait;

/// The authority of a test.
pub fn test_actor() -> ChangeAuthority {
    ChangeAuthority::from_program("test", "test")
}

/// The folder of the workspace.
pub fn workspace_root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}
