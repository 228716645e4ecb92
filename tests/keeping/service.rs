//! What a service manager hears, at a real socket.

use std::{
    net::TcpStream,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    path::Path,
    process::Command,
};

use crate::support::{LIMIT, PROGRAM, Server, configuration};

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
    assert_eq!(server.terminate().code(), Some(0));
    hear_until(&socket, |said| said == "STOPPING=1");
}

#[test]
fn a_manager_in_the_abstract_namespace_is_heard_and_one_that_is_gone_holds_nothing_up() {
    let folder = tempfile::tempdir().unwrap();
    let hidden = format!("client-failover-test-{}", std::process::id());
    let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&hidden).unwrap()).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    let mut server = start("endpoint", &format!("@{hidden}"), &folder.path().join("a"), &[]);
    assert_eq!(hear(&socket), "READY=1");
    hear_until(&socket, |said| said == "WATCHDOG=1");
    assert_eq!(server.terminate().code(), Some(0));
    let gone = folder.path().join("gone");
    drop(bind(&gone));
    let mut server = start("endpoint", gone.to_str().unwrap(), &folder.path().join("a"), &[]);
    assert_eq!(server.terminate().code(), Some(0));
    assert!(server.log().contains("the service manager's socket cannot be used"), "{}", server.log());
}
