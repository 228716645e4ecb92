//! The destinations of the egress gate: whether they can be read, with their logins, and what is unsafe about them.

use super::{Finding, place::Database};
use crate::{domain::chain, store::StoredDataEndpoint};

const DESTINATION: &str = "destination";

pub(super) async fn all(database: &Database) -> Vec<Finding> {
    let Database::Read(store) = database else { return Vec::new() };
    let stored = match store.data_endpoints().await {
        Ok(stored) => stored,
        Err(error) => {
            return vec![Finding::bad(
                DESTINATION,
                chain(&error),
                "configure it anew (Egress/DataEndpoints)",
            )];
        }
    };
    stored.iter().map(one).collect()
}

fn one(stored: &StoredDataEndpoint) -> Finding {
    let id = stored.endpoint.id();
    match (&stored.unreadable, &stored.access) {
        (Some(_), _) => {
            let found = format!("{id} cannot be sent to: its login cannot be read");
            return Finding::doubtful(DESTINATION, found, "mend the key first");
        }
        (None, Err(why)) => {
            let found = format!("{id} cannot be sent to: {why}");
            return Finding::bad(DESTINATION, found, "give that secret (client-failover secret set)");
        }
        (None, Ok(_)) => {}
    }
    let warnings = stored.endpoint.warnings();
    if warnings.is_empty() {
        Finding::good(DESTINATION, format!("{id}: {}", stored.endpoint.access().endpoint()))
    } else {
        Finding::doubtful(DESTINATION, warnings.join(" "), "mend that data endpoint")
    }
}
