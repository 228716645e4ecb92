//! The end: in order, within 10 s, whatever hangs.

use std::{io::Write, net::TcpListener, net::TcpStream, time::Duration};

use client_failover::clock;
use rustix::process::Signal;
use serde_json::json;

use crate::support::{FAILOVER, Server, until};

const LONGEST: Duration = Duration::from_secs(10);

async fn ends(mut server: Server, signal: Signal, what: &str) {
    let begun = clock::now().uptime;
    server.signal(signal);
    let status = tokio::task::block_in_place(|| server.wait());
    let took = clock::now().uptime.since(begun);
    assert_eq!(status.code(), Some(0), "{what}, {signal:?}: {}", server.log());
    assert!(took < LONGEST, "{what}, {signal:?} took {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_server_ends_in_order_on_sigterm_and_ctrl_c() {
    for signal in [Signal::TERM, Signal::INT] {
        let folder = tempfile::tempdir().unwrap();
        ends(Server::serve(folder.path(), &[]), signal, "idle").await;
        // SQLite removes the empty log, or leaves it.
        let length = std::fs::metadata(folder.path().join("failover.db-wal")).map_or(0, |log| log.len());
        assert_eq!(length, 0, "the write-ahead log is folded into the database");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_endpoint_hangs_ends_in_order_on_sigterm_and_ctrl_c() {
    // Connections are accepted by the kernel, and nobody ever answers on them.
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", hanging.local_addr().unwrap());
    for signal in [Signal::TERM, Signal::INT] {
        for timeout in ["00:00:01", "01:00:00"] {
            let folder = tempfile::tempdir().unwrap();
            let server = Server::serve(folder.path(), &[]);
            let configuration = json!({
                "FailoverGroupId": "G", "Mode": "Hot", "Endpoint": endpoint, "FailoverTimeout": timeout,
            });
            server.configure(&configuration).await;
            until("it registers", async || server.get(FAILOVER).await.json()["Reason"] == "Registering")
                .await;
            ends(server, signal, timeout).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_requests_that_never_end_ends_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    let mut half_sent = TcpStream::connect(server.address()).unwrap();
    half_sent
        .write_all(b"PUT /api/v1/configuration/System/ClientFailover HTTP/1.1\r\nHost: localhost\r\n")
        .unwrap();
    let mut without_body = TcpStream::connect(server.address()).unwrap();
    without_body
        .write_all(
            b"PUT /api/v1/configuration/System/ClientFailover HTTP/1.1\r\nHost: localhost\r\n\
              Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
        )
        .unwrap();
    let _silent = TcpStream::connect(server.address()).unwrap();
    // A kept-alive connection that is idle.
    server.get(FAILOVER).await;
    ends(server, Signal::TERM, "half-sent requests").await;
}
