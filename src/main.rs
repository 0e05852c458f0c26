//! The command `routelab`. All of it stands in [`routelab::cli`], where tests can reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    routelab::cli::main()
}
