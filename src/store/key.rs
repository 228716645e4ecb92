//! The key file, and sealing with it.
//!
//! A sealed value is `version (1) ‖ key id (8) ‖ nonce (24) ‖ ciphertext and tag`, made by
//! XChaCha20-Poly1305 with the value's table and column as associated data, so that a sealed value
//! that was moved to another place does not open.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use secrecy::{ExposeSecret, SecretBox, SecretString, zeroize::Zeroize};
use sqlx::SqliteConnection;

use super::{StoreError, access::Places};

/// The key's name in the data folder.
const KEY_FILE: &str = "key";

/// The first word of a key file; another version would be written differently.
const KEY_VERSION: &str = "client-failover-key-1";
/// The first byte of a sealed value.
const SEAL_VERSION: u8 = 1;

const KEY_ID_LENGTH: usize = 8;
const NONCE_LENGTH: usize = 24;

/// Whether sealed secrets can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyState {
    /// The key is there.
    Usable,
    /// It is not; why, as a sentence without its full stop.
    Unusable(String),
}

/// Seals and opens secrets. Holds the key in memory that is wiped when it is dropped.
#[derive(Debug)]
pub struct Sealer {
    key: Option<Key>,
    state: KeyState,
}

#[derive(Debug)]
struct Key {
    id: [u8; KEY_ID_LENGTH],
    secret: SecretBox<[u8; 32]>,
}

impl Sealer {
    /// Reads the key in `folder`. A new one is made only while nothing is `sealed`.
    ///
    /// A missing, unreadable or wrong key while something is sealed is no error: the server then serves
    /// what it can and says so.
    ///
    /// # Errors
    /// When others can read the key file, or a new one cannot be written.
    pub(super) fn open(folder: &Path, sealed: &[Sealed]) -> Result<Self, StoreError> {
        let path = folder.join(KEY_FILE);
        let found = match fs::metadata(&path) {
            Ok(metadata) if metadata.mode() & 0o077 != 0 => return Err(StoreError::KeyExposed(path)),
            Ok(_) => match read_key(&path) {
                Err(why) if sealed.is_empty() => {
                    // Nothing depends on it. It is kept all the same: somebody may know what it was.
                    let aside = path.with_extension("damaged");
                    tracing::warn!("{why}; it is moved to {} and a new one is made", aside.display());
                    let made = fs::rename(&path, &aside).and_then(|()| make_key(&path));
                    Ok(made.map_err(|source| StoreError::KeyNotMade { path, source })?)
                }
                read => read,
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound && sealed.is_empty() => {
                Ok(make_key(&path).map_err(|source| StoreError::KeyNotMade { path, source })?)
            }
            Err(error) => Err(format!("the key file {} cannot be read ({error})", path.display())),
        };
        let mut sealer = match found {
            Ok(key) => Self { key: Some(key), state: KeyState::Usable },
            Err(why) => Self { key: None, state: KeyState::Unusable(why) },
        };
        for (place, value) in sealed {
            if let Err(StoreError::KeyUnusable(why)) = sealer.open_sealed(place, value) {
                sealer.state = KeyState::Unusable(why);
            }
        }
        Ok(sealer)
    }

    /// For a look at a store in which nothing is sealed: no key is needed, and none is made.
    pub(super) const fn unneeded() -> Self {
        Self { key: None, state: KeyState::Usable }
    }

    /// Whether secrets can be sealed and opened.
    pub(super) const fn state(&self) -> &KeyState {
        &self.state
    }

    /// Seals `secret` for its `place`, `table.column`.
    pub(super) fn seal(&self, place: &str, secret: &SecretString) -> Result<Vec<u8>, StoreError> {
        let key = self.key()?;
        let nonce: [u8; NONCE_LENGTH] =
            random().map_err(|error| StoreError::KeyUnusable(error.to_string()))?;
        let payload = Payload { msg: secret.expose_secret().as_bytes(), aad: place.as_bytes() };
        let sealed = key
            .cipher()
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_error| StoreError::KeyUnusable("the secret is too long to be sealed".to_owned()))?;
        Ok([&[SEAL_VERSION], key.id.as_slice(), &nonce, &sealed].concat())
    }

    /// Opens what was sealed for `place`.
    pub(super) fn open_sealed(&self, place: &str, sealed: &[u8]) -> Result<SecretString, StoreError> {
        let key = self.key()?;
        let damaged = || StoreError::KeyUnusable(format!("the sealed {place} is damaged"));
        let (&version, rest) = sealed.split_first().ok_or_else(damaged)?;
        let (id, rest) = rest.split_first_chunk::<KEY_ID_LENGTH>().ok_or_else(damaged)?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_LENGTH>().ok_or_else(damaged)?;
        if version != SEAL_VERSION {
            return Err(StoreError::KeyUnusable(format!("the {place} was sealed by a newer version")));
        }
        if *id != key.id {
            return Err(StoreError::KeyUnusable(format!("the {place} was sealed with another key")));
        }
        let payload = Payload { msg: ciphertext, aad: place.as_bytes() };
        let opened = key.cipher().decrypt(&XNonce::from(*nonce), payload).map_err(|_error| damaged())?;
        match String::from_utf8(opened) {
            Ok(text) => Ok(SecretString::from(text)),
            Err(error) => {
                error.into_bytes().zeroize();
                Err(damaged())
            }
        }
    }

    fn key(&self) -> Result<&Key, StoreError> {
        match (&self.key, &self.state) {
            (Some(key), _) => Ok(key),
            (None, KeyState::Unusable(why)) => Err(StoreError::KeyUnusable(why.clone())),
            (None, KeyState::Usable) => Err(StoreError::KeyUnusable("there is no key".to_owned())),
        }
    }
}

impl Key {
    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.secret.expose_secret().into())
    }
}

fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

fn make_key(path: &Path) -> io::Result<Key> {
    let key = Key { id: random()?, secret: SecretBox::new(Box::new(random()?)) };
    let mut text = format!("{KEY_VERSION} {} {}\n", hex(&key.id), hex(key.secret.expose_secret()));
    // Whole or not at all: a torn key would be in the way of a new one. The lock on the data folder
    // keeps others from making one at the same time.
    let new = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(text.as_bytes())?;
    text.zeroize();
    file.sync_all()?;
    fs::rename(&new, path)?;
    // The name must survive a power cut as well as the content.
    fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(key)
}

fn read_key(path: &PathBuf) -> Result<Key, String> {
    let mut text = fs::read_to_string(path)
        .map_err(|error| format!("the key file {} cannot be read ({error})", path.display()))?;
    let key = parse_key(&text).ok_or_else(|| format!("the key file {} is damaged", path.display()));
    text.zeroize();
    key
}

fn parse_key(text: &str) -> Option<Key> {
    let mut words = text.split_whitespace();
    if words.next()? != KEY_VERSION {
        return None;
    }
    let id = unhex(words.next()?)?;
    let secret = SecretBox::new(Box::new(unhex(words.next()?)?));
    words.next().is_none().then_some(Key { id, secret })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; N];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// A sealed value, and its place.
pub(super) type Sealed = (String, Vec<u8>);

/// Everything in the database that was sealed.
pub(super) async fn sealed_values(connection: &mut SqliteConnection) -> Result<Vec<Sealed>, StoreError> {
    let mut values = Vec::new();
    let mut add = |places: Places, password: Option<Vec<u8>>, client_secret: Option<Vec<u8>>| {
        values.extend(password.map(|value| (places.password, value)));
        values.extend(client_secret.map(|value| (places.client_secret, value)));
    };
    let row = sqlx::query!("select password, client_secret from client_failover_configuration")
        .fetch_optional(&mut *connection)
        .await?;
    if let Some(row) = row {
        add(Places::client_failover(), row.password, row.client_secret);
    }
    for row in sqlx::query!("select id, password, client_secret from egress_data_endpoint")
        .fetch_all(connection)
        .await?
    {
        add(Places::data_endpoint(&row.id), row.password, row.client_secret);
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed_once() -> Vec<Sealed> {
        vec![(Places::client_failover().password, vec![1])]
    }

    fn opened(sealer: &Sealer, place: &str, sealed: &[u8]) -> Result<String, String> {
        sealer
            .open_sealed(place, sealed)
            .map(|secret| secret.expose_secret().to_owned())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_sealed_opens_only_in_its_place_and_with_its_key() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let sealer = Sealer::open(one.path(), &[]).unwrap();
        let secret = SecretString::from("pässword");
        let sealed = sealer.seal("a.b", &secret).unwrap();
        assert_ne!(sealed, sealer.seal("a.b", &secret).unwrap(), "nonces are fresh");
        assert_eq!(opened(&sealer, "a.b", &sealed).unwrap(), "pässword");
        assert!(opened(&sealer, "a.c", &sealed).unwrap_err().contains("damaged"));
        let again = Sealer::open(one.path(), &sealed_once()).unwrap();
        assert_eq!(opened(&again, "a.b", &sealed).unwrap(), "pässword");
        let other = Sealer::open(two.path(), &[]).unwrap();
        assert!(opened(&other, "a.b", &sealed).unwrap_err().contains("another key"));
        for length in 0..sealed.len() {
            assert!(opened(&sealer, "a.b", &sealed[..length]).is_err());
        }
    }

    #[test]
    fn a_key_is_made_only_while_nothing_is_sealed() {
        let folder = tempfile::tempdir().unwrap();
        let missing = Sealer::open(folder.path(), &sealed_once()).unwrap();
        assert!(matches!(missing.state(), KeyState::Unusable(why) if why.contains("cannot be read")));
        assert!(!folder.path().join(KEY_FILE).exists());
        Sealer::open(folder.path(), &[]).unwrap();
        let mode = fs::metadata(folder.path().join(KEY_FILE)).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(folder.path().join(KEY_FILE), "nonsense").unwrap();
        let damaged = Sealer::open(folder.path(), &sealed_once()).unwrap();
        assert!(matches!(damaged.state(), KeyState::Unusable(why) if why.contains("damaged")));
        let made = Sealer::open(folder.path(), &[]).unwrap();
        assert_eq!(made.state(), &KeyState::Usable);
        assert_eq!(fs::read_to_string(folder.path().join("key.damaged")).unwrap(), "nonsense");
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        Sealer::open(folder.path(), &[]).unwrap();
        let path = folder.path().join(KEY_FILE);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Sealer::open(folder.path(), &[]), Err(StoreError::KeyExposed(_))));
    }
}
