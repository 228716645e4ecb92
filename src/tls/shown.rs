//! The certificate that the server shows, which may be another one tomorrow.

use std::{
    io,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use rustls::{
    ServerConfig,
    crypto::ring::default_provider,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::{Files, TlsError, certificate::Certificate};
use crate::{
    clock::{self, Alarm},
    domain::{Wall, chain},
};

/// How often the files are looked at. Who renews a certificate does so days before it ends.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long before its end a certificate is warned about: enough to get another one through an office.
const WARN_BEFORE: Duration = Duration::from_secs(30 * 86_400);

const DAY: u64 = 86_400;

/// The certificate that is shown to new connections.
#[derive(Debug)]
pub struct Shown {
    files: Files,
    state: RwLock<State>,
}

#[derive(Debug)]
struct State {
    certificate: Certificate,
    /// What the files contained when this was read from them.
    seen: [u8; 32],
    /// What else they contained at the last look: a file that is being written is another one at the next.
    found: Option<[u8; 32]>,
    /// Why what they contain now is not shown.
    refused: Option<String>,
    /// Whether everybody on this machine can read the key.
    key_is_open: bool,
}

impl Shown {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// When they cannot be read, or not be used together.
    pub async fn load(files: Files) -> Result<Arc<Self>, TlsError> {
        let contents = files.read().await?;
        let certificate = files.understand(&contents)?;
        let (seen, key_is_open) = (contents.digest(), files.key_is_open().await);
        let state = RwLock::new(State { certificate, seen, found: None, refused: None, key_is_open });
        Ok(Arc::new(Self { files, state }))
    }

    /// What makes TLS connections of accepted ones.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn acceptor(self: &Arc<Self>) -> Result<TlsAcceptor, TlsError> {
        let certificate: Arc<dyn ResolvesServerCert> = Arc::clone(self) as _;
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(certificate);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// SHA-256 of the certificate that is shown, as browsers and openssl write it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.read(|state| state.certificate.fingerprint.clone())
    }

    /// When the certificate that is shown ends.
    #[must_use]
    pub fn ends(&self) -> Wall {
        self.read(|state| state.certificate.not_after)
    }

    /// The host names and addresses that it is for.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.read(|state| state.certificate.names.clone())
    }

    /// Whether it has ended at `now`.
    #[must_use]
    pub fn has_ended(&self, now: Wall) -> bool {
        self.ends() < now
    }

    /// What an operator should know about it, each a sentence.
    #[must_use]
    pub fn warnings(&self, now: Wall) -> Vec<String> {
        self.read(|state| {
            let ends = ending(state.certificate.not_after, now);
            let refused = state.refused.as_ref().map(|why| {
                format!("The TLS certificate is not renewed: {why}. The one before it is still shown.")
            });
            let open = state.key_is_open.then(|| {
                let key = self.files.key.display();
                format!("The TLS key {key} can be read by every account of this machine: run chmod o= {key}.")
            });
            ends.into_iter().chain(refused).chain(open).collect()
        })
    }

    /// Shows what the files contain whenever that changes, until `stop`.
    ///
    /// # Errors
    /// When the kernel refuses a timer.
    pub async fn keep_fresh(self: Arc<Self>, stop: CancellationToken) -> io::Result<()> {
        let mut alarm = Alarm::new()?;
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                waited = alarm.after(LOOK_EVERY) => waited?,
            }
            self.look().await;
        }
    }

    /// Shows what the files contain, if two looks in a row found it.
    async fn look(&self) {
        let (contents, key_is_open) = (self.files.read().await, self.files.key_is_open().await);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.key_is_open = key_is_open;
        let read = match contents {
            Ok(contents) if contents.digest() == state.seen => {
                (state.found, state.refused) = (None, None);
                return;
            }
            Ok(contents) if state.found.replace(contents.digest()) == Some(contents.digest()) => {
                self.files.understand(&contents).map(|read| (read, contents.digest()))
            }
            Ok(_) => return,
            Err(error) => Err(error),
        };
        let now = clock::now().wall;
        let why = match read {
            Ok((certificate, _)) if certificate.not_after < now && now <= state.certificate.not_after => {
                format!("the new one ended at {}", certificate.not_after)
            }
            Ok((certificate, seen)) => {
                let fingerprint = &certificate.fingerprint;
                tracing::info!(%fingerprint, ends = %certificate.not_after, "a new TLS certificate is shown");
                *state = State { certificate, seen, found: None, refused: None, key_is_open };
                return;
            }
            Err(error) => chain(&error),
        };
        // Said again only when it is another reason.
        if state.refused.as_ref() != Some(&why) {
            tracing::warn!("the TLS certificate changed but cannot be used: {why}");
            state.refused = Some(why);
        }
    }

    fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.read(|state| Arc::clone(&state.certificate.key)))
    }
}

/// That a certificate has ended, or will soon.
fn ending(not_after: Wall, now: Wall) -> Option<String> {
    if not_after < now {
        return Some(format!(
            "The TLS certificate of this server ended at {not_after}: whoever checks it refuses to connect."
        ));
    }
    let left = not_after.since(now);
    (left < WARN_BEFORE).then(|| {
        let days = left.as_secs() / DAY;
        format!("The TLS certificate of this server ends at {not_after}, in {days} days: renew it.")
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A certificate for `key`, which ends in that year.
    fn certificate(key: &rcgen::KeyPair, year: i32) -> String {
        let mut params = rcgen::CertificateParams::new(["plc-a".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        params.self_signed(key).unwrap().pem()
    }

    #[tokio::test]
    async fn what_is_half_written_or_has_ended_is_not_shown() {
        let (folder, key) = (tempfile::tempdir().unwrap(), rcgen::KeyPair::generate().unwrap());
        let path = |name| folder.path().join(name);
        let files = Files { certificate: path("cert.pem"), key: path("key.pem") };
        let write = |pem: &str| std::fs::write(&files.certificate, pem).unwrap();
        let (own, authority) = (certificate(&key, 2100), certificate(&key, 2101));
        let renewed = certificate(&key, 2102);
        std::fs::write(&files.key, key.serialize_pem()).unwrap();
        write(&format!("{own}{authority}"));
        let shown = Shown::load(files.clone()).await.unwrap();
        let chain = || shown.read(|state| (state.certificate.not_after, state.certificate.key.cert.len()));
        let before = chain();
        let private =
            |mode| std::fs::set_permissions(&files.key, std::fs::Permissions::from_mode(mode)).unwrap();
        for (mode, warnings) in [(0o644, 1), (0o640, 0)] {
            private(mode);
            shown.look().await;
            assert_eq!(
                shown.warnings(clock::now().wall).len(),
                warnings,
                "a key that all may read is warned about"
            );
        }
        // The key stays, so that the first certificate of a chain fits it before the rest is written.
        write(&renewed);
        shown.look().await;
        assert_eq!(chain(), before);
        write(&format!("{renewed}{authority}"));
        shown.look().await;
        assert_eq!(chain(), before);
        shown.look().await;
        assert_eq!((chain().0 > before.0, chain().1), (true, 2));

        write(&certificate(&key, 2020));
        for _ in 0..2 {
            shown.look().await;
        }
        assert_eq!(chain().1, 2);
        let said = shown.warnings(clock::now().wall).join(" ");
        assert!(said.contains("is not renewed: the new one ended at 2020-01-01"), "{said}");
        write(&format!("{renewed}{authority}"));
        shown.look().await;
        assert!(shown.warnings(clock::now().wall).is_empty());
    }

    #[test]
    fn an_end_is_said_thirty_days_before_and_ever_after() {
        let end = Wall::from_micros(1_800_000_000_000_000);
        let days = |days| end.minus(Duration::from_secs(days * DAY));
        assert_eq!(ending(end, days(31)), None);
        assert!(ending(end, days(30)).is_none(), "exactly 30 days are not yet soon");
        assert!(ending(end, days(29)).is_some_and(|said| said.contains("in 29 days: renew it")));
        assert!(ending(end, end).is_some_and(|said| said.contains("in 0 days")));
        let after = ending(end, end.plus(Duration::from_secs(1)));
        assert!(after.is_some_and(|said| said.contains("ended at 2027-01-15T08:00:00Z")));
    }
}
