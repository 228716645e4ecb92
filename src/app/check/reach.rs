//! The addresses: where the server listens, and the endpoint that the adapter is to register with.

use std::net::{SocketAddr, TcpListener};

use super::{Finding, UNREADABLE, place::Database};
use crate::{
    domain::{Mode, chain},
    registration::{LookError, look},
    tls::Authorities,
};

const ENDPOINT: &str = "endpoint";

/// Whether `listen` can be listened on, where no server does.
pub(super) fn listener(listen: SocketAddr, in_use: bool) -> Finding {
    if in_use {
        return Finding::good(
            "address",
            format!(
                "{listen} is not tried: the server that runs listens there, or where its own --listen says"
            ),
        );
    }
    match TcpListener::bind(listen) {
        Ok(_) => Finding::good("address", format!("{listen} is free")),
        Err(error) => Finding::bad(
            "address",
            format!("{listen} cannot be listened on: {error}"),
            "another program may use it (ss -ltnp), or this machine may not have it: choose with --listen",
        ),
    }
}

/// Whether the configured endpoint is reached, and lets the adapter in.
pub(super) async fn endpoint(database: &Database, authorities: &Authorities) -> Finding {
    let store = match database {
        Database::Read(store) => store,
        Database::NotMade => return Finding::good(ENDPOINT, "nothing is configured yet"),
        Database::NotRead => {
            let found = "what is configured is not known: the database was not read";
            return Finding::doubtful(ENDPOINT, found, "mend that first");
        }
    };
    let stored = match store.configuration().await {
        Ok(Some(stored)) => stored,
        Ok(None) => return Finding::good(ENDPOINT, "client failover is not configured"),
        Err(error) => {
            return Finding::bad(ENDPOINT, chain(&error), UNREADABLE);
        }
    };
    let config = stored.config;
    let url = config.endpoint().to_string();
    if config.mode() == Mode::None {
        return Finding::good(ENDPOINT, "the mode is None: this adapter takes no part in failover");
    }
    let open = match (stored.unreadable, stored.access) {
        (None, Ok(open)) => open,
        (None, Err(why)) => {
            let found = format!("{url} is not asked: {why}");
            return Finding::bad(ENDPOINT, found, "give that secret (client-failover secret set)");
        }
        (Some(_), _) => {
            let found = format!("{url} is not asked: its login cannot be read");
            return Finding::doubtful(ENDPOINT, found, "mend the key first");
        }
    };
    let looked = match look(&config, &open, authorities).await {
        Ok(looked) => looked,
        Err(error) => return not_reached(&url, &error),
    };
    let version = looked.version.as_deref().unwrap_or("of an unknown version");
    let kind = if looked.native { "client-failover" } else { "a stock endpoint" };
    let group = if looked.knows_group { "it has the group" } else { "it will make the group" };
    let took = looked.round_trip;
    let found = format!("{url}: {kind} {version}, answered in {took:.1?}; {group}");
    // A heartbeat that takes a quarter of T leaves little for the rest of the lease.
    if took > config.timeout().get() / 4 {
        return Finding::doubtful(ENDPOINT, found, "choose a longer FailoverTimeout, or mend the network");
    }
    if config.warnings().is_empty() {
        Finding::good(ENDPOINT, found)
    } else {
        Finding::doubtful(
            ENDPOINT,
            format!("{found}. {}", config.warnings().join(" ")),
            "mend the configuration",
        )
    }
}

fn not_reached(url: &str, error: &LookError) -> Finding {
    let LookError::Call(failure) = error else {
        return Finding::bad(ENDPOINT, chain(error), "mend the file of --ca-file");
    };
    Finding::bad(ENDPOINT, format!("{url}: {}", failure.detail), failure.remedy())
}
