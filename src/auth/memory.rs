//! What came of logins that were verified: each is known again by a keyed hash, as long as its account is as it was.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ring::hmac;
use secrecy::ExposeSecret;

use super::{basic::Claim, directory::Directory};
use crate::{
    domain::{Uptime, UserName},
    store::Account,
};

/// How long a login that was verified is known again, so that heartbeats stay cheap.
const REMEMBERED: Duration = Duration::from_secs(5 * 60);

/// Wrong logins that are known again.
const WRONG: usize = 4_096;

/// A login, as it is known again: it cannot be guessed from without this process's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Digest([u8; 32]);

/// What is known of a login.
#[derive(Debug)]
pub(super) enum Known {
    /// It is somebody's, whose account this is.
    Right(Account),
    /// It was right, longer ago than counts.
    WasRight,
    /// It is nobody's. A client that sends it again and again guesses nothing.
    Wrong,
}

/// What came of a login's verification.
#[derive(Debug)]
pub(super) struct Verified {
    /// Whose it said it is.
    pub(super) name: UserName,
    /// The hash that it was verified against, of an account that there was: another one is another password.
    pub(super) against: Option<String>,
    /// Whether it was his.
    pub(super) right: bool,
}

/// What came of logins that were verified.
#[derive(Debug)]
pub(super) struct Memory {
    key: hmac::Key,
    /// Each, and until when it counts.
    all: Mutex<HashMap<Digest, (Verified, Uptime)>>,
}

impl Memory {
    /// Nothing yet, and a key of its own.
    pub(super) fn new() -> Result<Self, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Self { key: hmac::Key::new(hmac::HMAC_SHA256, &key), all: Mutex::default() })
    }

    /// What a login is known again by.
    pub(super) fn digest(&self, claim: &Claim) -> Digest {
        let mut context = hmac::Context::with_key(&self.key);
        // A name has no NUL, so that no other pair is the same.
        context.update(claim.name.as_str().as_bytes());
        context.update(&[0]);
        context.update(claim.password.expose_secret().as_bytes());
        let mut digest = [0; 32];
        digest.copy_from_slice(context.sign().as_ref());
        Digest(digest)
    }

    /// What a token is known again by.
    pub(super) fn digest_of(&self, token: &str) -> Digest {
        let mut digest = [0; 32];
        digest.copy_from_slice(hmac::sign(&self.key, token.as_bytes()).as_ref());
        Digest(digest)
    }

    /// Keeps what came of a verification. There are no more right logins than users; wrong ones have a limit.
    pub(super) fn keep(&self, digest: Digest, verified: Verified, now: Uptime) {
        let mut all = self.lock();
        if verified.right || all.len() < WRONG {
            all.insert(digest, (verified, now + REMEMBERED));
        }
    }

    /// What is known of a login, if its account in `accounts` is as it was when it was verified.
    pub(super) fn known(&self, digest: &Digest, accounts: &Directory, now: Uptime) -> Option<Known> {
        let all = self.lock();
        let (verified, until) = all.get(digest)?;
        let account = accounts.account(&verified.name);
        if account.as_ref().map(|account| &account.password_hash) != verified.against.as_ref() {
            return None;
        }
        let counts = now < *until;
        match (verified.right, account) {
            (true, Some(account)) => Some(if counts { Known::Right(account) } else { Known::WasRight }),
            (true, None) => None,
            (false, _) => counts.then_some(Known::Wrong),
        }
    }

    /// Forgets what is of accounts that changed, and what was wrong longer ago than counts.
    pub(super) fn forget(&self, accounts: &Directory, now: Uptime) {
        self.lock().retain(|_, (verified, until)| {
            let account = accounts.account(&verified.name);
            let same = account.map(|account| account.password_hash) == verified.against;
            same && (verified.right || now < *until)
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, (Verified, Uptime)>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Memory {
        /// Makes five minutes pass.
        pub(in crate::auth) fn age(&self) {
            for (_, until) in self.lock().values_mut() {
                *until = Uptime::default();
            }
        }

        pub(in crate::auth) fn is_empty(&self) -> bool {
            self.lock().is_empty()
        }
    }
}
