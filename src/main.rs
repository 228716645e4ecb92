//! The command.

use std::process::ExitCode;

fn main() -> ExitCode {
    client_failover::cli::main()
}
