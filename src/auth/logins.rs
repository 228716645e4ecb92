//! Whether a request is somebody's.

use std::{
    collections::HashMap,
    io,
    net::IpAddr,
    num::NonZero,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use ring::hmac;
use secrecy::ExposeSecret;
use tokio::{sync::Semaphore, task::spawn_blocking};
use tokio_util::sync::CancellationToken;

use super::{
    basic::{self, Claim},
    directory::Directory,
    issuer::Issuer,
    machine::Slowing,
    password,
};
use crate::{
    clock::{self, Alarm},
    domain::{Uptime, User, UserName},
    store::{Store, StoreError},
};

/// How long a login that was verified is known again, so that heartbeats stay cheap.
const REMEMBERED: Duration = Duration::from_secs(5 * 60);

/// How often changed accounts are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Logins that wait for their verification, one after the other: a plant that comes back at once.
const WAITING: usize = 256;

/// Why a request is nobody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// It has no login, or one that can be nobody's.
    NoLogin,
    /// Name or password are wrong. Which, is not said.
    Wrong(UserName),
    /// Its token is nobody's; why.
    BadToken(&'static str),
    /// Its source failed too often, or too many log in at once; another attempt has a chance after this time.
    TooMany(Duration),
}

/// A login that is somebody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Whose it is.
    pub user: User,
    /// After what time it is over by itself, as that of a token is.
    pub ends_in: Option<Duration>,
}

/// Those who may log in. Clones share it.
#[derive(Debug, Clone)]
pub struct Logins(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    directory: Directory,
    /// Whether a login is needed even while there is no user.
    always: bool,
    /// Whose tokens are logins, too.
    issuer: Option<Issuer>,
    remembering: hmac::Key,
    remembered: Mutex<HashMap<Digest, Remembered>>,
    slowing: Mutex<Slowing>,
    verifying: Semaphore,
    waiting: Semaphore,
    verifications: AtomicU64,
}

type Digest = [u8; 32];

#[derive(Debug)]
struct Remembered {
    name: UserName,
    /// The hash that it was verified against: another one is another password.
    password_hash: String,
    until: Uptime,
}

impl Logins {
    /// The users of `store`, and of `issuer`'s tokens. With `always` a login is needed even while there is
    /// neither.
    ///
    /// # Errors
    /// When the store or the system refuses.
    pub async fn open(store: Store, issuer: Option<Issuer>, always: bool) -> Result<Self, StoreError> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| StoreError::KeyUnusable(error.to_string()))?;
        // One may be verified for each two processors: the rest goes on meanwhile.
        let at_once = thread::available_parallelism().map_or(1, NonZero::get).div_ceil(2);
        Ok(Self(Arc::new(Inner {
            directory: Directory::open(store).await?,
            always,
            issuer,
            remembering: hmac::Key::new(hmac::HMAC_SHA256, &key),
            remembered: Mutex::default(),
            slowing: Mutex::default(),
            verifying: Semaphore::new(at_once),
            waiting: Semaphore::new(WAITING),
            verifications: AtomicU64::new(0),
        })))
    }

    /// Whether anybody can log in.
    #[must_use]
    pub fn any(&self) -> bool {
        self.0.issuer.is_some() || !self.0.directory.is_empty()
    }

    /// Whether requests need a login.
    #[must_use]
    pub fn needed(&self) -> bool {
        self.0.always || self.any()
    }

    /// Whether a name and a password may be a login. Where there is nobody at all, it is what a user would have.
    #[must_use]
    pub fn takes_passwords(&self) -> bool {
        self.0.issuer.is_none() || !self.0.directory.is_empty()
    }

    /// Whether a token may be a login.
    #[must_use]
    pub fn takes_tokens(&self) -> bool {
        self.0.issuer.is_some()
    }

    /// How many passwords were verified.
    #[must_use]
    pub fn verifications(&self) -> u64 {
        self.0.verifications.load(Ordering::Relaxed)
    }

    /// Whose a request is whose `Authorization` header this is.
    ///
    /// # Errors
    /// When it is nobody's.
    pub async fn check(&self, header: Option<&[u8]>, from: IpAddr) -> Result<Login, Denied> {
        if let Some(token) = header.and_then(bearer) {
            let issuer = self.0.issuer.as_ref().ok_or(Denied::BadToken("tokens are not known here"))?;
            return issuer.check(token).await;
        }
        let claim = header.and_then(basic::read).ok_or(Denied::NoLogin)?;
        let user = self.of_password(claim, from).await?;
        Ok(Login { user, ends_in: None })
    }

    async fn of_password(&self, claim: Claim, from: IpAddr) -> Result<User, Denied> {
        let digest = self.digest(&claim);
        if let Some(user) = self.known(&digest, clock::now().uptime) {
            return Ok(user);
        }
        self.slowing().allowed(from, &claim.name, clock::now().uptime).map_err(Denied::TooMany)?;
        let name = claim.name.clone();
        let Some(user) = self.verify(claim, &digest).await? else {
            self.slowing().failed(from, &name, clock::now().uptime);
            return Err(Denied::Wrong(name));
        };
        self.slowing().succeeded(from, &name);
        Ok(user)
    }

    /// Returns once what `user` was let in for holds no more: his account changed, or, where nobody had to
    /// log in, somebody has to now.
    pub async fn until_changed(self, user: Option<UserName>) {
        let account = |name: &UserName| self.0.directory.account(name);
        let mut changes = self.0.directory.changes();
        let before = user.as_ref().and_then(account);
        while match &user {
            Some(name) => account(name) == before,
            None => !self.needed(),
        } {
            // The directory lives as long as this does.
            changes.changed().await.ok();
        }
    }

    async fn verify(&self, claim: Claim, digest: &Digest) -> Result<Option<User>, Denied> {
        let busy = Denied::TooMany(Duration::from_secs(1));
        let Ok(_waiting) = self.0.waiting.try_acquire() else { return Err(busy) };
        let Ok(_turn) = self.0.verifying.acquire().await else { return Err(busy) };
        // Whoever had the turn before may have had the same login.
        if let Some(user) = self.known(digest, clock::now().uptime) {
            return Ok(Some(user));
        }
        // An account that was made or changed just now counts at once.
        if let Err(error) = self.0.directory.refresh().await {
            tracing::warn!(%error, "users cannot be read; those that were read before count");
        }
        let Claim { name, password } = claim;
        let account = self.0.directory.account(&name);
        let against = account.as_ref().map(|account| account.password_hash.clone());
        self.0.verifications.fetch_add(1, Ordering::Relaxed);
        let right = spawn_blocking(move || password::verify(&password, against.as_deref())).await;
        let Some(account) = account.filter(|_| right.unwrap_or(false)) else { return Ok(None) };
        let until = clock::now().uptime + REMEMBERED;
        let remembered = Remembered { name, password_hash: account.password_hash, until };
        self.remembered().insert(*digest, remembered);
        Ok(Some(account.user))
    }

    /// The user of a login that was verified not long ago, if his account is as it was then.
    fn known(&self, digest: &Digest, now: Uptime) -> Option<User> {
        let mut all = self.remembered();
        let remembered = all.get(digest)?;
        let account = self.0.directory.account(&remembered.name);
        let same = account.filter(|account| account.password_hash == remembered.password_hash);
        if remembered.until > now
            && let Some(account) = same
        {
            return Some(account.user);
        }
        all.remove(digest);
        None
    }

    /// What a login is known again by: it cannot be guessed from without this process's key.
    fn digest(&self, claim: &Claim) -> Digest {
        let mut context = hmac::Context::with_key(&self.0.remembering);
        // A name has no NUL, so that no other pair is the same.
        context.update(claim.name.as_str().as_bytes());
        context.update(&[0]);
        context.update(claim.password.expose_secret().as_bytes());
        let mut digest = [0; 32];
        digest.copy_from_slice(context.sign().as_ref());
        digest
    }

    /// Looks for changed accounts, until `stop`.
    ///
    /// # Errors
    /// When the kernel refuses a timer.
    pub async fn keep_fresh(self, stop: CancellationToken) -> io::Result<()> {
        let mut alarm = Alarm::new()?;
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                waited = alarm.after(LOOK_EVERY) => waited?,
            }
            match self.0.directory.refresh().await {
                Ok(true) => tracing::info!("users changed; their logins are verified anew"),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(%error, "users cannot be read; those that were read before count");
                }
            }
            let now = clock::now().uptime;
            self.remembered().retain(|_, remembered| remembered.until > now);
        }
    }

    fn remembered(&self) -> MutexGuard<'_, HashMap<Digest, Remembered>> {
        self.0.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slowing(&self) -> MutexGuard<'_, Slowing> {
        self.0.slowing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The token of an `Authorization` header.
fn bearer(header: &[u8]) -> Option<&str> {
    let (scheme, token) = std::str::from_utf8(header).ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use secrecy::SecretString;

    use super::*;
    use crate::{
        auth::{UserChange, change_users},
        domain::UserRole,
        store::DataFolder,
    };

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn name(name: &str) -> UserName {
        UserName::new(name).unwrap()
    }

    async fn change(folder: &std::path::Path, change: UserChange) {
        change_users(folder, change, "test").await.unwrap();
    }

    fn add(user: &str, password: &str) -> UserChange {
        UserChange::Add { name: name(user), role: UserRole::User, password: SecretString::from(password) }
    }

    async fn check(logins: &Logins, user: &str, password: &str) -> Result<String, Denied> {
        let header = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        logins.check(Some(header.as_bytes()), HERE).await.map(|login| login.user.name.to_string())
    }

    #[tokio::test]
    async fn a_login_is_verified_once_and_forgotten_when_its_account_changes() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(DataFolder::hold(folder.path()).unwrap()).await.unwrap();
        let logins = Logins::open(store, None, false).await.unwrap();
        assert!(!logins.needed());
        change(folder.path(), add("a", "password one")).await;
        for _ in 0..5 {
            assert_eq!(check(&logins, "a", "password one").await, Ok("a".to_owned()));
        }
        assert_eq!(logins.verifications(), 1);
        assert!(logins.needed());

        let new = SecretString::from("password two");
        change(folder.path(), UserChange::Password { name: name("a"), password: new }).await;
        logins.0.directory.refresh().await.unwrap();
        assert_eq!(check(&logins, "a", "password one").await, Err(Denied::Wrong(name("a"))));
        assert_eq!(check(&logins, "a", "password two").await, Ok("a".to_owned()));
        change(folder.path(), UserChange::Remove { name: name("a") }).await;
        logins.0.directory.refresh().await.unwrap();
        assert_eq!(check(&logins, "a", "password two").await, Err(Denied::Wrong(name("a"))));
    }

    #[tokio::test]
    async fn an_unknown_user_costs_one_verification_as_a_wrong_password_does() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(DataFolder::hold(folder.path()).unwrap()).await.unwrap();
        let logins = Logins::open(store, None, false).await.unwrap();
        change(folder.path(), add("a", "password one")).await;
        for (user, verifications) in [("a", 1), ("nobody", 2), ("a", 3)] {
            assert_eq!(check(&logins, user, "wrong").await, Err(Denied::Wrong(name(user))));
            assert_eq!(logins.verifications(), verifications);
        }
        assert_eq!(logins.check(None, HERE).await, Err(Denied::NoLogin));
        assert_eq!(logins.check(Some(b"Basic !"), HERE).await, Err(Denied::NoLogin));
        assert_eq!(logins.verifications(), 3, "what can be nobody's login is not verified");
    }

    #[tokio::test]
    async fn who_guesses_waits_and_who_is_remembered_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(DataFolder::hold(folder.path()).unwrap()).await.unwrap();
        let logins = Logins::open(store, None, false).await.unwrap();
        change(folder.path(), add("a", "password one")).await;
        assert!(check(&logins, "a", "password one").await.is_ok());
        let mut waits = 0;
        for _ in 0..30 {
            waits += usize::from(matches!(check(&logins, "b", "guess").await, Err(Denied::TooMany(_))));
        }
        assert!(waits > 0);
        assert!(check(&logins, "a", "password one").await.is_ok());
    }
}
