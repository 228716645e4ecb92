//! A server that can be reached from the network is protected, or does not start.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use serde_json::json;

use crate::{
    guarded::{add, get},
    support::{FAILOVER, PROGRAM, Server, until},
};

/// What a server says that does not start.
fn refused(half: &str, arguments: &[&str], data: &Path) -> String {
    let mut command = Command::new(PROGRAM);
    command.arg(half).args(arguments).arg("--data-dir").arg(data).env_remove("CLIENT_FAILOVER_LOG");
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// An address of the network, on a port that is taken: whoever opens a socket there fails otherwise.
fn taken() -> (std::net::TcpListener, String) {
    let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

#[test]
fn a_server_on_the_network_needs_tls_and_a_login_before_it_opens_a_socket() {
    let (_listener, address) = taken();
    for half in ["serve", "endpoint"] {
        let folder = tempfile::tempdir().unwrap();
        let said = refused(half, &["--listen", &address], folder.path());
        for named in ["TLS (--tls-cert", "--tls-self-signed", "user add", "--insecure", "both are missing"] {
            assert!(said.contains(named), "{named}: {said}");
        }
        assert_eq!(said.lines().count(), 1, "{said}");
        let said = refused(half, &["--listen", &address, "--tls-self-signed"], folder.path());
        assert!(said.contains("a login is missing"), "{said}");
        add("a", "user", folder.path());
        let said = refused(half, &["--listen", &address], folder.path());
        assert!(said.contains("TLS is missing"), "{said}");
        let said = refused(half, &["--listen", &address, "--tls-self-signed"], folder.path());
        assert!(said.contains("cannot listen on"), "now it opens a socket: {said}");
        let said = refused(half, &["--listen", &address, "--insecure"], folder.path());
        assert!(said.contains("cannot listen on"), "{said}");
    }
}

#[tokio::test]
async fn insecure_is_allowed_and_warned_about_for_as_long_as_it_lasts() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start("serve", "0.0.0.0:0", folder.path(), &["--insecure"]);
    server.url = server.url.replace("0.0.0.0", "127.0.0.1");
    let warned = async |wanted: &str| {
        let warnings = get(&server, Some("a"), FAILOVER).await.json()["Warnings"].clone();
        warnings[0].as_str().is_some_and(|said| said.contains(wanted) && said.contains("--insecure"))
    };
    assert!(warned("without TLS and without a login").await);
    until("the log warns", async || server.log().contains("without TLS and without a login")).await;
    add("a", "user", folder.path());
    until("the login is there", async || warned("without TLS: passwords").await).await;
}

#[tokio::test]
async fn on_loopback_nothing_is_needed_and_nothing_is_warned_about() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    assert_eq!(get(&server, None, FAILOVER).await.json()["Warnings"], json!([]));
}
