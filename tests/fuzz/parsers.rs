//! Every parser of bytes that come from outside.

use std::{
    cell::RefCell,
    ffi::OsString,
    io::{Seek, SeekFrom, Write},
    os::unix::ffi::OsStringExt,
    path::Path,
    sync::LazyLock,
};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use client_failover::{
    audit::Trail,
    auth::{Logins, basic, token},
    backup::restore,
    domain::{HttpUrl, Place, Protected, SessionId, UserName, Wall, format_span, parse_span},
    egress,
    endpoint::{self as hosted, Endpoint},
    http::{Door, Hosts, Notices, interfaces, kit::Interface},
    settings::{self, EndpointPartial, ServePartial},
    store::{DataFolder, Store},
    tls::{Authorities, Files, Shown},
    wire::{
        access_control::AccessControlBody,
        component, configuration, data_endpoint, endpoint,
        events::{EventReader, nudges},
        heartbeat,
        members::{Content, Members},
        registration, secret,
    },
};

use crate::answers;

/// A parser, by what it reads. None of them may panic, whatever it is given.
type Parser = (&'static str, fn(&[u8]));

/// All of them.
pub(crate) const PARSERS: &[Parser] = &[
    ("a body", |bytes| drop(Content::parse(bytes))),
    ("a configuration", |bytes| content(bytes, |content| drop(configuration::read_draft(content)))),
    ("data endpoints", |bytes| content(bytes, |content| drop(data_endpoint::read_data_endpoints(content)))),
    ("secrets", |bytes| {
        content(bytes, |content| {
            let Ok(drafts) = secret::read_secrets(content) else { return };
            for (draft, _) in drafts {
                drop(draft.complete(&[], None));
            }
        });
    }),
    ("a component's report", |bytes| object(bytes, |members| drop(component::read_report(members, "C")))),
    ("a group", |bytes| object(bytes, |members| drop(endpoint::read_group(Place::OnPremises, members)))),
    ("a session", |bytes| object(bytes, |members| drop(endpoint::read_session(members)))),
    ("an override", |bytes| object(bytes, |members| drop(endpoint::read_override(members)))),
    ("a heartbeat", |bytes| object(bytes, |members| drop(heartbeat::read_heartbeat(members)))),
    ("an endpoint's version", |bytes| drop(registration::read_version(bytes))),
    ("a group's timeout", |bytes| drop(registration::read_group_timeout(bytes))),
    ("a heartbeat's answer", |bytes| drop(registration::read_heartbeat_answer(bytes))),
    ("a token", |bytes| drop(registration::read_token(bytes))),
    ("a discovery document", |bytes| drop(registration::read_token_endpoint(bytes))),
    ("a stream of events", events),
    ("an address", |bytes| {
        text(bytes, |text| drop(HttpUrl::parse(text).map(|url| url.origin().to_string())))
    }),
    ("a span of time", |bytes| text(bytes, |text| drop(parse_span(text).map(format_span)))),
    ("a time", |bytes| text(bytes, |text| drop(Wall::parse(text).map(|at| at.to_string())))),
    ("a user's name", |bytes| text(bytes, |text| drop(UserName::written(text)))),
    ("a protected member", |bytes| text(bytes, |text| drop(Protected::read(text.into())))),
    ("a login", login),
    ("a token that is a login", |bytes| text(bytes, check_token)),
    ("whose a token says it is", |bytes| text(bytes, |text| drop(token::claimed(text)))),
    ("keys of an issuer", |bytes| drop(token::read_keys(bytes))),
    ("an issuer's discovery document", |bytes| drop(token::read_discovery(bytes, "https://id.example"))),
    ("an access control list", |bytes| {
        object(bytes, |members| drop(AccessControlBody::new(None).check(members)));
    }),
    ("a backup", backup),
    ("a backup that was changed", answers::changed_backup),
    ("a destination's answer", answers::destination),
    ("an endpoint's refusal", answers::refusal),
    ("an answer that the command line shows", answers::shown),
    ("what a hook or a probe writes", answers::of_a_command),
    ("what a collector writes", answers::of_a_collector),
    ("a guard's words", answers::guards_words),
    ("Host and Origin", hosts),
    ("a settings file", settings_file),
    ("settings in the environment", settings_in_environment),
    ("a path", path),
    ("a query", query),
    ("an address of the gate", gate_address),
    ("headers at the gate", gate_headers),
    ("a certificate and its key", certificate),
    ("an authority", |bytes| in_file(bytes, |file| drop(Authorities::read(file)))),
];

/// A server of the endpoint half without a socket, and what it runs in.
pub(crate) struct Served {
    pub(crate) runtime: tokio::runtime::Runtime,
    interface: Interface,
}

thread_local! {
    /// Where it keeps all.
    pub(crate) static FOLDER: tempfile::TempDir = tempfile::tempdir().unwrap();

    /// It is never ended: a thread that ends has no runtime to do it in.
    pub(crate) static SERVED: &'static Served = {
        rustls::crypto::ring::default_provider().install_default().ok();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let folder = FOLDER.with(|folder| folder.path().to_owned());
        let listen = ([127, 0, 0, 1], 5590).into();
        let interface = runtime.block_on(async {
            let store = Store::open(DataFolder::hold(&folder).unwrap()).await.unwrap();
            let logins = Logins::open(store.clone(), None, false).await.unwrap();
            let (trail, _) = Trail::new(store.clone());
            let notices = Notices::new(listen, None, logins.clone());
            let door = Door::new(logins, Hosts::new("http", listen, &[]), notices, trail);
            let endpoint = Endpoint::open(store.clone(), hosted::Settings::default()).await.unwrap();
            interfaces(&store, None, Some(endpoint)).build(door)
        });
        Box::leak(Box::new(Served { runtime, interface }))
    };
}

/// A request that reads: no path and no query is the server's fault.
fn ask(target: &[u8]) {
    let Ok(uri) = Uri::try_from(target) else { return };
    SERVED.with(|served| {
        let request = Request::builder().uri(uri).header("host", "localhost").body(Body::empty()).unwrap();
        let status = served.runtime.block_on(async { served.interface.answer(request).await.status() });
        assert!(!status.is_server_error() || status == StatusCode::SERVICE_UNAVAILABLE, "{status}");
    });
}

fn path(bytes: &[u8]) {
    ask(&[&b"/api/v1/clientfailover/"[..], bytes].concat());
    ask(bytes);
}

fn query(bytes: &[u8]) {
    for path in
        ["/api/v1/management/audit?", "/api/v1/clientfailover/overview?", "/api/v1/clientfailover/groups?"]
    {
        ask(&[path.as_bytes(), bytes].concat());
    }
}

/// Whatever follows the destination's Id stays as it was written.
fn gate_address(bytes: &[u8]) {
    let Ok(uri) = Uri::try_from([&b"/egress/"[..], bytes].concat().as_slice()) else { return };
    let (id, target) = egress::split(&uri).unwrap();
    assert_eq!(
        Some(format!("/egress/{id}{target}").as_str()),
        uri.path_and_query().map(|whole| whole.as_str())
    );
    assert!(!id.contains('/'), "{id}");
}

/// Each line is a header, and is named by `Connection`, too.
fn gate_headers(bytes: &[u8]) {
    let mut headers = HeaderMap::new();
    headers.append(
        header::CONNECTION,
        HeaderValue::from_bytes(bytes).unwrap_or(HeaderValue::from_static("close, te")),
    );
    headers.extend(answers::headers(bytes));
    let mut answer = headers.clone();
    egress::strip(&mut headers);
    egress::strip_answer(&mut answer);
    let ours = [
        header::AUTHORIZATION,
        header::COOKIE,
        header::HOST,
        header::TRANSFER_ENCODING,
        header::CONTENT_LENGTH,
    ];
    assert!(ours.iter().all(|name| !headers.contains_key(name)));
    let browsers = [header::SET_COOKIE, header::ACCESS_CONTROL_ALLOW_ORIGIN, header::WWW_AUTHENTICATE];
    assert!(browsers.iter().all(|name| !answer.contains_key(name)));
    assert!([headers, answer].iter().all(|passed| !passed.contains_key(header::CONNECTION)));
}

fn certificate(bytes: &[u8]) {
    in_file(bytes, |file| {
        let files = Files { certificate: file.to_owned(), key: file.to_owned() };
        SERVED.with(|served| drop(served.runtime.block_on(Shown::load(files))));
    });
}

/// Nothing is restored of what is no backup.
fn backup(bytes: &[u8]) {
    in_file(bytes, |file| {
        let (place, by) = (FOLDER.with(|folder| folder.path().join("restored")), "fuzz".to_owned());
        let restored = SERVED.with(|served| served.runtime.block_on(restore(file, &place, None, by)));
        assert!(restored.is_err() && !place.exists());
    });
}

/// Gives `read` a file of these bytes.
pub(crate) fn in_file(bytes: &[u8], read: impl FnOnce(&Path)) {
    FILE.with_borrow_mut(|file| {
        file.as_file().set_len(0).unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.write_all(bytes).unwrap();
        read(file.path());
    });
}

/// As it is, and as a name and a password.
fn login(bytes: &[u8]) {
    drop(basic::read(bytes));
    drop(basic::read(format!("Basic {}", STANDARD.encode(bytes)).as_bytes()));
}

/// What an issuer's tokens must say, and a key of it.
static ISSUER: LazyLock<(token::Keys, token::Expected)> = LazyLock::new(|| {
    let keys = r#"{"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","kid":"k",
        "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;
    let keys = token::read_keys(keys.as_bytes()).unwrap();
    let (issuer, audience) = ("https://id.example".to_owned(), "failover".to_owned());
    (keys, token::Expected { issuer, audience, role_claim: "roles".to_owned() })
});

/// Nobody can make up a signature.
fn check_token(text: &str) {
    let (keys, expected) = &*ISSUER;
    assert!(token::check(text, keys, expected, Wall::from_micros(1_800_000_000_000_000)).is_err());
}

/// As Host, as Origin, and as the address itself; what is let in is one of the server's own names.
fn hosts(bytes: &[u8]) {
    let allowed = ["plant.example".to_owned()];
    let hosts = Hosts::new("http", ([127, 0, 0, 1], 5590).into(), &allowed);
    let (own, root) = (HeaderValue::from_static("localhost:5590"), Uri::from_static("/"));
    let said = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    if let Ok(value) = HeaderValue::from_bytes(bytes) {
        let headers = HeaderMap::from_iter([(header::HOST, value.clone())]);
        if hosts.check(&root, &headers).is_ok() {
            let mine = ["localhost", "127.", "[", "plant.example"];
            assert!(mine.iter().any(|name| said.starts_with(name)), "it calls us {said:?}");
        }
        let headers = HeaderMap::from_iter([(header::HOST, own.clone()), (header::ORIGIN, value)]);
        if hosts.check(&root, &headers).is_ok() {
            let mine = ["://localhost:5590", "plant.example"];
            assert!(mine.iter().any(|name| said.contains(name)), "it comes from {said:?}");
        }
    }
    if let Ok(uri) = Uri::try_from(bytes) {
        hosts.check(&uri, &HeaderMap::from_iter([(header::HOST, own)])).ok();
    }
}

thread_local! {
    /// What is read from a file is written to this one.
    static FILE: RefCell<tempfile::NamedTempFile> = RefCell::new(tempfile::NamedTempFile::new().unwrap());
}

fn settings_file(bytes: &[u8]) {
    in_file(bytes, |file| {
        let faults = [
            settings::serve(ServePartial::default(), Some(file), &|_| None).err(),
            settings::endpoint(EndpointPartial::default(), Some(file), &|_| None).err(),
        ];
        assert!(faults.into_iter().flatten().all(|fault| !fault.to_string().is_empty()));
    });
}

/// Every variable has the same value.
fn settings_in_environment(bytes: &[u8]) {
    let is_setting = |name: &str| name != "CLIENT_FAILOVER_CONFIG" && name != "CREDENTIALS_DIRECTORY";
    let variables = |name: &str| is_setting(name).then(|| OsString::from_vec(bytes.to_vec()));
    drop(settings::serve(ServePartial::default(), None, &variables));
    drop(settings::endpoint(EndpointPartial::default(), None, &variables));
}

fn content(bytes: &[u8], read: impl FnOnce(Content)) {
    if let Ok(content) = Content::parse(bytes) {
        read(content);
    }
}

fn object(bytes: &[u8], read: impl FnOnce(Members)) {
    content(bytes, |content| {
        if let Ok(members) = content.object() {
            read(members);
        }
    });
}

fn text(bytes: &[u8], read: impl FnOnce(&str)) {
    read(&String::from_utf8_lossy(bytes));
}

/// In pieces of every size, as a network cuts it.
fn events(bytes: &[u8]) {
    let session = SessionId::new("s").ok();
    let mut reader = EventReader::default();
    for piece in bytes.chunks(1 + bytes.len() % 7) {
        let read = reader.read(piece, |name, data| {
            if let Some(session) = &session {
                assert!(!nudges(name, data, session) || name == "Nudge");
            }
        });
        if read.is_err() {
            return;
        }
    }
}
