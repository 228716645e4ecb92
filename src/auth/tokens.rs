//! Whether a token is somebody's: each is checked once, apart from the threads that answer requests, and known again after
//! that.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Semaphore, task::spawn_blocking};

use super::{
    Denied, Login, Logins,
    issuer::{FETCH_PAUSE, Issuer},
    logins::BUSY,
    memory::Digest,
    token::{self, Bad, Claims, Keys},
};
use crate::{
    clock,
    domain::{Now, Uptime, network},
};

/// How long a token that is nobody's is known again.
const REMEMBERED: Duration = Duration::from_secs(5 * 60);

/// Tokens that are known again; those that are nobody's have half of the places at the most.
const MOST: usize = 8_192;

/// Sources that are known to have sent a token that was right.
const SOURCES: usize = 4_096;

/// The tokens of an issuer.
#[derive(Debug)]
pub(super) struct Tokens {
    pub(super) issuer: Issuer,
    checked: Mutex<HashMap<Digest, Checked>>,
    /// From where a token came that was right: who is there is not slowed, whoever else is.
    trusted: Mutex<HashSet<IpAddr>>,
    /// The turns of tokens that are not known.
    turns: Semaphore,
    signatures: AtomicU64,
}

/// What came of a token's check.
#[derive(Debug)]
struct Checked {
    /// The keys that it was checked with: others may say something else.
    keys: Arc<Keys>,
    outcome: Result<Claims, Bad>,
    at: Uptime,
}

impl Tokens {
    /// The tokens of `issuer`, of which so many are checked at once.
    pub(super) fn new(issuer: Issuer, at_once: usize) -> Self {
        Self {
            issuer,
            checked: Mutex::default(),
            trusted: Mutex::default(),
            turns: Semaphore::new(at_once),
            signatures: AtomicU64::new(0),
        }
    }

    /// What came of the check of a token with the issuer's present keys, where that is known.
    fn known(&self, digest: &Digest) -> Option<Result<Claims, Bad>> {
        let keys = self.issuer.keys()?;
        let checked = lock(&self.checked);
        checked
            .get(digest)
            .filter(|checked| Arc::ptr_eq(&checked.keys, &keys))
            .map(|checked| checked.outcome.clone())
    }

    /// The issuer's keys, one of which may have signed `token`.
    async fn keys_of(&self, token: &str) -> Result<Arc<Keys>, Denied> {
        let fits = |keys: Option<Arc<Keys>>| {
            let keys = keys.ok_or(Bad::UnknownKey)?;
            token::fits(token, &keys).map(|()| keys)
        };
        let mut found = fits(self.issuer.keys());
        if found == Err(Bad::UnknownKey) {
            self.issuer.fetch().await;
            found = fits(self.issuer.keys());
        }
        found.map_err(|bad| {
            let unread = bad == Bad::UnknownKey && self.issuer.keys().is_none();
            if unread { Denied::TooMany(token::claimed(token), FETCH_PAUSE) } else { bad.into() }
        })
    }

    /// Checks a token, and keeps what came of it.
    async fn check(&self, token: &str, digest: Digest, keys: Arc<Keys>) -> Result<Claims, Bad> {
        self.signatures.fetch_add(1, Ordering::Relaxed);
        let (text, by, expected) = (token.to_owned(), Arc::clone(&keys), self.issuer.expected().clone());
        let checked = spawn_blocking(move || token::verify(&text, &by, &expected)).await;
        let outcome = checked.unwrap_or(Err(Bad::Refused("it could not be checked")));
        let mut all = lock(&self.checked);
        let most = if outcome.is_ok() { MOST } else { MOST / 2 };
        if all.len() < most {
            all.insert(digest, Checked { keys, outcome: outcome.clone(), at: clock::now().uptime });
        }
        outcome
    }

    fn trusts(&self, from: IpAddr) -> bool {
        lock(&self.trusted).contains(&network(from))
    }

    fn trust(&self, from: IpAddr) {
        let mut trusted = lock(&self.trusted);
        if trusted.len() < SOURCES {
            trusted.insert(network(from));
        }
    }

    /// Forgets what has ended, what other keys said, and what was nobody's long ago.
    pub(super) fn forget(&self, now: Now) {
        let keys = self.issuer.keys();
        lock(&self.checked).retain(|_, checked| {
            keys.as_ref().is_some_and(|keys| Arc::ptr_eq(keys, &checked.keys))
                && match &checked.outcome {
                    Ok(claims) => !claims.is_over(now.wall),
                    Err(_) => now.uptime < checked.at + REMEMBERED,
                }
        });
    }
}

impl Logins {
    /// Whose a token is.
    pub(super) async fn of_token(&self, token: &str, from: IpAddr) -> Result<Login, Denied> {
        let tokens = self.tokens().ok_or(Denied::BadToken("tokens are not known here"))?;
        let digest = self.memory().digest_of(token);
        let outcome = match tokens.known(&digest) {
            Some(known) => known,
            None => self.of_new_token(tokens, token, digest, from).await?,
        };
        Ok(outcome.and_then(|claims| claims.login(clock::now().wall))?)
    }

    /// What came of the check of a token that is not known, unless too many were forged there.
    async fn of_new_token(
        &self,
        tokens: &Tokens,
        token: &str,
        digest: Digest,
        from: IpAddr,
    ) -> Result<Result<Claims, Bad>, Denied> {
        let keys = tokens.keys_of(token).await?;
        let name = token::claimed(token).ok_or(Denied::BadToken("its sub can be no name"))?;
        let trusted = tokens.trusts(from);
        let slowed = |wait| Denied::TooMany(Some(name.clone()), wait);
        let mut place = None;
        if !trusted {
            self.slowing().allowed(&name, from, clock::now().uptime).map_err(slowed)?;
            place = self.waiting().admit(from);
            if place.is_none() {
                return Err(Denied::TooMany(Some(name), BUSY));
            }
        }
        let Ok(_turn) = tokens.turns.acquire().await else { return Err(Denied::TooMany(Some(name), BUSY)) };
        // Whoever had the turn before may have sent the same.
        if let Some(known) = tokens.known(&digest) {
            return Ok(known);
        }
        let attempt = if trusted {
            None
        } else {
            Some(self.slowing().begin(&name, from, clock::now().uptime).map_err(slowed)?)
        };
        let outcome = tokens.check(token, digest, keys).await;
        drop(place);
        if outcome.is_ok() {
            tokens.trust(from);
        }
        // What the issuer signed is no guess, whatever it says.
        if let Some(attempt) = attempt.filter(|_| outcome != Err(Bad::Forged)) {
            self.slowing().succeeded(&attempt, clock::now().uptime);
        }
        Ok(outcome)
    }
}

impl From<Bad> for Denied {
    fn from(bad: Bad) -> Self {
        Self::BadToken(match bad {
            Bad::UnknownKey => "none of the issuer's keys signed it",
            Bad::Forged => "its signature is wrong",
            Bad::Refused(why) => why,
        })
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        auth::token::{Expected, tests::Provider},
        store::{DataFolder, Store},
    };

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    struct World {
        logins: Logins,
        issuer: Issuer,
        provider: Provider,
        _folder: tempfile::TempDir,
    }

    async fn world() -> World {
        drop(rustls::crypto::ring::default_provider().install_default());
        let (provider, folder) = (Provider::new("k"), tempfile::tempdir().unwrap());
        let expected = Expected {
            issuer: "http://127.0.0.1:9".to_owned(),
            audience: "failover".to_owned(),
            role_claim: "roles".to_owned(),
        };
        let issuer = Issuer::of_keys(expected, provider.keys.clone()).await;
        let store = Store::open(DataFolder::hold(folder.path()).unwrap()).await.unwrap();
        let logins = Logins::open(store, Some(issuer.clone()), false).await.unwrap();
        World { logins, issuer, provider, _folder: folder }
    }

    fn claims(subject: &str, number: usize) -> Value {
        let ends = clock::now().wall.micros() / 1_000_000 + 600;
        json!({
            "iss": "http://127.0.0.1:9", "aud": "failover", "sub": subject, "exp": ends, "roles": "user", "jti": number,
        })
    }

    impl World {
        fn token(&self, subject: &str, number: usize) -> String {
            self.provider.sign(Some("k"), &claims(subject, number))
        }

        async fn ask(&self, token: &str, from: IpAddr) -> Result<String, Denied> {
            let header = format!("Bearer {token}");
            self.logins.check(Some(header.as_bytes()), from).await.map(|login| login.user.name.to_string())
        }

        fn signatures(&self) -> u64 {
            self.logins.tokens().unwrap().signatures.load(Ordering::Relaxed)
        }

        /// How many of so many forged tokens for `subject` were checked; the others must wait.
        async fn forge(&self, subject: &str, tokens: usize, from: IpAddr) -> u64 {
            let (before, forger) = (self.signatures(), Provider::new("k"));
            for number in 0..tokens {
                let forged = forger.sign(Some("k"), &claims(subject, number));
                match self.ask(&forged, from).await {
                    Err(Denied::BadToken(why)) => assert_eq!(why, "its signature is wrong"),
                    Err(Denied::TooMany(name, _)) => {
                        assert_eq!(name.map(|name| name.to_string()), Some(format!("oidc:{subject}")));
                    }
                    other => panic!("{other:?}"),
                }
            }
            self.signatures() - before
        }
    }

    #[tokio::test]
    async fn a_token_is_checked_once_whosever_it_is_and_again_when_the_keys_change() {
        let world = world().await;
        let (right, forged) = (world.token("a", 0), Provider::new("k").sign(Some("k"), &claims("a", 1)));
        for _ in 0..5 {
            assert_eq!(world.ask(&right, HERE).await, Ok("oidc:a".to_owned()));
            assert_eq!(world.ask(&forged, HERE).await, Err(Denied::BadToken("its signature is wrong")));
        }
        assert_eq!(world.signatures(), 2);
        world.issuer.shows(world.provider.keys.clone());
        assert!(world.ask(&right, HERE).await.is_ok());
        assert_eq!(world.signatures(), 2, "the same keys say the same");
        world.issuer.shows(Provider::new("k").keys.clone());
        assert_eq!(world.ask(&right, HERE).await, Err(Denied::BadToken("its signature is wrong")));
        world.issuer.shows(Vec::new());
        let unsigned = Err(Denied::BadToken("none of the issuer's keys signed it"));
        assert_eq!(world.ask(&right, HERE).await, unsigned, "keys that were withdrawn count no more");
        world.logins.tokens().unwrap().forget(clock::now());
        assert!(lock(&world.logins.tokens().unwrap().checked).is_empty());
    }

    #[tokio::test]
    async fn who_forges_tokens_waits_and_what_the_issuer_signed_does_not() {
        let world = world().await;
        let checked = world.forge("a", 100, HERE).await;
        assert!((10..30).contains(&checked), "{checked}");
        assert_eq!(
            world.ask(&world.token("b", 0), HERE).await,
            Ok("oidc:b".to_owned()),
            "a neighbour goes on"
        );
        assert!(world.ask(&world.token("a", 0), HERE).await.is_ok(), "and now so does who is forged");
        assert_eq!(world.forge("a", 100, THERE).await.min(10), 10, "elsewhere it begins anew");

        let other =
            json!({ "iss": "http://127.0.0.1:9", "aud": "another", "sub": "c", "exp": 1, "roles": "user" });
        for number in 0..30 {
            let mut other = other.clone();
            other["jti"] = json!(number);
            let token = world.provider.sign(Some("k"), &other);
            let from = IpAddr::from([10, 0, 0, 3]);
            assert_eq!(world.ask(&token, from).await, Err(Denied::BadToken("it is for another audience")));
        }
    }
}
