//! What others say back: destinations, endpoints, servers, commands, collectors and their guards; and a backup that
//! was changed.

use std::{fs, path::PathBuf, time::Duration};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use client_failover::{
    backup::{back_up, restore},
    cli::{Names, Refusal, columns, members, plain, told},
    collector::{next_line, printable, talk},
    command,
    domain::{ConfigurationId, FailoverTimeout},
    egress::{self, GateName, machine::retry_wait},
    registration::EndpointClient,
    store::DATABASE,
    tls::Authorities,
    wire::{configuration, members::Content},
};
use ring::digest::{SHA256, digest};
use serde_json::Value;

use crate::parsers::{FOLDER, SERVED};

/// Each line a header.
pub(crate) fn headers(bytes: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n').take(1_000) {
        let (name, value) = line.split_at(line.iter().position(|byte| *byte == b':').unwrap_or(line.len()));
        let value = value.strip_prefix(b":").unwrap_or(value).trim_ascii();
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    headers
}

/// The headers that it reads with these bytes in them, beside those that these bytes are.
fn answered(bytes: &[u8]) -> HeaderMap {
    let mut headers = headers(bytes);
    if let Ok(value) = HeaderValue::from_bytes(bytes) {
        for name in ["retry-after", "date", "x-failover-via"] {
            headers.entry(name).or_insert(value.clone());
        }
    }
    headers
}

/// Whatever a destination asks for, it waits a minute at the most; and nothing that anybody makes up bears a gate's name.
pub(crate) fn destination(bytes: &[u8]) {
    let headers = answered(bytes);
    let asked = egress::retry_after(&headers);
    assert!(retry_wait(0, asked) <= Duration::from_secs(60), "{asked:?}");
    assert!(!GateName::new().is_on(&headers));
}

/// The password that the client below logs in with.
const PASSWORD: &str = "correct horse";

thread_local! {
    /// Of an endpoint that is never asked.
    static CLIENT: EndpointClient = {
        rustls::crypto::ring::default_provider().install_default().ok();
        let text = format!(
            r#"{{"Id":"C","FailoverGroupId":"G","Mode":"Hot","Endpoint":"http://h","UserName":"u","Password":"{PASSWORD}"}}"#
        );
        let (draft, faults) = configuration::read_draft(Content::parse(text.as_bytes()).unwrap()).unwrap();
        assert!(faults.is_empty());
        let config = draft.complete(None, ConfigurationId::new("C").unwrap()).unwrap();
        let open = config.access().open(None).unwrap();
        let timeout = FailoverTimeout::new(FailoverTimeout::MAX).unwrap();
        EndpointClient::new(&open, timeout, &Authorities::default()).unwrap()
    };

    /// A backup of the served folder.
    static BACKUP: Vec<u8> = {
        let (folder, file) = FOLDER.with(|folder| (folder.path().to_owned(), folder.path().join("whole.backup")));
        SERVED.with(|served| served.runtime.block_on(back_up(&folder, &file, "fuzz".to_owned()))).unwrap();
        fs::read(file).unwrap()
    };
}

/// What an endpoint refuses with is said in a short line, without a password.
pub(crate) fn refusal(bytes: &[u8]) {
    let status = StatusCode::from_u16(300 + u16::try_from(bytes.len() % 300).unwrap()).unwrap();
    let mut response = Response::new(bytes.to_vec());
    *response.headers_mut() = answered(bytes);
    *response.status_mut() = status;
    let accepted = CLIENT.with(|client| {
        SERVED.with(|served| served.runtime.block_on(client.accept(response.into())).map(drop))
    });
    let failure = accepted.unwrap_err();
    for said in [Some(failure.detail), failure.resolution].into_iter().flatten() {
        assert!(said.chars().count() < 1_000 && !said.chars().any(char::is_control), "{said:?}");
        assert!(!said.contains(PASSWORD), "{said:?}");
    }
}

/// What a server answers to the command line: nothing of it steers the terminal.
pub(crate) fn shown(bytes: &[u8]) {
    let harmless = |text: &str| assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    harmless(&plain(&String::from_utf8_lossy(bytes)));
    drop(serde_json::from_slice::<Refusal>(bytes));
    let Ok(answer) = serde_json::from_slice::<Value>(bytes) else { return };
    let objects = answer.as_array().map_or(std::slice::from_ref(&answer), Vec::as_slice);
    harmless(&members(&answer));
    harmless(&columns(&["Id", "value"], objects));
    harmless(&told(objects, &Names::of(objects)));
}

/// What a hook or a probe writes becomes the end of one line.
pub(crate) fn of_a_command(bytes: &[u8]) {
    assert!(!command::quoted(bytes).chars().any(char::is_control));
}

/// What a collector writes becomes lines of which none is long, or steers a terminal.
pub(crate) fn of_a_collector(mut bytes: &[u8]) {
    let mut line = Vec::new();
    SERVED.with(|served| {
        served.runtime.block_on(async {
            while next_line(&mut bytes, &mut line).await.unwrap() {
                assert!(line.len() <= 4 * 1024);
                assert!(!printable(&line).chars().any(|c| c.is_control() && c != '\t'));
            }
        });
    });
}

/// What agent and guard say to each other: what is understood at all is said again in the same sense.
pub(crate) fn guards_words(bytes: &[u8]) {
    for line in String::from_utf8_lossy(bytes).lines() {
        if let Some(word) = talk::Word::parse(line) {
            assert_eq!(talk::Word::parse(&word.to_string()), Some(word));
        }
        if let Some(news) = talk::news(line) {
            let again = talk::line(&news);
            assert!(!again.contains('\n'), "{again:?}");
            assert_eq!(talk::news(&again).map(|news| talk::line(&news)), Some(again));
        }
    }
}

/// Bytes after the end of the database: the last line of a backup.
const LINE: usize = 192;

/// Where its SHA-256 begins in that line: after the fourth space.
fn place_of_hash(line: &[u8]) -> usize {
    line.iter().enumerate().filter(|(_, byte)| **byte == b' ').nth(3).unwrap().0 + 1
}

/// These bytes in the place of some of a backup's, for one case of eight, since it is slow. Nothing is restored of it; or, one
/// time in sixteen, its SHA-256 is made right again, as whoever means ill would: then there is a database that was read, or none.
pub(crate) fn changed_backup(bytes: &[u8]) {
    let sum = bytes.iter().fold(bytes.len(), |sum, byte| sum.wrapping_mul(31).wrapping_add((*byte).into()));
    if !sum.is_multiple_of(8) {
        return;
    }
    let mut backup = BACKUP.with(Clone::clone);
    let forged = (sum / 8).is_multiple_of(16);
    let size = backup.len() - LINE;
    let at = sum / 128 % if forged { size } else { backup.len() };
    let to = backup.len().min(at + bytes.len());
    if forged {
        let to = size.min(to);
        backup[at..to].copy_from_slice(&bytes[..to - at]);
        let hash_at = size + place_of_hash(&backup[size..]);
        let hash: String =
            digest(&SHA256, &backup[..hash_at]).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        backup[hash_at..hash_at + hash.len()].copy_from_slice(hash.as_bytes());
    } else {
        backup[at..to].copy_from_slice(&bytes[..to - at]);
    }
    let same = BACKUP.with(|whole| backup == *whole);
    crate::parsers::in_file(&backup, |file| {
        let place: PathBuf = FOLDER.with(|folder| folder.path().join("changed"));
        let restored =
            SERVED.with(|served| served.runtime.block_on(restore(file, &place, None, "fuzz".to_owned())));
        assert!(restored.is_err() || forged || same, "{restored:?}");
        assert_eq!(restored.is_ok(), place.join(DATABASE).exists(), "{restored:?}");
        if place.exists() {
            fs::remove_dir_all(place).unwrap();
        }
    });
}
