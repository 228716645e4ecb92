//! The service manager's socket, and what is written to it.

use std::{
    env,
    ffi::OsStr,
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use super::Rounds;
use crate::clock::Alarm;

/// What a manager sets for this process alone: whoever it starts must not find them.
pub const VARIABLES: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

/// How often it is looked whether there is something to tell, at the least.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How many looks a manager's patience is divided into, so that some may be late.
const LOOKS: u32 = 4;

/// The manager that started this process, if one did.
#[derive(Debug)]
pub struct Manager {
    socket: Option<UnixDatagram>,
    /// How long it may hear nothing before it ends this process.
    patience: Option<Duration>,
}

impl Manager {
    /// The one that the environment names.
    #[must_use]
    pub fn of_environment() -> Self {
        let number = |name| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let patience =
            number("WATCHDOG_USEC").filter(|micros| ours && *micros > 0).map(Duration::from_micros);
        Self::at(env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()).as_deref(), patience)
    }

    /// One at a socket, which ends this process when it hears nothing for longer than its patience. A socket that
    /// cannot be used is warned about, and not used.
    fn at(socket: Option<&OsStr>, patience: Option<Duration>) -> Self {
        let unusable =
            |error: &io::Error| tracing::warn!(%error, "the service manager's socket cannot be used");
        Self { socket: socket.and_then(|name| connect(name).inspect_err(unusable).ok()), patience }
    }

    /// Tells it that the process is ready: whoever comes is answered.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// Tells it that the process ends.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// Tells it how the process stands, and that it lives for as long as all `rounds` are gone, until `stop`.
    ///
    /// # Errors
    /// When the kernel refuses a timer.
    pub async fn attend(
        &self,
        rounds: &Rounds,
        status: impl Fn() -> String,
        stop: &CancellationToken,
    ) -> io::Result<()> {
        if self.socket.is_none() {
            stop.cancelled().await;
            return Ok(());
        }
        let every = self.patience.map_or(LOOK_EVERY, |patience| (patience / LOOKS).min(LOOK_EVERY));
        let (mut alarm, mut told, mut missed) = (Alarm::new()?, String::new(), Vec::new());
        if self.patience.is_some() {
            tracing::debug!(loops = ?rounds.watched(), "the service manager is told that they go round");
        }
        loop {
            let now = status();
            if now != told {
                self.tell(&format!("STATUS={now}"));
                told = now;
            }
            let missing = rounds.missing();
            if missing.is_empty() {
                if self.patience.is_some() {
                    self.tell("WATCHDOG=1");
                }
                rounds.ask();
            } else if missing != missed {
                tracing::debug!(?missing, "a loop has not gone round yet; the service manager is not told");
            }
            missed = missing;
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                waited = alarm.after(every) => waited?,
            }
        }
    }

    fn tell(&self, what: &str) {
        if let Some(socket) = &self.socket
            && let Err(error) = socket.send(what.as_bytes())
        {
            tracing::debug!(%error, what, "the service manager does not hear");
        }
    }
}

/// A name that begins with `@` is in the abstract namespace.
fn connect(name: &OsStr) -> io::Result<UnixDatagram> {
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(hidden) => SocketAddr::from_abstract_name(hidden)?,
        None => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    // A manager that does not read must not hold anything up.
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn heard(socket: &UnixDatagram) -> String {
        let mut said = [0; 256];
        let length = socket.recv(&mut said).unwrap();
        String::from_utf8(said[..length].to_vec()).unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_loop_that_hangs_starves_the_watchdog_and_one_that_goes_on_feeds_it() {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().join("notify");
        let socket = UnixDatagram::bind(&name).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let manager = Manager::at(Some(name.as_os_str()), Some(Duration::from_millis(40)));
        let (rounds, stop, looks) = (Rounds::default(), CancellationToken::new(), AtomicU64::new(0));
        let (mut pulse, theirs) = (rounds.watch("hangs"), stop.clone());
        // Each look has another status, so that looks can be counted from outside.
        let mut attending = tokio::task::JoinSet::new();
        attending.spawn(async move {
            let status = || looks.fetch_add(1, Ordering::Relaxed).to_string();
            manager.attend(&rounds, status, &theirs).await
        });
        assert_eq!(heard(&socket), "STATUS=0");
        assert_eq!(heard(&socket), "WATCHDOG=1", "nobody was asked before");
        for look in 1..20 {
            assert_eq!(heard(&socket), format!("STATUS={look}"), "the loop hangs");
        }
        pulse.turn();
        let fed = (0..10_000).map(|_| heard(&socket)).find(|said| said == "WATCHDOG=1");
        assert_eq!(fed.as_deref(), Some("WATCHDOG=1"), "the loop goes on");
        stop.cancel();
        attending.join_next().await.unwrap().unwrap().unwrap();
    }
}
