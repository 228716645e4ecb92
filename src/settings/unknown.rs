//! Variables that begin like ours and are none: mistyped, they would be passed over in silence.

use super::{
    EndpointPartial, Partial, ServePartial,
    source::{Asked, PREFIX, variable},
};

/// Those of ours that are no setting: what names the settings file, what says how much is logged, what the command
/// line that asks servers is told, and what collectors and hooks find in their environment.
const OTHERS: [&str; 15] = [
    "CONFIG",
    "LOG",
    "URL",
    "ENDPOINT",
    "CA_FILE",
    "USER",
    "PASSWORD_FILE",
    "TOKEN_FILE",
    "ROLE",
    "MODE",
    "EPOCH",
    "STARTED",
    "COLLECTING",
    "BUFFERING",
    "EGRESS",
];

/// Of `names`, each that begins like a variable of ours and is none, with the one that is the nearest to it.
pub fn unknown_variables(names: impl IntoIterator<Item = String>) -> Vec<(String, String)> {
    let mut asked = Asked::default();
    ServePartial::take(&mut asked);
    EndpointPartial::take(&mut asked);
    let others = OTHERS.iter().map(|name| format!("{PREFIX}{name}"));
    let known: Vec<String> = asked.0.into_iter().map(variable).chain(others).collect();
    let unknown = |name: &String| name.starts_with(PREFIX) && !known.contains(name);
    let nearest = |name: &str| {
        known.iter().min_by_key(|known| strsim::damerau_levenshtein(name, known)).cloned().unwrap_or_default()
    };
    names.into_iter().filter(unknown).map(|name| (name.clone(), nearest(&name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_variable_is_found_with_the_one_that_was_meant() {
        let found = |name: &str| unknown_variables([name.to_owned()]).pop().map(|(_, nearest)| nearest);
        for (name, meant) in [
            ("CLIENT_FAILOVER_DATADIR", "CLIENT_FAILOVER_DATA_DIR"),
            ("CLIENT_FAILOVER_ENDPOINT_LOS", "CLIENT_FAILOVER_ENDPOINT_LOSS"),
            ("CLIENT_FAILOVER_COLECTOR_COMMAND", "CLIENT_FAILOVER_COLLECTOR_COMMAND"),
            ("CLIENT_FAILOVER_HOLD_BACK", "CLIENT_FAILOVER_EGRESS_HOLD_BACK"),
        ] {
            assert_eq!(found(name).as_deref(), Some(meant), "{name}");
        }
        for known in [
            "CLIENT_FAILOVER_LISTEN",
            "CLIENT_FAILOVER_WITH_ENDPOINT",
            "CLIENT_FAILOVER_PROBE",
            "CLIENT_FAILOVER_EPOCH",
            "CLIENT_FAILOVER_EGRESS",
            "CLIENT_FAILOVER_LOG",
            "PATH",
        ] {
            assert_eq!(found(known), None, "{known}");
        }
    }
}
