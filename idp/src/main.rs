//! The `idp` program; see [`idp::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    idp::cli::main()
}
