//! The key file: where it is, what is in it, and how it is replaced.
//!
//! It has a key on each line. The first one seals; the others are there while a rotation is under way, and open
//! what was sealed with them.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, fchown},
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret, SecretBox, zeroize::Zeroize};

use super::StoreError;

/// The key's name in the data folder.
const KEY_FILE: &str = "key";

/// The first word of a key; another version would be written differently.
const KEY_VERSION: &str = "client-failover-key-1";

pub(super) const KEY_ID_LENGTH: usize = 8;

/// Where the key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPlace {
    /// In the data folder: made there when nothing is sealed yet.
    Folder,
    /// In this file, which is made when it is not there and nothing is sealed yet.
    File(PathBuf),
    /// In this file, which the service manager shows to the service alone. It is only read.
    Credential(PathBuf),
    /// Nowhere: nothing is sealed or opened.
    Unneeded,
}

impl KeyPlace {
    /// The file, in or beside the data folder `folder`.
    pub(super) fn path(&self, folder: &Path) -> Option<PathBuf> {
        match self {
            Self::Folder => Some(folder.join(KEY_FILE)),
            Self::File(path) | Self::Credential(path) => Some(path.clone()),
            Self::Unneeded => None,
        }
    }
}

#[derive(Debug)]
pub(super) struct Key {
    pub(super) id: [u8; KEY_ID_LENGTH],
    pub(super) secret: SecretBox<[u8; 32]>,
}

impl Key {
    /// One that nobody knows.
    pub(super) fn fresh() -> io::Result<Self> {
        Ok(Self { id: random()?, secret: SecretBox::new(Box::new(random()?)) })
    }
}

pub(super) fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// The keys in the file, or why there is none; a new one is made only while nothing is sealed.
///
/// # Errors
/// When others can read the file, or a new one cannot be written.
pub(super) fn open(
    place: &KeyPlace,
    folder: &Path,
    nothing_sealed: bool,
) -> Result<Result<Vec<Key>, String>, StoreError> {
    let Some(path) = place.path(folder) else { return Ok(Ok(Vec::new())) };
    let is_credential = matches!(place, KeyPlace::Credential(_));
    let made = |made: io::Result<Key>| match made {
        Ok(key) => Ok(Ok(vec![key])),
        Err(source) => Err(StoreError::KeyNotMade { path: path.clone(), source }),
    };
    match fs::metadata(&path) {
        // Service managers show a credential by an access list, which looks like rights of a group.
        Ok(metadata) if metadata.mode() & 0o077 != 0 && !is_credential => Err(StoreError::KeyExposed(path)),
        Ok(_) => match read(&path) {
            Err(why) if nothing_sealed && *place == KeyPlace::Folder => {
                // Nothing depends on it. It is kept all the same: somebody may know what it was.
                let aside = path.with_extension("damaged");
                tracing::warn!("{why}; it is moved to {} and a new one is made", aside.display());
                made(fs::rename(&path, &aside).and_then(|()| make(&path)))
            }
            read => Ok(read),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound && nothing_sealed && !is_credential => {
            made(make(&path))
        }
        Err(error) => Ok(Err(format!("the key file {} cannot be read ({error})", path.display()))),
    }
}

fn make(path: &Path) -> io::Result<Key> {
    let key = Key::fresh()?;
    write(path, [&key])?;
    Ok(key)
}

/// Writes the file anew, whole or not at all: a torn key would be in the way of a new one. It stays its owner's.
/// The lock on the data folder keeps others from writing one at the same time.
pub(super) fn write<'a>(path: &Path, keys: impl IntoIterator<Item = &'a Key>) -> io::Result<()> {
    let mut text = String::new();
    for key in keys {
        let mut line = format!("{KEY_VERSION} {} {}\n", hex(&key.id), hex(key.secret.expose_secret()));
        text.push_str(&line);
        line.zeroize();
    }
    let new = unfinished(path);
    // One that was left behind may be another's, or open to others.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    if let Ok(before) = fs::metadata(path) {
        let now = file.metadata()?;
        if (before.uid(), before.gid()) != (now.uid(), now.gid()) {
            fchown(&file, Some(before.uid()), Some(before.gid()))?;
        }
    }
    let written = file.write_all(text.as_bytes());
    text.zeroize();
    written?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    // The name must survive a power cut as well as the content.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Where the file is written before it takes its place.
fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

/// Removes what a writer that was killed left beside the key in the data folder, which this process holds: it has the key.
pub(super) fn remove_unfinished(place: &KeyPlace, folder: &Path) {
    if *place == KeyPlace::Folder {
        fs::remove_file(unfinished(&folder.join(KEY_FILE))).ok();
    }
}

fn read(path: &Path) -> Result<Vec<Key>, String> {
    let mut text = fs::read_to_string(path)
        .map_err(|error| format!("the key file {} cannot be read ({error})", path.display()))?;
    let keys: Option<Vec<Key>> = text.lines().filter(|line| !line.trim().is_empty()).map(parse).collect();
    text.zeroize();
    keys.filter(|keys| !keys.is_empty()).ok_or_else(|| format!("the key file {} is damaged", path.display()))
}

fn parse(line: &str) -> Option<Key> {
    let mut words = line.split_whitespace();
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
    if text.len() != 2 * N || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; N];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Lines that are keys, nearly, or not at all.
    fn lines() -> impl Strategy<Value = Vec<u8>> {
        let key = (any::<[u8; KEY_ID_LENGTH]>(), any::<[u8; 32]>())
            .prop_map(|(id, secret)| format!("{KEY_VERSION} {} {}\n", hex(&id), hex(&secret)).into_bytes());
        let other = prop::collection::vec(any::<u8>(), 0..120);
        prop::collection::vec(prop_oneof![4 => key, 1 => other], 0..4).prop_map(|lines| lines.concat())
    }

    #[test]
    fn any_file_is_keys_that_are_written_alike_again_or_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let (path, again) = (folder.path().join("key"), folder.path().join("again"));
        let change = (any::<prop::sample::Index>(), any::<u8>());
        let changed = (lines(), prop::collection::vec(change, 0..3)).prop_map(|(mut bytes, changes)| {
            for (at, byte) in changes {
                let at = at.index(bytes.len().max(1));
                if let Some(changed) = bytes.get_mut(at) {
                    *changed = byte;
                }
            }
            bytes
        });
        proptest!(ProptestConfig::with_cases(400), |(bytes in changed)| {
            fs::write(&path, &bytes).unwrap();
            match read(&path) {
                Ok(keys) => {
                    write(&again, &keys).unwrap();
                    let said = String::from_utf8(bytes).unwrap().to_ascii_lowercase();
                    let kept = fs::read_to_string(&again).unwrap();
                    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
                    prop_assert_eq!(words(&said), words(&kept));
                }
                Err(why) => {
                    let reasons = ["is damaged", "cannot be read"];
                    prop_assert!(reasons.iter().any(|reason| why.contains(reason)), "{}", why);
                }
            }
        });
    }
}
