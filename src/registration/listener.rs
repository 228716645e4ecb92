//! Listens to a group's events, so that a hand-over need not wait for the next heartbeat.
//!
//! It promises nothing to those who do not hear: a stream that is refused, breaks or says nonsense is
//! opened again later, says nothing about the group or the session, and leaves heartbeats as they are.

use std::{io, sync::Arc, time::Duration};

use reqwest::Response;
use tokio::{sync::Notify, time::timeout};

use super::{
    client::EndpointClient,
    machine::{Backoff, Listen},
};
use crate::{
    clock::{self, Alarm},
    domain::Uptime,
    login::transport_failure,
    wire::events::{EventReader, nudges},
};

/// The first wait before a stream that ended is opened again; it doubles from there.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// How long a stream may be silent, its opening included: three keep-alives of our endpoint.
const SILENCE: Duration = Duration::from_secs(45);

/// The longest wait that an endpoint can ask for (Retry-After): one that asks for hours has made a mistake.
const LONGEST_ASKED: Duration = Duration::from_secs(300);

/// What a stream may send in a second: some thousand nudges, more than any group has.
const MOST_PER_SECOND: usize = 256 * 1024;

/// Listens to the events of one group.
pub(super) struct Listener {
    client: EndpointClient,
    what: Listen,
    nudged: Arc<Notify>,
    backoff: Backoff,
    /// Whether it was said that there is no stream. Once is enough, until one has lasted.
    said: bool,
}

impl Listener {
    pub(super) fn new(client: EndpointClient, what: Listen, nudged: Arc<Notify>) -> Self {
        let backoff = Backoff::starting_with(FIRST_WAIT, what.jitter_seed);
        Self { client, what, nudged, backoff, said: false }
    }

    /// Listens for as long as it is polled.
    ///
    /// # Errors
    /// When the system refuses a timer.
    pub(super) async fn run(mut self) -> io::Result<()> {
        let mut alarm = Alarm::new()?;
        loop {
            let Ended { why, asked } = self.listen_once().await;
            if !std::mem::replace(&mut self.said, true) {
                tracing::info!(
                    group = %self.what.group, reason = why,
                    "the endpoint's events are not heard; heartbeats go on at their pace"
                );
            }
            let asked = self.backoff.asked(asked.unwrap_or_default(), LONGEST_ASKED);
            alarm.after(self.backoff.next(self.what.longest_wait).max(asked)).await?;
        }
    }

    /// Opens a stream and listens until it ends.
    async fn listen_once(&mut self) -> Ended {
        let opened = match timeout(SILENCE, self.client.open_events(&self.what.group)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(failure)) => return Ended { why: failure.detail, asked: failure.retry_after },
            Err(_elapsed) => return Ended { why: "no answer arrived".to_owned(), asked: None },
        };
        if !self.said {
            tracing::debug!(group = %self.what.group, "the endpoint's events are listened to");
        }
        let begun = clock::now().uptime;
        let why = self.follow(opened).await;
        // One that ends at once, again and again, is no reason to ask at once, again and again.
        if clock::now().uptime.since(begun) >= self.what.longest_wait {
            self.backoff.reset();
            self.said = false;
        }
        Ended { why, asked: None }
    }

    async fn follow(&self, mut stream: Response) -> String {
        let (mut reader, mut flow) = (EventReader::default(), Flow::default());
        loop {
            let piece = match timeout(SILENCE, stream.chunk()).await {
                Ok(Ok(Some(piece))) => piece,
                Ok(Ok(None)) => return "the stream ended".to_owned(),
                Ok(Err(error)) => return transport_failure(&error).detail,
                Err(_elapsed) => return format!("the stream was silent for {} s", SILENCE.as_secs()),
            };
            let heard = reader.read(&piece, |name, data| {
                if nudges(name, data, &self.what.session) {
                    self.nudged.notify_one();
                }
            });
            if let Err(too_long) = heard {
                return too_long.to_string();
            }
            if flow.is_flooded(clock::now().uptime, piece.len()) {
                return format!("the stream sent more than {MOST_PER_SECOND} bytes in a second");
            }
        }
    }
}

/// Why there is no stream any more, and how long the endpoint asks to wait.
struct Ended {
    why: String,
    asked: Option<Duration>,
}

/// What arrived within the present second.
#[derive(Debug, Default)]
struct Flow {
    since: Uptime,
    bytes: usize,
}

impl Flow {
    fn is_flooded(&mut self, now: Uptime, bytes: usize) -> bool {
        if now.since(self.since) >= Duration::from_secs(1) {
            *self = Self { since: now, bytes: 0 };
        }
        self.bytes += bytes;
        self.bytes > MOST_PER_SECOND
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_what_comes_within_a_second() {
        let at = |millis| Uptime::new(Duration::from_millis(millis));
        let mut flow = Flow::default();
        assert!(!flow.is_flooded(at(5_000), MOST_PER_SECOND));
        assert!(!flow.is_flooded(at(6_000), MOST_PER_SECOND), "another second");
        assert!(flow.is_flooded(at(6_999), 1));
    }
}
