//! How the destinations of the egress gate do, as JSON.

use serde::Serialize;

/// A destination, as the diagnostics show it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct LaneBody {
    /// The destination.
    pub id: String,
    /// How many requests wait for it.
    pub waiting: u64,
    /// How much room they take, in bytes.
    pub waiting_bytes: u64,
    /// The arrival up to which everything received is settled; null before the first.
    pub settled_until: Option<String>,
    /// Acknowledged by the destination.
    pub acknowledged: u64,
    /// Refused by the destination for good.
    pub refused: u64,
    /// Left the buffer because the Primary was proved to have settled the same.
    pub proved: u64,
    /// Dropped because the buffer was full.
    pub dropped: u64,
    /// Not taken because the buffer was full, since the server started.
    pub turned_away: u64,
    /// Not taken because the requests under way took all the memory that they may, since the server started.
    pub overloaded: u64,
    /// Not taken, or dropped by setting, while standing by, since the server started.
    pub stood_by: u64,
    /// Why the destination settles nothing now; null while it does.
    pub outage: Option<String>,
}
