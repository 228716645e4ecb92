//! What a service manager hears, at a real socket.

use std::{
    net::TcpStream,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    path::Path,
    process::Command,
    thread,
    time::Duration,
};

use client_failover::{
    domain::EndpointLoss,
    registration::{Obedience, Registration},
    service::Rounds,
    store::{DataFolder, Store},
};
use tokio::task::{JoinSet, block_in_place};
use tokio_util::sync::CancellationToken;

use crate::support::{LIMIT, PROGRAM, Server, configuration, until};

/// A half that a manager at `name` has started, whose patience is a second.
fn start(half: &str, name: &str, data: &Path, more: &[&str]) -> Server {
    let mut command = Command::new(PROGRAM);
    command.args([half, "--listen", "127.0.0.1:0", "--data-dir"]).arg(data).args(more);
    command.env("NOTIFY_SOCKET", name).env("WATCHDOG_USEC", "1000000").env_remove("WATCHDOG_PID");
    Server::from_command(command, data)
}

/// The next thing that is said.
fn hear(socket: &UnixDatagram) -> String {
    let mut said = [0; 1_024];
    let length = socket.recv(&mut said).unwrap();
    String::from_utf8(said[..length].to_vec()).unwrap()
}

/// Hears until `what` was said.
fn hear_until(socket: &UnixDatagram, what: impl Fn(&str) -> bool) -> String {
    (0..1_000).map(|_| hear(socket)).find(|said| what(said)).unwrap()
}

/// The loops of a server that its watchdog waits for.
fn watched(server: &Server) -> String {
    let log = server.log();
    let (_, loops) = log.split_once("the service manager is told that they go round loops=").unwrap();
    loops.lines().next().unwrap().to_owned()
}

fn bind(name: &Path) -> UnixDatagram {
    let socket = UnixDatagram::bind(name).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    socket
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_hears_ready_role_life_and_end() {
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().join("notify");
    let socket = bind(&name);
    let mut server =
        start("serve", name.to_str().unwrap(), &folder.path().join("data"), &["--with-endpoint"]);
    assert_eq!(hear(&socket), "READY=1");
    TcpStream::connect(server.address()).unwrap();
    hear_until(&socket, |said| said == "STATUS=client failover is not configured; 0 groups");
    let base = format!("{}/api/v1/clientfailover", server.url);
    server.configure(&configuration(&base, "Line 1", "00:00:01")).await;
    hear_until(&socket, |said| {
        said.starts_with("STATUS=Primary in Line 1, epoch ") && said.ends_with("; 1 group")
    });
    // Its registration and both loops of its endpoint go round: it is fed again and again.
    for _ in 0..5 {
        hear_until(&socket, |said| said == "WATCHDOG=1");
    }
    assert_eq!(watched(&server), r#"["registration", "housekeeping", "attention"]"#);
    assert_eq!(server.terminate().code(), Some(0));
    hear_until(&socket, |said| said == "STOPPING=1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_in_the_abstract_namespace_is_heard_and_one_that_is_gone_holds_nothing_up() {
    let folder = tempfile::tempdir().unwrap();
    let hidden = format!("client-failover-test-{}", std::process::id());
    let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&hidden).unwrap()).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    let mut server = start("endpoint", &format!("@{hidden}"), &folder.path().join("a"), &[]);
    assert_eq!(hear(&socket), "READY=1");
    hear_until(&socket, |said| said == "WATCHDOG=1");
    assert_eq!(watched(&server), r#"["housekeeping", "attention"]"#);
    assert_eq!(server.terminate().code(), Some(0));
    let gone = folder.path().join("gone");
    drop(bind(&gone));
    let mut server = start("endpoint", gone.to_str().unwrap(), &folder.path().join("a"), &[]);
    assert_eq!(server.terminate().code(), Some(0));
    server.until_log("the service manager's socket cannot be used").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_whose_loop_hangs_is_missed_until_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(DataFolder::hold(folder.path()).unwrap()).await.unwrap();
    let (rounds, stop, mut loops) = (Rounds::default(), CancellationToken::new(), JoinSet::new());
    let pulse = rounds.watch("registration");
    let obedience = Obedience::of_nobody();
    let registration = Registration::new(store, EndpointLoss::Auto, obedience, pulse).await.unwrap();
    let standing = registration.standing();
    let missing = block_in_place(|| {
        // Where somebody reads it for ever, it cannot be published.
        let _read = standing.borrow();
        loops.spawn(registration.run(stop.clone()));
        // It may begin the round that it is asked for, and hangs in that.
        for _ in 0..2 {
            rounds.ask();
            // By then, a loop that goes round has done so.
            thread::sleep(Duration::from_secs(1));
        }
        rounds.missing()
    });
    assert_eq!(missing, ["registration"]);
    for _ in 0..3 {
        until("it goes on", async || rounds.missing().is_empty()).await;
        rounds.ask();
    }
    stop.cancel();
    loops.join_next().await.unwrap().unwrap().unwrap();
}
