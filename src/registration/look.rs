//! A look at an endpoint, for whoever sets an adapter up: nothing is created there.

use std::time::Duration;

use super::{
    ClientError,
    client::EndpointClient,
    machine::{Answer, Call},
};
use crate::{
    clock,
    domain::{CallFailure, FailoverConfig, FailureKind, OpenAccess},
    tls::Authorities,
};

/// What an endpoint said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// What it calls its version.
    pub version: Option<String>,
    /// Whether it knows our extensions.
    pub native: bool,
    /// Whether it has the group already.
    pub knows_group: bool,
    /// How long its answer took.
    pub round_trip: Duration,
}

/// Why an endpoint said nothing that helps.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// No client could be made.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A call failed.
    #[error("{}", .0.detail)]
    Call(CallFailure),
}

/// Asks the endpoint of `config` for its version and the group, with its login.
///
/// # Errors
/// When it is not reached, or refuses.
pub async fn look(
    config: &FailoverConfig,
    open: &OpenAccess,
    authorities: &Authorities,
) -> Result<Looked, LookError> {
    let client = EndpointClient::new(open, config.timeout(), authorities)?;
    let (mut version, mut native) = (None, false);
    match client.call(&Call::Version).await {
        Ok(Answer::Version { version: said, native: ours }) => (version, native) = (said, ours),
        Ok(_) => {}
        // A stock endpoint has no version to tell.
        Err(CallFailure {
            kind: FailureKind::NotFound | FailureKind::Refused | FailureKind::Forbidden,
            ..
        }) => {}
        Err(failure) => return Err(LookError::Call(failure)),
    }
    // The connection is open now, as it is for heartbeats.
    let begun = clock::now().uptime;
    let group = client.call(&Call::ReadGroup(config.group().clone())).await;
    let round_trip = clock::now().uptime.since(begun);
    let knows_group = match group {
        Ok(_) => true,
        Err(CallFailure { kind: FailureKind::NotFound, .. }) if version.is_some() => false,
        Err(failure) => return Err(LookError::Call(failure)),
    };
    Ok(Looked { version, native, knows_group, round_trip })
}
