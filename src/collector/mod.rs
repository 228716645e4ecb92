//! Protects the collector: starts and stops it as role and mode demand, restarts it, and sees to it that it does not
//! act past the deadline.
//!
//! Promises: a collector is started only under an order that demands it, with a guard as its parent that was told
//! before until when the collector may act. When that moment comes nothing of the collector is left, up to the time
//! that the system takes to kill, also when the agent is frozen or dead (the guard does it) or the guard is (the
//! agent does it). An order is obeyed only when all that it forbids has ended. A collector that cannot run says so,
//! by score 0, so that another adapter takes over.
//!
//! Does not: promise anything while agent and guard are frozen together, about a process with rights that the guard
//! has not (set-uid programs under an unprivileged adapter), about bytes that are handed to the kernel, or, where the
//! system gives no cgroup v2, about processes that a collector forked, once its guard was killed. It imports domain,
//! clock, service, recorder and store. Its clock is the boot clock, in agent and guard alike.
//!
//! `machine` decides, `driver` does. `leash` is the agent's end of a guard, `guard` the guard's process, and `launcher`
//! what becomes the collector; `fitness` says beforehand what would keep it from starting; `talk` is what agent and guard say to each other, `tree` and `cgroup` are how a
//! collector is killed whole, `output` is what it says.

mod cgroup;
mod driver;
mod fitness;
mod guard;
mod launcher;
mod leash;
pub mod machine;
mod output;
mod program;
pub mod talk;
mod tree;

pub use driver::{Collector, Place};
pub use fitness::{look_at, look_for};
pub use guard::{Guarding, guard};
pub use launcher::{Launch, launch};
pub use output::{next_line, printable};

/// This program, for a new process: right even if its file was replaced since this one began.
const SELF: &str = "/proc/self/exe";
