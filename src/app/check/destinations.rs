//! The destinations of the egress gate: whether they can be read, with their logins, whether they take a connection,
//! and what is unsafe about them. Nothing is sent to them.

use std::{io, time::Duration};

use futures_util::future::join_all;
use tokio::{net::TcpStream, time::timeout};

use super::{Finding, UNREADABLE, place::Database};
use crate::{
    domain::{HttpUrl, chain},
    store::StoredDataEndpoint,
};

const DESTINATION: &str = "destination";

/// Who takes no connection within this is down, or too far away.
const WITHIN: Duration = Duration::from_secs(2);

pub(super) async fn all(database: &Database) -> Vec<Finding> {
    let Database::Read(store) = database else { return Vec::new() };
    let stored = match store.data_endpoints().await {
        Ok(stored) => stored,
        Err(error) => {
            return vec![Finding::bad(DESTINATION, chain(&error), UNREADABLE)];
        }
    };
    let connected = join_all(stored.iter().map(|one| connect(one.endpoint.access().endpoint()))).await;
    stored.iter().zip(connected).flat_map(|(one, connected)| about(one, connected)).collect()
}

/// Whether somebody listens at `url`.
async fn connect(url: &HttpUrl) -> io::Result<()> {
    let host = url.url().host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let port = url.url().port_or_known_default().unwrap_or_default();
    let late = || io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {WITHIN:?}"));
    timeout(WITHIN, TcpStream::connect((host, port))).await.map_err(|_elapsed| late())??;
    Ok(())
}

fn about(stored: &StoredDataEndpoint, connected: io::Result<()>) -> Vec<Finding> {
    let warnings = stored.endpoint.warnings();
    let unsafe_is = (!warnings.is_empty())
        .then(|| Finding::doubtful(DESTINATION, warnings.join(" "), "mend that data endpoint"));
    std::iter::once(reached(stored, connected)).chain(unsafe_is).collect()
}

fn reached(stored: &StoredDataEndpoint, connected: io::Result<()>) -> Finding {
    let (id, url) = (stored.endpoint.id(), stored.endpoint.access().endpoint());
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
    match connected {
        Ok(()) => Finding::good(DESTINATION, format!("{id}: {url} takes connections; nothing was sent")),
        Err(error) => Finding::bad(
            DESTINATION,
            format!("{id}: {url} takes no connection: {error}"),
            "see to it that it runs, and that no firewall is between; what the gate was given for it waits",
        ),
    }
}
