//! Where the adapter stands, how its calls go, and what waits at its gate.

use tokio::sync::watch;

use super::seconds;
use crate::{
    clock,
    domain::{AdapterState, Mode, Now, Role, Standing},
    egress::{Gate, LaneReport},
    metrics::{Exposition, Labels, truth},
    registration::Calls,
    store::Writes,
};

/// What an adapter is measured by.
#[derive(Debug)]
pub struct AdapterMetrics {
    /// Where it stands, as it is published.
    pub standing: watch::Receiver<Standing>,
    /// How its calls to the failover endpoint go.
    pub calls: Calls,
    /// The gate that its collector sends through.
    pub gate: Gate,
    /// How the writes of the gate's buffer do.
    pub buffer_writes: Writes,
}

impl AdapterMetrics {
    /// Tells all of it; gives how many warnings it has.
    pub(super) fn expose(&self, to: &mut Exposition) -> usize {
        let standing = self.standing.borrow().clone();
        stands(&standing, clock::now(), to);
        heartbeats(&standing, to);
        self.calls.expose(to);
        gate(&self.gate.report(), to);
        self.buffer_writes.expose("egress_buffer", to);
        standing.warnings.len()
    }
}

/// Role, mode, state, and until when it may act.
fn stands(standing: &Standing, now: Now, to: &mut Exposition) {
    let text = |name: &'static str, value: Option<&str>| (name, value.unwrap_or_default().to_owned());
    let group = standing.group.as_ref().map(|group| group.as_str());
    let session = standing.session.as_ref().map(|session| session.as_str());
    let means = "The failover group of the adapter, and its session there";
    to.gauges(
        "client_failover_adapter_info",
        means,
        [(vec![text("group", group), text("session", session)], 1.0)],
    );
    let roles = [Role::None, Role::Secondary, Role::Primary].map(Role::as_str);
    let role = Some(standing.role_at(now.uptime).as_str());
    to.one_of("client_failover_adapter_role", "1 for the role of the adapter", "role", &roles, role);
    let modes = [Mode::Hot, Mode::Warm, Mode::Cold, Mode::None].map(Mode::as_str);
    let mode = standing.applied_mode.map(Mode::as_str);
    to.one_of("client_failover_adapter_mode", "1 for the mode that is applied", "mode", &modes, mode);
    let states =
        [AdapterState::Starting, AdapterState::Running, AdapterState::Stopped, AdapterState::Faulted];
    let (states, state) = (states.map(AdapterState::as_str), Some(standing.adapter_state.as_str()));
    to.one_of("client_failover_adapter_state", "1 for the state of the adapter", "state", &states, state);
    let means = "Since when it has its role, in seconds since 1970";
    to.gauge("client_failover_adapter_role_start_timestamp_seconds", means, standing.role_since.map(seconds));
    let means = "How long a Primary may still act; not there where it has no lease";
    let lease = standing.lease_remaining(now.uptime).map(|left| left.as_secs_f64());
    to.gauge("client_failover_adapter_lease_remaining_seconds", means, lease);
    let means = "The highest epoch that is known in the group";
    to.gauge("client_failover_adapter_epoch", means, standing.epoch.map(|epoch| epoch.get() as f64));
    let means = "How well the adapter can do its work, 0 to 100";
    to.gauge("client_failover_adapter_score", means, f64::from(standing.score.get()));
    let means = "Up to when data has been processed, in seconds since 1970";
    to.gauge("client_failover_adapter_last_data_timestamp_seconds", means, standing.last_data.map(seconds));
}

/// How it does with its failover endpoint.
fn heartbeats(standing: &Standing, to: &mut Exposition) {
    let takes_part = standing.role != Role::None && standing.group.is_some();
    let up = standing.last_error.is_none() && standing.last_heartbeat.is_some();
    let means =
        "Whether the failover endpoint answers; not there where the adapter takes no part in failover";
    to.gauge("client_failover_adapter_endpoint_up", means, takes_part.then(|| truth(up)));
    let means = "When the last heartbeat that was answered was sent, in seconds since 1970";
    let last = standing.last_heartbeat.map(seconds);
    to.gauge("client_failover_adapter_last_heartbeat_timestamp_seconds", means, last);
    let means = "The FailoverTimeout of the group";
    let timeout = standing.group_timeout.map(|timeout| timeout.get().as_secs_f64());
    to.gauge("client_failover_adapter_failover_timeout_seconds", means, timeout);
}

/// What waits for each destination, and what became of the rest.
fn gate(lanes: &[LaneReport], to: &mut Exposition) {
    fn of(lane: &LaneReport) -> Labels {
        vec![("destination", lane.id.clone())]
    }
    let each = |number: fn(&LaneReport) -> f64| lanes.iter().map(move |lane| (of(lane), number(lane)));
    let means = "Whether the destination settles what it is sent, as far as is known";
    to.gauges("client_failover_egress_up", means, each(|lane| truth(lane.outage.is_none())));
    let means = "Requests that wait for the destination";
    to.gauges("client_failover_egress_waiting_requests", means, each(|lane| lane.waiting as f64));
    let means = "How much room the requests that wait for the destination take";
    to.gauges("client_failover_egress_waiting_bytes", means, each(|lane| lane.waiting_bytes as f64));
    let means = "How much room requests may take that wait for the destination";
    to.gauges("client_failover_egress_waiting_limit_bytes", means, each(|lane| lane.limit_bytes as f64));
    let settled = lanes.iter().filter_map(|lane| Some((of(lane), seconds(lane.settled_until?))));
    let means = "The arrival up to which everything is settled, in seconds since 1970";
    to.gauges("client_failover_egress_settled_timestamp_seconds", means, settled);
    let outcomes = lanes.iter().flat_map(|lane| {
        outcomes(lane).map(|(outcome, requests)| {
            ([of(lane), vec![("outcome", outcome.to_owned())]].concat(), requests as f64)
        })
    });
    to.totals("client_failover_egress_requests_total", "What became of requests, by destination", outcomes);
}

/// What became of a destination's requests. Who dropped and who turned away lost something, unless the other adapter
/// has it.
const fn outcomes(lane: &LaneReport) -> [(&'static str, u64); 7] {
    [
        ("Acknowledged", lane.tally.acknowledged),
        ("Refused", lane.tally.refused),
        ("Proved", lane.tally.proved),
        ("Dropped", lane.tally.dropped),
        ("TurnedAway", lane.turned_away),
        ("Overloaded", lane.overloaded),
        ("StoodBy", lane.stood_by),
    ]
}
