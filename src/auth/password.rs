//! Passwords: argon2id.

use std::sync::{
    LazyLock,
    atomic::{AtomicU64, Ordering},
};

use argon2::{Argon2, PasswordHasher, PasswordVerifier, password_hash::phc::PasswordHash};
use secrecy::{ExposeSecret, SecretString};

/// The least characters of a password.
pub(super) const LEAST: usize = 8;

/// The most bytes of a password: hashing is not for whole files.
pub(super) const MOST: usize = 1_024;

/// What a login of nobody is verified against, so that it takes as long as any other.
static NOBODY: LazyLock<Option<String>> = LazyLock::new(|| {
    let mut unguessable = [0; 32];
    getrandom::fill(&mut unguessable).ok()?;
    Argon2::default().hash_password(&unguessable).ok().map(|hash: PasswordHash| hash.to_string())
});

/// The hash of a new password, as PHC text.
pub(super) fn hash(password: &SecretString) -> Result<String, argon2::password_hash::Error> {
    let hash: PasswordHash = Argon2::default().hash_password(password.expose_secret().as_bytes())?;
    Ok(hash.to_string())
}

/// Whether `password` is the one of `hash`, if there is one; it takes as long if there is none. `counted` counts what
/// took long.
pub(super) fn verify(password: &SecretString, hash: Option<&str>, counted: &AtomicU64) -> bool {
    let against = hash.or(NOBODY.as_deref()).unwrap_or_default();
    let verified = PasswordHash::new(against).is_ok_and(|against| {
        counted.fetch_add(1, Ordering::Relaxed);
        Argon2::default().verify_password(password.expose_secret().as_bytes(), &against).is_ok()
    });
    verified && hash.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_its_own_and_nobodys() {
        let password = SecretString::from("correct horse");
        let hashed = hash(&password).unwrap();
        assert!(hashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hashed}");
        assert_ne!(hashed, hash(&password).unwrap(), "salts are fresh");
        let counted = AtomicU64::new(0);
        let verify = |password: &SecretString, hash| verify(password, hash, &counted);
        assert!(verify(&password, Some(&hashed)));
        assert!(!verify(&SecretString::from("correct horse "), Some(&hashed)));
        assert!(!verify(&password, None));
        assert_eq!(counted.load(Ordering::Relaxed), 3, "nobody's takes as long");
        assert!(!verify(&password, Some("no hash at all")));
    }
}
