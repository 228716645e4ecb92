//! Whether a request is somebody's.

use std::{
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

use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{
    basic::{self, Claim},
    directory::Directory,
    issuer::Issuer,
    machine::{BURST, Slowing},
    memory::{Digest, Known, Memory, Verified},
    password,
    tokens::Tokens,
};
use crate::{
    clock::{self, Alarm},
    crowd::Crowd,
    domain::{User, UserName, Wall},
    store::{Account, Store, StoreError},
};

/// How often changed accounts are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long that may take: less than a login should.
const LOOK_LIMIT: Duration = Duration::from_millis(500);

/// Logins that wait for their verification, one after the other: a plant that comes back at once. A quarter of the
/// places is left for other sources.
const WAITING: usize = 256;
const WAITING_OF_A_SOURCE: usize = WAITING / 4 * 3;

/// Logins that are verified at once, at the most: each counts as failed meanwhile, and those that are right must not
/// keep each other out.
const AT_ONCE: usize = 5;
const _: () = assert!(AT_ONCE < BURST as usize);

/// After what time to come again where too many wait.
pub(super) const BUSY: Duration = Duration::from_secs(1);

/// Why a request is nobody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// It has no login, or one that can be nobody's.
    NoLogin,
    /// Name or password are wrong. Which, is not said.
    Wrong(UserName),
    /// Its token is nobody's; why.
    BadToken(&'static str),
    /// Its name or source failed too often, or too many log in at once; another attempt has a chance after this time.
    TooMany(Option<UserName>, Duration),
}

/// A login that is somebody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Whose it is.
    pub user: User,
    /// When the account was changed that it is of; a token has none.
    pub since: Option<Wall>,
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
    /// What other logins there are.
    tokens: Option<Tokens>,
    memory: Memory,
    slowing: Mutex<Slowing>,
    /// Who waits for the first verification of a login.
    waiting: Arc<Crowd>,
    /// The turns of logins that nobody knows, and of those that were right before.
    first: Semaphore,
    again: Semaphore,
    verifications: AtomicU64,
}

impl Logins {
    /// The users of `store`, and of `issuer`'s tokens. With `always` a login is needed even while there is
    /// neither.
    ///
    /// # Errors
    /// When the store or the system refuses.
    pub async fn open(store: Store, issuer: Option<Issuer>, always: bool) -> Result<Self, StoreError> {
        let memory = Memory::new().map_err(|error| StoreError::KeyUnusable(error.to_string()))?;
        // One may be verified for each two processors: the rest goes on meanwhile.
        let at_once = thread::available_parallelism().map_or(1, NonZero::get).div_ceil(2).min(AT_ONCE);
        Ok(Self(Arc::new(Inner {
            directory: Directory::open(store).await?,
            always,
            tokens: issuer.map(|issuer| Tokens::new(issuer, at_once)),
            memory,
            slowing: Mutex::default(),
            waiting: Crowd::new(WAITING, WAITING_OF_A_SOURCE),
            first: Semaphore::new(at_once),
            again: Semaphore::new(at_once),
            verifications: AtomicU64::new(0),
        })))
    }

    /// Whether anybody can log in.
    #[must_use]
    pub fn any(&self) -> bool {
        self.0.tokens.is_some() || !self.0.directory.is_empty()
    }

    /// Whether requests need a login.
    #[must_use]
    pub fn needed(&self) -> bool {
        self.0.always || self.any()
    }

    /// Whether a name and a password may be a login. Where there is nobody at all, it is what a user would have.
    #[must_use]
    pub fn takes_passwords(&self) -> bool {
        self.0.tokens.is_none() || !self.0.directory.is_empty()
    }

    /// Whether a token may be a login.
    #[must_use]
    pub fn takes_tokens(&self) -> bool {
        self.0.tokens.is_some()
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
            return self.of_token(token, from).await;
        }
        let claim = header.and_then(basic::read).ok_or(Denied::NoLogin)?;
        let Account { user, changed, .. } = self.of_password(claim, from).await?;
        Ok(Login { user, since: Some(changed), ends_in: None })
    }

    async fn of_password(&self, claim: Claim, from: IpAddr) -> Result<Account, Denied> {
        let digest = self.0.memory.digest(&claim);
        match self.known(&digest) {
            Some(Known::Right(account)) => Ok(account),
            Some(Known::Wrong) => Err(Denied::Wrong(claim.name)),
            Some(Known::WasRight) => {
                // It is no guess, and waits for nobody who guesses.
                let Ok(_turn) = self.0.again.acquire().await else { return Err(busy(claim)) };
                // Whoever had the turn before may have had the same login.
                if let Some(Known::Right(account)) = self.known(&digest) {
                    return Ok(account);
                }
                self.verify(claim, digest).await
            }
            None => self.verify_slowly(claim, digest, from).await,
        }
    }

    /// Verifies a login of which nothing is known, unless too many failed from there.
    async fn verify_slowly(&self, claim: Claim, digest: Digest, from: IpAddr) -> Result<Account, Denied> {
        let slowed = |wait| Denied::TooMany(Some(claim.name.clone()), wait);
        self.slowing().allowed(&claim.name, from, clock::now().uptime).map_err(slowed)?;
        let Some(_place) = self.0.waiting.admit(from) else { return Err(busy(claim)) };
        self.look().await;
        let Ok(_turn) = self.0.first.acquire().await else { return Err(busy(claim)) };
        // Whoever had the turn before may have had the same login.
        match self.known(&digest) {
            Some(Known::Right(account)) => return Ok(account),
            Some(Known::Wrong) => return Err(Denied::Wrong(claim.name)),
            Some(Known::WasRight) | None => {}
        }
        let attempt = self.slowing().begin(&claim.name, from, clock::now().uptime).map_err(slowed)?;
        let account = self.verify(claim, digest).await?;
        self.slowing().succeeded(&attempt, clock::now().uptime);
        Ok(account)
    }

    async fn verify(&self, claim: Claim, digest: Digest) -> Result<Account, Denied> {
        let Claim { name, password } = claim;
        let account = self.0.directory.account(&name);
        let against = account.as_ref().map(|account| account.password_hash.clone());
        let (hash, inner) = (against.clone(), Arc::clone(&self.0));
        let verified = move || password::verify(&password, hash.as_deref(), &inner.verifications);
        let right = spawn_blocking(verified).await.unwrap_or(false);
        let account = account.filter(|_| right);
        let verified = Verified { name: name.clone(), against, right: account.is_some() };
        self.0.memory.keep(digest, verified, clock::now().uptime);
        account.ok_or(Denied::Wrong(name))
    }

    /// Looks for changed accounts, so that one that was made or changed just now counts at once; but not for long: a
    /// disk that hangs keeps nobody out.
    async fn look(&self) {
        match timeout(LOOK_LIMIT, self.0.directory.refresh()).await {
            Ok(Ok(true)) => tracing::info!("users changed; their logins are verified anew"),
            Ok(Ok(false)) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "users cannot be read; those that were read before count")
            }
            Err(_elapsed) => {
                tracing::warn!("users cannot be read in time; those that were read before count")
            }
        }
    }

    /// Returns once what `login` was let in for holds no more: its account is not what it was, or, where nobody had to
    /// log in, somebody has to now.
    pub async fn until_changed(self, login: Option<Login>) {
        let mut changes = self.0.directory.changes();
        while match &login {
            Some(Login { user, since, .. }) => {
                self.0.directory.account(&user.name).map(|account| account.changed) == *since
            }
            None => !self.needed(),
        } {
            // The directory lives as long as this does.
            changes.changed().await.ok();
        }
    }

    fn known(&self, digest: &Digest) -> Option<Known> {
        self.0.memory.known(digest, &self.0.directory, clock::now().uptime)
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
            self.look().await;
            let now = clock::now();
            self.0.memory.forget(&self.0.directory, now.uptime);
            self.0.tokens.iter().for_each(|tokens| tokens.forget(now));
        }
    }

    pub(super) fn tokens(&self) -> Option<&Tokens> {
        self.0.tokens.as_ref()
    }

    pub(super) fn memory(&self) -> &Memory {
        &self.0.memory
    }

    pub(super) fn waiting(&self) -> &Arc<Crowd> {
        &self.0.waiting
    }

    pub(super) fn slowing(&self) -> MutexGuard<'_, Slowing> {
        self.0.slowing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Too many wait, and one more is sent away.
fn busy(claim: Claim) -> Denied {
    Denied::TooMany(Some(claim.name), BUSY)
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
        for (user, password, verifications) in [
            ("a", "wrong", 1),
            ("nobody", "wrong", 2),
            ("a", "also wrong", 3),
            ("a", "wrong", 3),
            ("nobody", "wrong", 3),
        ] {
            assert_eq!(check(&logins, user, password).await, Err(Denied::Wrong(name(user))));
            assert_eq!(logins.verifications(), verifications, "what is sent again is no other guess");
        }
        assert_eq!(logins.check(None, HERE).await, Err(Denied::NoLogin));
        assert_eq!(logins.check(Some(b"Basic !"), HERE).await, Err(Denied::NoLogin));
        assert_eq!(logins.verifications(), 3, "what can be nobody's login is not verified");
    }

    /// Guesses, all at one moment: how many were verified, and how many must wait.
    async fn guess(logins: &Logins, guesses: usize) -> (u64, usize) {
        let before = logins.verifications();
        let all =
            (0..guesses).map(|guess| async move { check(logins, "a", &format!("guess {guess}")).await });
        let answers = futures_util::future::join_all(all).await;
        let waits = answers.iter().filter(|answer| matches!(answer, Err(Denied::TooMany(..)))).count();
        (logins.verifications() - before, waits)
    }

    #[tokio::test]
    async fn guesses_at_one_moment_are_slowed_as_those_one_after_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(DataFolder::hold(folder.path()).unwrap()).await.unwrap();
        let logins = Logins::open(store, None, false).await.unwrap();
        change(folder.path(), add("a", "password one")).await;
        let begun = clock::now().uptime;
        let (verified, waits) = guess(&logins, 1_000).await;
        // One more for each two seconds that it took.
        let most = u64::from(BURST) + clock::now().uptime.since(begun).as_secs() / 2 + 1;
        assert!((u64::from(BURST)..=most).contains(&verified), "{verified}");
        assert_eq!(waits, 1_000 - usize::try_from(verified).unwrap());
    }

    #[tokio::test]
    async fn logins_that_are_right_do_not_keep_each_other_out() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(DataFolder::hold(folder.path()).unwrap()).await.unwrap();
        let logins = Logins::open(store, None, false).await.unwrap();
        let users = 30;
        for user in 0..users {
            change(folder.path(), add(&format!("plc-{user}"), "password one")).await;
        }
        let all = (0..users).map(|user| {
            let logins = &logins;
            async move { check(logins, &format!("plc-{user}"), "password one").await }
        });
        for answer in futures_util::future::join_all(all).await {
            assert!(answer.is_ok(), "{answer:?}");
        }
    }

    #[tokio::test]
    async fn who_guesses_keeps_nobody_out_whose_login_was_right_before() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(DataFolder::hold(folder.path()).unwrap()).await.unwrap();
        let logins = Logins::open(store, None, false).await.unwrap();
        change(folder.path(), add("a", "password one")).await;
        assert!(check(&logins, "a", "password one").await.is_ok());
        assert!(guess(&logins, 30).await.1 > 0);
        // Five minutes later it is verified once more.
        let forget = || logins.0.memory.forget(&logins.0.directory, clock::now().uptime);
        logins.0.memory.age();
        forget();
        let before = logins.verifications();
        assert!(check(&logins, "a", "password one").await.is_ok());
        assert_eq!(logins.verifications(), before + 1);
        change(folder.path(), UserChange::Remove { name: name("a") }).await;
        logins.0.directory.refresh().await.unwrap();
        forget();
        assert!(logins.0.memory.is_empty(), "what was known of him is forgotten");
    }

    #[tokio::test]
    async fn a_login_is_known_for_five_minutes_and_no_longer() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(DataFolder::hold(folder.path()).unwrap()).await.unwrap();
        let logins = Logins::open(store, None, false).await.unwrap();
        change(folder.path(), add("a", "password one")).await;
        assert!(check(&logins, "a", "password one").await.is_ok());
        assert!(check(&logins, "a", "wrong").await.is_err());
        let (asked, Inner { memory, directory, .. }) = (clock::now().uptime, &*logins.0);
        let known = |password: &str, seconds| {
            let claim = Claim { name: name("a"), password: SecretString::from(password) };
            memory.known(&memory.digest(&claim), directory, asked + Duration::from_secs(seconds))
        };
        assert!(matches!(known("password one", 295), Some(Known::Right(_))));
        assert!(matches!(known("password one", 301), Some(Known::WasRight)));
        assert!(matches!(known("wrong", 295), Some(Known::Wrong)));
        assert!(known("wrong", 301).is_none());
    }

    #[tokio::test]
    async fn who_guesses_one_name_keeps_no_new_login_of_his_machine_out_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(DataFolder::hold(folder.path()).unwrap()).await.unwrap();
        for user in ["a", "b"] {
            change(folder.path(), add(user, "password one")).await;
        }
        // Nothing is known of anybody yet.
        let logins = Logins::open(store, None, false).await.unwrap();
        assert!(guess(&logins, 100).await.1 > 0);
        let refused = check(&logins, "a", "another guess").await;
        assert!(matches!(refused, Err(Denied::TooMany(Some(of), _)) if of == name("a")), "who waits is said");
        assert!(check(&logins, "b", "password one").await.is_ok());
    }

    #[tokio::test]
    async fn what_was_let_in_ends_with_its_account_also_if_that_went_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(DataFolder::hold(folder.path()).unwrap()).await.unwrap();
        let logins = Logins::open(store, None, false).await.unwrap();
        change(folder.path(), add("a", "password one")).await;
        let header = format!("Basic {}", STANDARD.encode("a:password one"));
        let login = logins.check(Some(header.as_bytes()), HERE).await.unwrap();
        change(folder.path(), UserChange::Remove { name: name("a") }).await;
        logins.0.directory.refresh().await.unwrap();
        logins.until_changed(Some(login)).await;
    }
}
