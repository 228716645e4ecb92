//! Takes the documents of both halves at their word: schemathesis makes up requests that are right and wrong by them,
//! and holds the answers to them.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
};

use crate::support::Server;

/// Tells this test that it is where nothing can leave the machine.
const INSIDE: &str = "CLIENT_FAILOVER_TEST_INSIDE";

const NAME: &str = "word::both_halves_do_what_their_documents_say";

/// What can be cut off from every network: as root, or as a user who may be root of his own.
const ALONE: [&[&str]; 2] = [&["--net"], &["--map-root-user", "--net"]];

/// How long one half may take, in seconds, on a machine that is busy with other tests.
const LIMIT_S: &str = "1800";

fn cut_off(how: &[&str], command: &[&str]) -> Command {
    let mut unshare = Command::new("unshare");
    unshare.args(how).args(command);
    unshare
}

#[test]
fn both_halves_do_what_their_documents_say() {
    if env::var_os(INSIDE).is_some() {
        return inside();
    }
    // Requests name servers that an adapter then asks: none of them may be reached.
    let able = ALONE.into_iter().find(|how| {
        let tried = cut_off(how, &["ip", "link", "set", "lo", "up"]).stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success())
    });
    let Some(how) = able else {
        eprintln!("SKIPPED, NOT PROVEN: a network namespace needs root or user namespaces, and iproute2");
        return;
    };
    let myself = env::current_exe().unwrap();
    let mut run = cut_off(how, &[myself.to_str().unwrap(), "--exact", NAME, "--nocapture"]);
    assert!(run.env(INSIDE, "1").status().unwrap().success());
}

fn inside() {
    assert!(Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap().success());
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [of_both, of_endpoint] = folders.each_ref().map(|folder| folder.path());
    let both = Server::serve(&of_both.join("data"), &["--with-endpoint"]);
    let endpoint = Server::endpoint(&of_endpoint.join("data"), &[]);
    thread::scope(|scope| {
        scope.spawn(|| hold(&both, of_both));
        scope.spawn(|| hold(&endpoint, of_endpoint));
    });
}

/// Holds a server to what its document says.
fn hold(server: &Server, scratch: &Path) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openapi");
    let mut examples = Command::new(installed("python"));
    must(examples.arg(here.join("examples.py")).arg(&server.url));
    let mut made_up = Command::new("timeout");
    made_up
        .arg(LIMIT_S)
        .arg(installed("schemathesis"))
        .arg("--config-file")
        .arg(here.join("schemathesis.toml"));
    made_up.args(["run", &format!("{}/api/openapi.json", server.url)]);
    made_up.env("PYTHONPATH", here).env("PYTHONDONTWRITEBYTECODE", "1").current_dir(scratch);
    must(&mut made_up);
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

/// A program that scripts/test-python-setup has installed.
fn installed(program: &str) -> PathBuf {
    let there = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/python/bin").join(program);
    assert!(there.exists(), "{program} is not installed: run scripts/test-python-setup first");
    there
}

/// Runs it, and fails with what it said unless it went well.
fn must(command: &mut Command) {
    let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{said}");
    println!("{said}");
}
