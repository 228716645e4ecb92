//! Sealing with the key.
//!
//! A sealed value is `version (1) ‖ key id (8) ‖ nonce (24) ‖ ciphertext and tag`, made by
//! XChaCha20-Poly1305 with the value's table and column as associated data, so that a sealed value
//! that was moved to another place does not open.

use std::path::Path;

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroize};
use sqlx::SqliteConnection;

use super::{
    StoreError,
    access::Places,
    key_file::{self, KEY_ID_LENGTH, Key, KeyPlace, random},
    secrets,
};

/// The first byte of a sealed value.
const SEAL_VERSION: u8 = 1;

const NONCE_LENGTH: usize = 24;

/// What people call the secret in `place`.
fn named(place: &str) -> String {
    match place.split_once('/') {
        _ if *place == Places::client_failover().password => "the Password of the configuration".to_owned(),
        _ if *place == Places::client_failover().client_secret => {
            "the ClientSecret of the configuration".to_owned()
        }
        Some(("egress_data_endpoint.password", id)) => format!("the Password of the data endpoint {id}"),
        Some(("egress_data_endpoint.client_secret", id)) => {
            format!("the ClientSecret of the data endpoint {id}")
        }
        Some((_, id)) => format!("the secret {id}"),
        None => "a secret".to_owned(),
    }
}

/// Whether sealed secrets can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyState {
    /// The key is there.
    Usable,
    /// It is not; why, as a sentence without its full stop.
    Unusable(String),
}

/// Seals and opens secrets. Holds the keys in memory that is wiped when it is dropped.
#[derive(Debug)]
pub struct Sealer {
    /// The first one seals, each opens what it sealed.
    keys: Vec<Key>,
    state: KeyState,
}

impl Sealer {
    /// Reads the key at `place`. A new one is made only while nothing is `sealed`.
    ///
    /// A missing, unreadable or wrong key while something is sealed is no error: the server then serves
    /// what it can and says so.
    ///
    /// # Errors
    /// When others can read the key file, or a new one cannot be written.
    pub(super) fn open(place: &KeyPlace, folder: &Path, sealed: &[Sealed]) -> Result<Self, StoreError> {
        let mut sealer = match key_file::open(place, folder, sealed.is_empty())? {
            Ok(keys) => Self { keys, state: KeyState::Usable },
            Err(why) => Self { keys: Vec::new(), state: KeyState::Unusable(why) },
        };
        for (place, value) in sealed {
            if let Err(StoreError::KeyUnusable(why)) = sealer.open_sealed(place, value) {
                sealer.state = KeyState::Unusable(why);
            }
        }
        Ok(sealer)
    }

    /// Whether another key than the one that seals is still there.
    pub(super) const fn has_older_keys(&self) -> bool {
        self.keys.len() > 1
    }

    /// The keys, the one that seals first.
    pub(super) const fn keys(&self) -> &Vec<Key> {
        &self.keys
    }

    /// Puts a key before the others: it seals from now on.
    pub(super) fn begin_with(&mut self, key: Key) {
        self.keys.insert(0, key);
    }

    /// Forgets all keys but the one that seals.
    pub(super) fn keep_first(&mut self) {
        self.keys.truncate(1);
    }

    /// For a look at a store in which nothing is sealed: no key is needed, and none is made.
    pub(super) const fn unneeded() -> Self {
        Self { keys: Vec::new(), state: KeyState::Usable }
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
        self.key()?;
        let unusable = |why: &str| StoreError::KeyUnusable(format!("{} {why}", named(place)));
        let damaged = || unusable("is damaged");
        let (&version, rest) = sealed.split_first().ok_or_else(damaged)?;
        let (id, rest) = rest.split_first_chunk::<KEY_ID_LENGTH>().ok_or_else(damaged)?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_LENGTH>().ok_or_else(damaged)?;
        if version != SEAL_VERSION {
            return Err(unusable("was sealed by a newer version"));
        }
        let Some(key) = self.keys.iter().find(|key| key.id == *id) else {
            return Err(unusable("was sealed with another key"));
        };
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

    /// Whether everything that was sealed can be opened.
    pub(super) fn usable(&self) -> Result<(), StoreError> {
        match &self.state {
            KeyState::Usable => Ok(()),
            KeyState::Unusable(why) => Err(StoreError::KeyUnusable(why.clone())),
        }
    }

    fn key(&self) -> Result<&Key, StoreError> {
        match (self.keys.first(), &self.state) {
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
        .fetch_all(&mut *connection)
        .await?
    {
        add(Places::data_endpoint(&row.id), row.password, row.client_secret);
    }
    let rows = sqlx::query!("select folded, value from secret").fetch_all(connection).await?;
    values.extend(rows.into_iter().map(|row| (secrets::place(&row.folded), row.value)));
    Ok(values)
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{MetadataExt, PermissionsExt},
    };

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
        let open = |folder: &tempfile::TempDir, sealed: &[Sealed]| {
            Sealer::open(&KeyPlace::Folder, folder.path(), sealed).unwrap()
        };
        let sealer = open(&one, &[]);
        let secret = SecretString::from("pässword");
        let sealed = sealer.seal("a.b", &secret).unwrap();
        assert_ne!(sealed, sealer.seal("a.b", &secret).unwrap(), "nonces are fresh");
        assert_eq!(opened(&sealer, "a.b", &sealed).unwrap(), "pässword");
        assert!(opened(&sealer, "a.c", &sealed).unwrap_err().contains("damaged"));
        let again = open(&one, &sealed_once());
        assert_eq!(opened(&again, "a.b", &sealed).unwrap(), "pässword");
        let other = open(&two, &[]);
        assert!(opened(&other, "a.b", &sealed).unwrap_err().contains("another key"));
        for length in 0..sealed.len() {
            assert!(opened(&sealer, "a.b", &sealed[..length]).is_err());
        }
    }

    #[test]
    fn what_does_not_open_is_told_by_the_name_that_people_give_it() {
        let folder = tempfile::tempdir().unwrap();
        let sealer = Sealer::open(&KeyPlace::Folder, folder.path(), &[]).unwrap();
        let (own, destination) = (Places::client_failover(), Places::data_endpoint("h/1"));
        for (place, name) in [
            (own.password, "the Password of the configuration"),
            (own.client_secret, "the ClientSecret of the configuration"),
            (destination.password, "the Password of the data endpoint h/1"),
            (destination.client_secret, "the ClientSecret of the data endpoint h/1"),
            (secrets::place("plc"), "the secret plc"),
        ] {
            let said = opened(&sealer, &place, &[]).unwrap_err();
            assert_eq!(said, format!("the stored secrets cannot be read: {name} is damaged"));
        }
    }

    #[test]
    fn a_key_is_made_only_while_nothing_is_sealed() {
        let folder = tempfile::tempdir().unwrap();
        let (own, named) = (folder.path().join("key"), folder.path().join("elsewhere"));
        let credential = KeyPlace::Credential(folder.path().join("credential"));
        for (place, file) in [(KeyPlace::Folder, &own), (KeyPlace::File(named.clone()), &named)] {
            let open = |sealed: &[Sealed]| Sealer::open(&place, folder.path(), sealed).unwrap();
            let missing = open(&sealed_once());
            assert!(matches!(missing.state(), KeyState::Unusable(why) if why.contains("cannot be read")));
            assert!(!file.exists());
            assert_eq!(open(&[]).state(), &KeyState::Usable);
            assert_eq!(fs::metadata(file).unwrap().mode() & 0o777, 0o600);
            fs::write(file, "nonsense").unwrap();
            let damaged = open(&sealed_once());
            assert!(matches!(damaged.state(), KeyState::Unusable(why) if why.contains("damaged")));
            // Only one that is ours is moved aside: another file may be anything.
            let is_own = file == &own;
            assert_eq!(open(&[]).state() == &KeyState::Usable, is_own);
            let kept = if is_own { folder.path().join("key.damaged") } else { file.clone() };
            assert_eq!(fs::read_to_string(kept).unwrap(), "nonsense");
        }
        let missing = Sealer::open(&credential, folder.path(), &[]).unwrap();
        assert!(matches!(missing.state(), KeyState::Unusable(_)), "a credential is never made");
        Sealer::open(&KeyPlace::Unneeded, folder.path(), &[]).unwrap();
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_unless_the_service_manager_shows_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let open = |place: KeyPlace| Sealer::open(&place, folder.path(), &[]);
        open(KeyPlace::Folder).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(open(KeyPlace::Folder), Err(StoreError::KeyExposed(_))));
        assert!(matches!(open(KeyPlace::File(path.clone())), Err(StoreError::KeyExposed(_))));
        assert_eq!(open(KeyPlace::Credential(path)).unwrap().state(), &KeyState::Usable);
    }
}
