//! Bytes that somebody might send: near to what is right, and far from it.

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
    "Basic cGxjLWE6cGFzc3dvcmQ=",
    TOKEN,
    r#"{"keys":[{"kty":"RSA","alg":"RS256","use":"sig","kid":"k","n":"AQAB","e":"AQAB"}]}"#,
    "localhost:5590",
    "https://plant.example:8443",
    SETTINGS,
    r#"[{ id = "web", tcp = "127.0.0.1:1", interval = "5s" }]"#,
    "groups/G/clientsessions/S/?x=%20",
    "from=2026-01-31T08:00:00Z&to=2027-01-31T08:00:00Z&kind=Group&limit=1000&cursor=9",
    "skip=1&count=10&health=NoPrimary",
    "d%20e/b/../c//?q=/x",
    "te: trailers\nset-cookie: a=b\nauthorization: Basic x\ncontent-length: 3\nconnection: close, content-length\nx: y",
    "retry-after: 120\nx-failover-via: 9, 18446744073709551615\nlocation: /\nx-failover-epoch: 9",
    "retry-after: Fri, 31 Dec 2027 23:59:59 GMT\ndate: Fri, 31 Dec 2027 23:58:00 GMT",
    r#"{"Error":"No.","Reason":"Basic dTpjb3JyZWN0IGhvcnNl is no login.","Resolution":"Ask."}"#,
    r#"[{"Id":"a","Name":"b","Kind":"HandOver","Time":"2026-01-31T08:00:00.1Z","Epoch":9,"HandOver":{"From":"a","To":"b","GapMilliseconds":1e9,"LastActTime":"2026-01-31T08:00:00Z"},"Members":[{"SessionId":"a","HeardAgo":"00:00:01","Acting":true}]}]"#,
    "until 1234567890123\nstart\nstop 5\nsignal SIGUSR1\nuntil never",
    "heard\nstarted 4711\nnot-started /x is not there\nended asked exit 3\nended deadline signal 9\nended itself unknown",
    "\u{1b}]0;title\u{7}\u{1b}[31mred\u{9b}2J\r\n",
    CERTIFICATE,
];

/// For the host `h`, with its key, which is all zeros: nobody has to keep it.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
MIIBPDCB76ADAgECAhQOklhk8KiSIEf1jP46sLRpDennyTAFBgMrZXAwDDEKMAgG
A1UEAwwBaDAgFw0yNjExMjYwMzA4MDlaGA8yMTI2MTEwMjAzMDgwOVowDDEKMAgG
A1UEAwwBaDAqMAUGAytlcAMhADtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGL
Wdopo2EwXzAdBgNVHQ4EFgQUjDDJfn/VRgzjuWLbTNdYee7Nir0wHwYDVR0jBBgw
FoAUjDDJfn/VRgzjuWLbTNdYee7Nir0wDwYDVR0TAQH/BAUwAwEB/zAMBgNVHREE
BTADggFoMAUGAytlcANBAOVHuZHXhwwLr3JCxf6gcXP+ni7fhxuSr3PcLqACZ+0A
OKm/eHV55/Nz0E63AZDG93rxJUvjHVPtTqlbTLHbLAA=
-----END CERTIFICATE-----
-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
-----END PRIVATE KEY-----";

/// A token whose signature nobody made.
const TOKEN: &str = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsifQ.\
    eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJmYWlsb3ZlciIsInN1YiI6ImEiLCJleHAiOjE4MDAwMDAwNjAsInJvbGVzIjpbInVzZXIiXX0.\
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

const SETTINGS: &str = r#"listen = "127.0.0.1:5590"
allow_host = "plant.example"
history_days = 365
oidc_issuer = "https://id.example"
[collector]
command = ["/bin/x", "y"]
env = { A = "b" }
restart_window = "5m"
[[probe]]
id = "web"
url = "http://127.0.0.1:1/"
"#;

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
    b"[[",
    b"]]",
    b"\'\'\'",
    b"\"\"\"",
    b" = ",
    b"\n",
    b"@",
    b"1979-05-27T07:32:00Z",
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
