//! The command.

use std::process::ExitCode;

/// A request through the gate allocates some hundred times, in one thread, and frees in another: the C library's
/// allocator took a sixth of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    client_failover::cli::main()
}
