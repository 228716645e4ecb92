//! The tables `[[probe]]`: what is looked at for a collector that cannot report.

use std::{collections::BTreeSet, time::Duration};

use super::{
    order::Words,
    source::{File, SettingsError, Source},
    value::Value,
};
use crate::domain::{ComponentId, HttpUrl, Probe, ProbeTarget, StreamCount};

/// From one look to the next unless something else is said.
const INTERVAL: Duration = Duration::from_secs(5);

/// How long a look may take unless something else is said, at most.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How many failures in a row are an error unless something else is said: one answer that is lost is none.
const FAILURES: u32 = 3;

/// How often is too often: a look each 100 ms costs more than it tells.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

/// How many probes there can be: each has a timer, and most adapters have one or two.
const MOST_PROBES: usize = 100;

/// The probes that a source names; nothing where it is silent.
pub(super) fn take(source: &mut impl Source) -> Option<Vec<Probe>> {
    source.take_list("probe", read)
}

/// The probes, if they can all be told apart.
pub(super) fn complete(probes: Option<Vec<Probe>>) -> Result<Vec<Probe>, SettingsError> {
    let probes = probes.unwrap_or_default();
    let mut ids = BTreeSet::new();
    for probe in &probes {
        if !ids.insert(&probe.id) {
            return Err(SettingsError::one(format!("probe: the id {:?} is there twice", probe.id.as_str())));
        }
    }
    if probes.len() > MOST_PROBES {
        let fault = format!("probe: there are {} probes, more than {MOST_PROBES}", probes.len());
        return Err(SettingsError::one(fault));
    }
    Ok(probes)
}

fn read(table: &mut File) -> Option<Probe> {
    let (named, has_url, has_command) = (table.has("id"), table.has("url"), table.has("command"));
    let id = table.take::<ComponentId>("id");
    let (url, command) = (table.take::<HttpUrl>("url"), table.take::<Words>("command"));
    let interval = table.take("interval").unwrap_or(INTERVAL);
    let timeout = table.take("timeout").unwrap_or(TIMEOUT.min(interval));
    let failures = table.take("failures").unwrap_or(Failures(FAILURES));
    let streams = table.take("streams").unwrap_or(StreamCount::ONE);
    if !named {
        table.fault("id is missing; it names the probe among the components");
    }
    match (has_url, has_command) {
        (false, false) => table.fault("url or command is missing; one of them says what is looked at"),
        (true, true) => table.fault("url and command are both there; a probe looks at one of them"),
        (true, false) | (false, true) => {}
    }
    if interval < SHORTEST_INTERVAL {
        table.fault("interval is shorter than 100ms");
    }
    if timeout > interval {
        table.fault("timeout is longer than interval; a look ends before the next one begins");
    }
    let target = url.map(ProbeTarget::Url).or(command.map(|Words(command)| ProbeTarget::Command(command)));
    Some(Probe { id: id?, target: target?, streams, interval, timeout, failures: failures.0 })
}

impl Value for ComponentId {
    const EXPECTED: &'static str = "an Id of 1 to 256 characters without control characters";

    fn read(text: &str) -> Option<Self> {
        Self::new(text).ok()
    }
}

impl Value for HttpUrl {
    const EXPECTED: &'static str = "an absolute http or https URL without user name, password and fragment, such as http://127.0.0.1:9090/-/healthy";

    fn read(text: &str) -> Option<Self> {
        Self::parse(text).ok()
    }
}

impl Value for StreamCount {
    const EXPECTED: &'static str = "a whole number from 0 to 10000000";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok().and_then(Self::new)
    }
}

/// How many failures in a row are an error.
struct Failures(u32);

impl Value for Failures {
    const EXPECTED: &'static str = "a number of failures from 1 to 1000";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok().filter(|failures| (1..=1_000).contains(failures)).map(Self)
    }
}
