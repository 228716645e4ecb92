//! How the destinations of the egress gate do, as JSON.

use schemars::JsonSchema;
use serde::Serialize;

use super::schema;

/// A destination, as the diagnostics show it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "Egress")]
pub struct LaneBody {
    /// The destination.
    #[schemars(with = "schema::Id")]
    pub id: String,
    /// How many requests wait for it.
    #[schemars(with = "schema::Counter")]
    pub waiting: u64,
    /// How much room they take, in bytes.
    #[schemars(with = "schema::Counter")]
    pub waiting_bytes: u64,
    /// The arrival up to which everything received is settled; null before the first.
    #[schemars(with = "Option<schema::Time>")]
    pub settled_until: Option<String>,
    /// Acknowledged by the destination.
    #[schemars(with = "schema::Counter")]
    pub acknowledged: u64,
    /// Refused by the destination for good.
    #[schemars(with = "schema::Counter")]
    pub refused: u64,
    /// Left the buffer because the Primary was proved to have settled the same.
    #[schemars(with = "schema::Counter")]
    pub proved: u64,
    /// Dropped because the buffer was full.
    #[schemars(with = "schema::Counter")]
    pub dropped: u64,
    /// Not taken because the buffer was full, since the server started.
    #[schemars(with = "schema::Counter")]
    pub turned_away: u64,
    /// Not taken because the requests under way took all the memory that they may, since the server started.
    #[schemars(with = "schema::Counter")]
    pub overloaded: u64,
    /// Not taken, or dropped by setting, while standing by, since the server started.
    #[schemars(with = "schema::Counter")]
    pub stood_by: u64,
    /// Why the destination settles nothing now; null while it does, or nothing is sent to it.
    pub outage: Option<String>,
}
