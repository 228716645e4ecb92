//! How a process stands, in one line for the service manager.

use tokio::sync::watch;

use crate::{
    clock,
    domain::{Epoch, Standing},
    endpoint::Endpoint,
};

/// What a process is about.
#[derive(Default)]
pub(super) struct Status {
    pub(super) adapter: Option<watch::Receiver<Standing>>,
    pub(super) endpoint: Option<Endpoint>,
}

impl Status {
    pub(super) fn text(&self) -> String {
        let adapter = self.adapter.as_ref().map(|standing| adapter(&standing.borrow()));
        let endpoint = self.endpoint.as_ref().map(|endpoint| groups(endpoint.tally()));
        adapter.into_iter().chain(endpoint).collect::<Vec<_>>().join("; ")
    }
}

fn adapter(standing: &Standing) -> String {
    let Some(group) = &standing.group else { return "client failover is not configured".to_owned() };
    let role = standing.role_at(clock::now().uptime);
    let epoch = standing.epoch.map(|epoch| format!(", epoch {}", Epoch::get(epoch))).unwrap_or_default();
    format!("{role} in {group}{epoch}")
}

fn groups((groups, without_primary): (usize, usize)) -> String {
    let many = |count| if count == 1 { "group" } else { "groups" };
    match without_primary {
        0 => format!("{groups} {}", many(groups)),
        some => format!("{groups} {}, {some} without a Primary", many(groups)),
    }
}
