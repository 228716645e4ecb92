//! The collector of the demo: a process that hands a numbered sample to its adapter's gate at each moment of a source
//! that both collectors can read, and goes on with the next when that is taken.
//!
//! It knows nothing of failover. Whether a sample is sent, kept or turned away is the gate's matter.

use std::{io, time::Duration};

use reqwest::{Client, StatusCode};

use super::ask;
use crate::{
    clock::{self, Alarm},
    domain::Uptime,
};

/// How far apart the moments of the source are.
pub(super) const PACE: Duration = Duration::from_millis(100);

/// How late a sample may be handed in, as the adapters are told: a stall of this machine is to be shorter.
pub(super) const HOLD_BACK: Duration = Duration::from_secs(2);

/// How soon it is tried again to hand a sample in, and how long one attempt may take.
const TRY_AGAIN: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(1);

/// The data endpoint of the adapters that leads to the sink.
pub(super) const SINK: &str = "sink";

/// Hands in the samples of a source that `began` then, to the adapter at `adapter`, until the process is ended.
///
/// # Errors
/// When the system refuses a timer or a client.
pub async fn collect(adapter: &str, began: Uptime) -> io::Result<()> {
    let gate = format!("{adapter}/egress/{SINK}/samples");
    let client = ask::client(PATIENCE).map_err(io::Error::other)?;
    let mut alarm = Alarm::new()?;
    let passed = clock::now().uptime.since(began).as_millis() / PACE.as_millis();
    let mut number = u32::try_from(passed).map_err(io::Error::other)? + 1;
    loop {
        alarm.until(began + PACE * number).await?;
        while !hand_in(&client, &gate, number).await {
            alarm.after(TRY_AGAIN).await?;
        }
        number += 1;
    }
}

/// Hands a sample in; whether that is over. A standby that keeps nothing answers 503, and the sample is left to the
/// Primary.
async fn hand_in(client: &Client, gate: &str, number: u32) -> bool {
    match client.post(gate).body(number.to_string()).send().await {
        Ok(answer) => answer.status().is_success() || answer.status() == StatusCode::SERVICE_UNAVAILABLE,
        Err(_not_reached) => false,
    }
}
