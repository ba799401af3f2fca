//! The `idp` program; see [`idp::cli`].

use std::process::ExitCode;

/// The allocator of the image. A thread of it gives memory back to the system some seconds after it was used, also
/// while the program is idle. The allocator of glibc keeps what a wave of requests has used.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    idp::cli::main()
}
