//! A request as it is passed on: what the collector said, without what is not for the destination.

use std::time::Duration;

use hyper::{
    HeaderMap, Method, Uri,
    body::Bytes,
    header::{self, HeaderName, HeaderValue},
};

use super::body::Held;
use crate::domain::{Now, Uptime, Wall};

/// Where the gate's paths begin; in any case, like all paths here.
const PREFIX: &str = "/egress/";

/// Headers that end here: of the connection (RFC 9110, 7.6.1), of the login, which is the gate's, and of the
/// addressing, which is the destination's. The length is that of the body that was received.
const NOT_PASSED: [HeaderName; 13] = [
    header::AUTHORIZATION,
    header::COOKIE,
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::HOST,
    header::EXPECT,
];

/// Headers of an answer that end here: of the connection, of the login, which is the gate's, and what a browser would
/// take for the word of this server about itself: the destination has its own name, and this is not it.
const NOT_PASSED_BACK: [HeaderName; 18] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::PROXY_AUTHENTICATE,
    header::WWW_AUTHENTICATE,
    HeaderName::from_static("authentication-info"),
    HeaderName::from_static("proxy-authentication-info"),
    header::SET_COOKIE,
    HeaderName::from_static("clear-site-data"),
    header::STRICT_TRANSPORT_SECURITY,
    header::ALT_SVC,
    HeaderName::from_static("service-worker-allowed"),
    HeaderName::from_static("timing-allow-origin"),
    HeaderName::from_static("nel"),
    HeaderName::from_static("report-to"),
];

/// How all headers begin that let pages of others read an answer: they end here, too.
const CORS: &str = "access-control-";

/// Under which epoch, and by whom, a request is sent. The collector cannot claim them.
pub(super) const EPOCH: HeaderName = HeaderName::from_static("x-failover-epoch");
pub(super) const SESSION: HeaderName = HeaderName::from_static("x-failover-session");

/// A request, whole.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) arrival: Now,
    pub(super) method: Method,
    /// What follows the destination's base: raw path and query, as they were written.
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// The memory that the body takes; empty for what was read from the buffer.
    pub(super) held: Option<Held>,
}

/// The destination's Id, still percent-encoded, and what follows it, of one of the gate's addresses.
#[must_use]
pub fn split(uri: &Uri) -> Option<(&str, String)> {
    let path = uri.path();
    let rest = path.get(PREFIX.len()..).filter(|_| is_gate_path(path))?;
    let (id, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let target = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    Some((id, target))
}

/// Whether a path is one of the gate's.
pub(super) fn is_gate_path(path: &str) -> bool {
    path.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// Takes out what is not for the destination.
pub fn strip(headers: &mut HeaderMap) {
    remove_named_by_connection(headers);
    for name in NOT_PASSED.iter().chain([&header::CONTENT_LENGTH, &EPOCH, &SESSION]) {
        headers.remove(name);
    }
}

/// Takes out of an answer what is not for the collector.
pub fn strip_answer(headers: &mut HeaderMap) {
    remove_named_by_connection(headers);
    for name in &NOT_PASSED_BACK {
        headers.remove(name);
    }
    let of_cors = |name: &&HeaderName| name.as_str().starts_with(CORS);
    for name in headers.keys().filter(of_cors).cloned().collect::<Vec<_>>() {
        headers.remove(name);
    }
}

fn remove_named_by_connection(headers: &mut HeaderMap) {
    if !headers.contains_key(header::CONNECTION) {
        return;
    }
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let names = values.flat_map(|value| value.split(',')).map(str::trim);
    let named: Vec<HeaderName> = names.filter_map(|name| name.parse().ok()).collect();
    for name in named {
        // What says where a body ends is not somebody's to take away.
        if name != header::CONTENT_LENGTH && name != header::CONTENT_TYPE {
            headers.remove(name);
        }
    }
}

impl Request {
    /// How much of the buffer it takes.
    pub(super) fn size(&self) -> u64 {
        let headers: usize =
            self.headers.iter().map(|(name, value)| 8 + name.as_str().len() + value.len()).sum();
        let fixed = 2 * 8 + 4 * 4;
        (fixed + self.method.as_str().len() + self.target.len() + headers + self.body.len()) as u64
    }

    /// Writes it: times, then each text with its length before it.
    pub(super) fn encode(&self, into: &mut Vec<u8>) {
        let uptime_us = u64::try_from(self.arrival.uptime.since_boot().as_micros()).unwrap_or(u64::MAX);
        into.extend_from_slice(&uptime_us.to_be_bytes());
        into.extend_from_slice(&self.arrival.wall.micros().to_be_bytes());
        put(into, self.method.as_str().as_bytes());
        put(into, self.target.as_bytes());
        into.extend_from_slice(&length(self.headers.len()).to_be_bytes());
        for (name, value) in &self.headers {
            put(into, name.as_str().as_bytes());
            put(into, value.as_bytes());
        }
        put(into, &self.body);
    }

    /// Reads what was written, and moves `from` behind it; `None` where it is damaged.
    pub(super) fn decode(from: &mut &[u8]) -> Option<Self> {
        let uptime = Uptime::new(Duration::from_micros(u64::from_be_bytes(take(from)?)));
        let wall = Wall::from_micros(i64::from_be_bytes(take(from)?));
        let method = Method::from_bytes(get(from)?).ok()?;
        let target = String::from_utf8(get(from)?.to_vec()).ok()?;
        let mut headers = HeaderMap::new();
        for _ in 0..u32::from_be_bytes(take(from)?) {
            let name = HeaderName::from_bytes(get(from)?).ok()?;
            headers.append(name, HeaderValue::from_bytes(get(from)?).ok()?);
        }
        let body = Bytes::copy_from_slice(get(from)?);
        Some(Self { arrival: Now { uptime, wall }, method, target, headers, body, held: None })
    }
}

fn length(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn put(into: &mut Vec<u8>, bytes: &[u8]) {
    into.extend_from_slice(&length(bytes.len()).to_be_bytes());
    into.extend_from_slice(bytes);
}

fn take<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = from.split_first_chunk::<N>()?;
    *from = rest;
    Some(*taken)
}

fn get<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(u32::from_be_bytes(take(from)?)).ok()?;
    let (got, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(got)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn what_follows_the_destination_stays_as_it_was_written() {
        for (uri, id, target) in [
            ("/egress/a/b/../c%2Fd//e?f=%2e&g", "a", "/b/../c%2Fd//e?f=%2e&g"),
            ("/EGRESS/a%20b", "a%20b", ""),
            ("/egress/a?b=/c/", "a", "?b=/c/"),
            ("/egress/a/", "a", "/"),
            ("/egress/a//evil.example/x", "a", "//evil.example/x"),
            ("/egress//x", "", "/x"),
        ] {
            let uri: Uri = uri.parse().unwrap();
            assert_eq!(split(&uri), Some((id, target.to_owned())), "{uri}");
        }
        assert_eq!(split(&Uri::from_static("/egres/a")), None);
        assert_eq!(split(&Uri::from_static("/egress")), None);
    }

    #[test]
    fn what_is_not_for_the_destination_ends_here() {
        let mut passed = headers(&[
            ("authorization", "Basic x"),
            ("cookie", "a=b"),
            ("connection", "close, X-Private"),
            ("x-private", "1"),
            ("keep-alive", "1"),
            ("te", "trailers"),
            ("host", "gate"),
            ("x-failover-epoch", "9"),
            ("content-length", "3"),
            ("content-type", "text/plain"),
            ("x-other", "kept"),
        ]);
        strip(&mut passed);
        assert_eq!(passed, headers(&[("content-type", "text/plain"), ("x-other", "kept")]));
    }

    #[test]
    fn what_a_destination_says_to_browsers_about_itself_ends_here() {
        let mut answer = headers(&[
            ("set-cookie", "a=b"),
            ("access-control-allow-origin", "*"),
            ("access-control-what-comes-next", "1"),
            ("strict-transport-security", "max-age=1"),
            ("clear-site-data", "*"),
            ("alt-svc", "clear"),
            ("www-authenticate", "Basic"),
            ("content-length", "3"),
            ("etag", "x"),
        ]);
        answer.append("set-cookie", HeaderValue::from_static("c=d"));
        strip_answer(&mut answer);
        assert_eq!(answer, headers(&[("content-length", "3"), ("etag", "x")]));
    }

    #[test]
    fn what_is_kept_is_read_back_whole() {
        let mut two = headers(&[("a", "1"), ("content-type", "x")]);
        two.append("a", HeaderValue::from_bytes(b"\xff2").unwrap());
        let wall = Wall::from_micros(-5);
        let request = Request {
            arrival: Now { uptime: Uptime::new(Duration::from_micros(7)), wall },
            method: Method::from_bytes(b"REPORT").unwrap(),
            target: "/a/../b?c".to_owned(),
            headers: two,
            body: Bytes::from_static(b"\x00\xff"),
            held: None,
        };
        let mut written = Vec::new();
        request.encode(&mut written);
        request.encode(&mut written);
        assert!(written.len() as u64 <= 2 * request.size());
        let mut rest = written.as_slice();
        for _ in 0..2 {
            let read = Request::decode(&mut rest).unwrap();
            assert_eq!(
                (read.arrival, &read.method, &read.target),
                (request.arrival, &request.method, &request.target)
            );
            assert_eq!((read.headers, read.body), (request.headers.clone(), request.body.clone()));
        }
        assert!(rest.is_empty());
        for cut in 0..written.len() / 2 {
            assert!(Request::decode(&mut &written[..cut]).is_none());
        }
    }
}
