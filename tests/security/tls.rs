//! TLS of our own: versions, certificates that change, and plants with an authority of their own.

use std::{
    fs,
    io::{Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use client_failover::clock;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use reqwest::StatusCode;
use serde_json::json;
use tempfile::TempDir;

use crate::{
    guarded::{add, answer, client_trusting, get},
    support::{FAILOVER, LIMIT, PROGRAM, STATE, Server, configuration, until},
};

/// A plant's own authority, and certificates of it for 127.0.0.1.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate.
    file: PathBuf,
    folder: TempDir,
}

impl Authority {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "the plant's authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let file = folder.path().join("ca.pem");
        fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
        Self { issuer: Issuer::new(params, key), file, folder }
    }

    /// Writes a certificate that ends with the begin of this year, and its key; the later one replaces the former.
    fn issue(&self, last_year: i32) -> [String; 4] {
        self.issue_until((last_year, 1, 1))
    }

    /// The same for any day.
    fn issue_until(&self, (year, month, day): (i32, u8, u8)) -> [String; 4] {
        let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "an endpoint of the plant");
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(year, month, day);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let path = |name: &str| self.folder.path().join(name).to_str().unwrap().to_owned();
        let (cert_file, key_file) = (path("cert.pem"), path("key.pem"));
        fs::write(&cert_file, certificate.pem()).unwrap();
        fs::write(&key_file, key.serialize_pem()).unwrap();
        fs::set_permissions(&key_file, fs::Permissions::from_mode(0o600)).unwrap();
        ["--tls-cert".to_owned(), cert_file, "--tls-key".to_owned(), key_file]
    }

    fn serve(&self, data: &Path, last_year: i32, more: &[&str]) -> Server {
        let issued = self.issue(last_year);
        let arguments: Vec<&str> = issued.iter().map(String::as_str).chain(more.iter().copied()).collect();
        Server::serve(data, &arguments)
    }
}

fn openssl(server: &Server, arguments: &[&str]) -> Output {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", server.address()]).args(arguments);
    command.stdin(Stdio::null()).output().unwrap()
}

/// A request by curl, on a connection of its own.
fn curl(url: &str, authority: &Path) -> Command {
    let mut command = Command::new("curl");
    command
        .args(["--silent", "--show-error", "--fail", "--noproxy", "*", "--cacert"])
        .arg(authority)
        .arg(url);
    command
}

/// A handshake by openssl's client.
fn s_client(server: &Server, authority: &Path) -> Command {
    let mut command = Command::new("openssl");
    command
        .args(["s_client", "-connect", server.address(), "-verify_return_error", "-CAfile"])
        .arg(authority);
    command.stdin(Stdio::null());
    command
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_spoken_and_nothing_older() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let server = authority.serve(folder.path(), 2090, &[]);
    assert!(server.url.starts_with("https://"), "{}", server.url);
    let trusted = ["-CAfile", authority.file.to_str().unwrap(), "-verify_return_error"];
    for version in ["-tls1_3", "-tls1_2"] {
        let output = openssl(&server, &[&trusted, [version].as_slice()].concat());
        assert!(output.status.success(), "{version}: {}", String::from_utf8_lossy(&output.stderr));
    }
    for version in ["-tls1_1", "-tls1"] {
        // By itself openssl speaks neither any more; with this it asks, and it is the server that refuses.
        let output = openssl(&server, &[version, "-cipher", "DEFAULT:@SECLEVEL=0"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(" alert "), "{version}: {said}");
    }
    let alpn = openssl(&server, &["-alpn", "h2,http/1.1"]);
    assert!(String::from_utf8_lossy(&alpn.stdout).contains("ALPN protocol: http/1.1"));
    let weak = openssl(&server, &["-tls1_2", "-cipher", "AES128-SHA:AES256-SHA:DES-CBC3-SHA"]);
    assert!(!weak.status.success(), "only ciphers with forward secrecy");
    let client = client_trusting(&authority.file);
    assert_eq!(answer(client.get(format!("{}{STATE}", server.url))).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_handshake_that_stops_is_ended_counted_and_logged() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let server = authority.serve(folder.path(), 2090, &[]);
    let mut slow = std::net::TcpStream::connect(server.address()).unwrap();
    // The begin of a ClientHello.
    slow.write_all(b"\x16\x03\x01\x02\x00\x01").unwrap();
    slow.set_read_timeout(Some(LIMIT)).unwrap();
    let ended = slow.read_to_end(&mut Vec::new());
    assert!(ended.is_ok() || ended.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset));
    let client = client_trusting(&authority.file);
    let counted = "client_failover_http_connections_refused_total{reason=\"Handshake\"} 1";
    until("it is counted", async || {
        answer(client.get(format!("{}/metrics", server.url))).await.body.contains(counted)
    })
    .await;
    server.until_log("a TLS handshake took too long").await;
}

#[tokio::test]
async fn a_certificate_that_changes_is_shown_without_a_failed_request() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let server = authority.serve(folder.path(), 2090, &[]);
    let url = format!("{}{STATE}", server.url);
    let (done, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut load = tokio::task::JoinSet::new();
    let (curl, s_client) = (curl(&url, &authority.file), s_client(&server, &authority.file));
    for mut command in [curl, s_client] {
        let (done, asked) = (Arc::clone(&done), Arc::clone(&asked));
        load.spawn_blocking(move || {
            while !done.load(Ordering::Relaxed) {
                let ran = command.output().unwrap();
                assert!(ran.status.success(), "{command:?}: {}", String::from_utf8_lossy(&ran.stderr));
                asked.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    for fresh in [true, false] {
        let (url, done, asked) = (url.clone(), Arc::clone(&done), Arc::clone(&asked));
        let file = authority.file.clone();
        load.spawn(async move {
            let mut client = client_trusting(&file);
            while !done.load(Ordering::Relaxed) {
                if fresh {
                    client = client_trusting(&file);
                }
                assert_eq!(answer(client.get(&url)).await.status, StatusCode::OK);
                asked.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    until("requests are answered", async || asked.load(Ordering::Relaxed) > 10).await;
    authority.issue(2091);
    until("the new one is shown", async || server.log().contains("a new TLS certificate is shown")).await;
    let shown = openssl(&server, &["-showcerts"]);
    let before = asked.load(Ordering::Relaxed);
    until("requests go on", async || asked.load(Ordering::Relaxed) > before + 10).await;
    done.store(true, Ordering::Relaxed);
    while let Some(ended) = load.join_next().await {
        ended.unwrap();
    }
    assert!(String::from_utf8_lossy(&shown.stdout).contains("Jan  1 00:00:00 2091 GMT"));

    // A certificate without its key changes nothing but what is warned about.
    let key = authority.folder.path().join("key.pem");
    let kept = fs::read(&key).unwrap();
    fs::write(&key, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let client = client_trusting(&authority.file);
    let warnings =
        async || answer(client.get(format!("{}{FAILOVER}", server.url))).await.json()["Warnings"].clone();
    until("it is warned about", async || {
        warnings().await[0].as_str().is_some_and(|said| said.contains("is not renewed"))
    })
    .await;
    fs::write(&key, kept).unwrap();
    until("all is well again", async || warnings().await == json!([])).await;
}

#[tokio::test]
async fn a_certificate_that_has_ended_is_said_in_log_and_diagnostics() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let server = authority.serve(folder.path(), 2021, &["--with-endpoint"]);
    drop(crate::support::client());
    let client = reqwest::Client::builder().no_proxy().tls_danger_accept_invalid_certs(true).build().unwrap();
    let shown = answer(client.get(format!("{}{FAILOVER}", server.url))).await.json();
    let warning = shown["Warnings"][0].as_str().unwrap().to_owned();
    assert!(warning.contains("ended at 2021-01-01T00:00:00Z"), "{warning}");
    until("the log says it as an error", async || {
        server.log().lines().any(|line| line.contains("ERROR") && line.contains(&warning))
    })
    .await;
    let groups = format!("{}/api/v1/clientfailover/groups", server.url);
    let body = r#"{"Id": "G", "FailoverTimeout": "00:01:00"}"#;
    answer(client.post(&groups).header("content-type", "application/json").body(body)).await;
    let status = answer(client.get(format!("{groups}/G/status"))).await.json();
    assert_eq!(status["Warnings"][0], json!(warning));
}

/// The day that begins so many days from now.
fn in_days(days: u64) -> (i32, u8, u8) {
    let at = clock::now().wall.plus(Duration::from_secs(days * 86_400)).to_string();
    let mut parts = at.split(['-', 'T']);
    let mut part = || parts.next().unwrap();
    (part().parse().unwrap(), part().parse().unwrap(), part().parse().unwrap())
}

#[tokio::test]
async fn a_certificate_that_ends_within_thirty_days_is_warned_about_and_one_that_ends_later_is_not() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let issued = authority.issue_until(in_days(20));
    let server = Server::serve(folder.path(), &issued.each_ref().map(String::as_str));
    let client = client_trusting(&authority.file);
    let said = async |path: &str| answer(client.get(format!("{}{path}", server.url))).await;
    let warnings = async || said(FAILOVER).await.json()["Warnings"].clone();
    let warning = warnings().await[0].as_str().unwrap().to_owned();
    assert!(warning.contains("ends at"), "{warning}");
    until("the log warns", async || {
        server.log().lines().any(|line| line.contains("WARN") && line.contains(&warning))
    })
    .await;
    let metric = "client_failover_tls_certificate_end_timestamp_seconds";
    let told = said("/metrics").await.body;
    let end = told.lines().find_map(|line| line.strip_prefix(metric)).unwrap_or_else(|| panic!("{told}"));
    let end: f64 = end.rsplit(' ').next().unwrap().parse().unwrap();
    let left = end - clock::now().wall.micros() as f64 / 1e6;
    assert!((19.0..=20.0).contains(&(left / 86_400.0)), "{left} s");
    authority.issue_until(in_days(40));
    until("nothing is warned about any more", async || warnings().await == json!([])).await;
}

#[tokio::test]
async fn a_certificate_of_its_own_is_made_once_and_trusted_by_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::serve(folder.path(), &["--tls-self-signed"]);
    let certificate = folder.path().join("tls-cert.pem");
    let made = fs::read(&certificate).unwrap();
    let printed = Command::new("openssl")
        .args(["x509", "-noout", "-fingerprint", "-sha256", "-in"])
        .arg(&certificate)
        .output()
        .unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    let fingerprint = printed.trim().split('=').next_back().unwrap().to_owned();
    server.until_log(&fingerprint).await;
    let by_name = format!("{}{STATE}", server.url.replace("127.0.0.1", "localhost"));
    let curl = curl(&by_name, &certificate).output().unwrap();
    assert!(curl.status.success(), "{}", String::from_utf8_lossy(&curl.stderr));
    server.terminate();
    let again = Server::serve(folder.path(), &["--tls-self-signed"]);
    assert_eq!(fs::read(&certificate).unwrap(), made);
    again.until_log(&fingerprint).await;
}

#[tokio::test]
async fn a_plant_with_an_authority_of_its_own_is_trusted_by_adapter_and_command_line() {
    let authority = Authority::new();
    let (there, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    add("plc-a", "user", there.path());
    let endpoint = authority.serve(there.path(), 2090, &["--with-endpoint"]);
    let base = format!("{}/api/v1/clientfailover", endpoint.url);
    let mut wanted = configuration(&base, "G", "00:00:01");
    (wanted["UserName"], wanted["Password"]) = (json!("plc-a"), json!(crate::guarded::PASSWORD));
    let ca = authority.file.to_str().unwrap();

    let strange = tempfile::tempdir().unwrap();
    let stranger = Server::serve(strange.path(), &[]);
    stranger.configure(&wanted).await;
    stranger.until_error("the TLS handshake failed").await;

    let adapter = Server::serve(here.path(), &["--ca-file", ca]);
    adapter.configure(&wanted).await;
    adapter.until_role("Primary").await;
    assert_eq!(adapter.diagnostics().await["Warnings"], json!([]), "the certificate is checked");

    let password = here.path().join("password");
    fs::write(&password, crate::guarded::PASSWORD).unwrap();
    let run = |ca: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.args(["groups", "--endpoint", &base, "--user", "plc-a", "--password-file"]);
        command.arg(&password).args(ca).stdin(Stdio::null()).output().unwrap()
    };
    let strange = run(&[]);
    assert_eq!(strange.status.code(), Some(3), "an authority that nobody named is not trusted");
    assert!(String::from_utf8_lossy(&strange.stderr).contains("--ca-file"));
    let listed = run(&["--ca-file", ca]);
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    drop(get(&adapter, None, STATE).await);
}

#[tokio::test]
async fn the_gate_trusts_destinations_by_the_plants_authority() {
    let authority = Authority::new();
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let destination = authority.serve(folders[0].path(), 2090, &[]);
    let body =
        json!({ "Id": "d", "Endpoint": destination.url, "UserName": "u", "Password": "p" }).to_string();
    let ca = authority.file.to_str().unwrap();
    for (folder, arguments, status) in [(&folders[1], &[][..], 502), (&folders[2], &["--ca-file", ca], 200)] {
        let server = Server::serve(folder.path(), arguments);
        let path = "/api/v1/configuration/Egress/DataEndpoints";
        let put = server.send(reqwest::Method::PUT, path, Some(&body)).await;
        assert_eq!(put.status.as_u16(), 204, "{}", put.body);
        crate::support::until("the gate knows its destination", async || {
            server.get("/api/v1/diagnostics/Egress").await.json()[0]["Id"] == "d"
        })
        .await;
        let answer = server.get("/egress/d/healthz").await;
        assert_eq!(answer.status.as_u16(), status, "{arguments:?}: {}", answer.body);
    }
}
