//! Every parser of bytes that come from outside, and bytes that somebody might send: near to what is right, and far
//! from it.

use client_failover::{
    domain::{HttpUrl, Place, Protected, SessionId, UserName, Wall, format_span, parse_span},
    wire::{
        component, configuration, data_endpoint, endpoint,
        events::{EventReader, nudges},
        heartbeat,
        members::{Content, Members},
        registration, secret,
    },
};

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
];

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

/// What is right, for one parser or another.
const RIGHT: &[&str] = &[
    r#"{"Id":"C","FailoverGroupId":"G","Mode":"Hot","Endpoint":"https://h:1/x","UserName":"u","Password":"{{p}}"}"#,
    r#"[{"Id":"d","Endpoint":"http://h","ReadOnlyMethods":["GET"],"MaxBufferSizeMB":1,"BufferedAnswer":204}]"#,
    r#"[{"id":"a","value":"v","description":null,"expirationdate":"2024-06-17","Origins":["https://h:443"]}]"#,
    r#"{"StreamCount":1000,"DeviceStatus":"Good","TimeToLive":"00:01:00"}"#,
    r#"{"Id":"G","FailoverTimeout":"1.00:00:00.25","AdditionalData":{"Margin":10}}"#,
    r#"{"Value":"Primary","ExpirationPeriod":"08:00:00","RequestedBy":"a","Reason":"b"}"#,
    r#"{"FailoverScore":100,"LastDataProcessedTime":"0001-01-01T00:00:00","Incarnation":"i","Sequence":1,"Answered":0,"AppliedRole":"Primary","Epoch":7}"#,
    r#"{"Role":1,"Epoch":217653611,"FailoverTimeout":"00:00:10","Warnings":["w"],"HandOver":{"From":"a"}}"#,
    r#"{"access_token":"t","token_type":"Bearer","expires_in":3600,"token_endpoint":"https://h/token"}"#,
    r#"{"Version":"1.0","Native":1}"#,
    "\u{feff}event: Nudge\r\ndata: {\"Session\": \"s\"}\r\n\r\n: comment\nid: 1\nretry: 5\ndata\n\n",
    "https://[::1]:5591/api/v1/clientfailover?x=y",
    "1.02:03:04.0000005",
    "2026-01-31T08:00:00.123Z",
    "oidc:a:b",
];

/// What breaks parsers of one sort or another.
const WRONG: &[&[u8]] = &[
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\\ud800",
    b"\\u0000",
    b"{{",
    b"}}",
    b"[[[[[[[[",
    b"\"",
    b"\r\n\r\n",
    b"1e999999",
    b"-0",
    b"99999999999999999999999999",
    b"null",
    b"..",
    b"%00",
    b":",
    b"$serde_json::private::RawValue",
    b"$serde_json::private::Number",
    "ﬀİ\u{202e}".as_bytes(),
];

/// Makes up bytes; the same seed makes the same ones.
pub(crate) struct Maker(u64);

impl Maker {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit.max(1)).unwrap_or(1)).unwrap_or(0)
    }

    /// Bytes that are nearly right, or not at all.
    pub(crate) fn bytes(&mut self) -> Vec<u8> {
        let mut bytes = match self.below(8) {
            0 => (0..self.below(300)).map(|_| self.next().to_le_bytes()[0]).collect(),
            _ => RIGHT[self.below(RIGHT.len())].as_bytes().to_vec(),
        };
        for _ in 0..self.below(6) {
            self.change(&mut bytes);
        }
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let (at, to) = (self.below(bytes.len() + 1), self.below(bytes.len() + 1));
        let (from, to) = (at.min(to), at.max(to));
        match self.below(7) {
            0 => drop(bytes.splice(at..at, WRONG[self.below(WRONG.len())].iter().copied())),
            1 => drop(bytes.drain(from..to)),
            2 if at < bytes.len() => bytes[at] = self.next().to_le_bytes()[0],
            3 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            // A part again and again: what is nested, doubled, or long.
            4 if to - from < 40 => {
                let part = bytes[from..to].repeat(self.below(200));
                drop(bytes.splice(at..at, part));
            }
            5 => {
                let other = RIGHT[self.below(RIGHT.len())].as_bytes();
                let part = &other[self.below(other.len())..];
                drop(bytes.splice(from..to, part.iter().copied()));
            }
            _ => bytes.truncate(at),
        }
    }
}
