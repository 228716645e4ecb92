//! `client-failover check`: what it finds, what it says to do, and how it ends.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt, path::Path, process::Command};

use serde_json::json;

use crate::support::{PROGRAM, Server, configuration, port::Port, until};

/// What `check` says, with its exit code.
fn check(half: &str, data: &Path, more: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(PROGRAM);
    command.args(["check", half, "--data-dir"]).arg(data).args(more);
    for name in ["CONFIG", "LISTEN", "DATA_DIR", "LOG"] {
        command.env_remove(format!("CLIENT_FAILOVER_{name}"));
    }
    let ran = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (ran.status.code(), text(ran.stdout) + &text(ran.stderr))
}

/// The line about `subject`, and the one that follows it.
fn about<'a>(said: &'a str, subject: &str) -> (&'a str, &'a str) {
    let lines: Vec<_> = said.lines().collect();
    let at = lines.iter().position(|line| line.get(9..).is_some_and(|rest| rest.starts_with(subject)));
    let at = at.unwrap_or_else(|| panic!("nothing about {subject}: {said}"));
    (lines[at], lines.get(at + 1).copied().unwrap_or_default())
}

fn found(said: &str, subject: &str, grade: &str, what: &str, remedy: &str) {
    let (line, next) = about(said, subject);
    assert!(line.starts_with(grade) && line.contains(what), "{line}\n{said}");
    assert!(next.contains(remedy), "{next}\n{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_works_is_good_before_the_first_start_beside_a_server_and_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let (data, hosted) = (folder.path().join("a"), folder.path().join("e"));
    let port = Port::hold();
    let listen = port.address.to_string();
    for half in ["serve", "endpoint"] {
        let (code, said) = check(half, &data, &["--listen", &listen]);
        assert_eq!(code, Some(0), "{said}");
        found(&said, "folder", "ok", "the first start makes it", "");
        assert!(!data.exists(), "nothing is made");
    }
    let endpoint = Server::endpoint(&hosted, &[]);
    let mut server = Server::serve(&data, &[]);
    let base = format!("{}/api/v1/clientfailover", endpoint.url);
    let mut wanted = configuration(&base, "Line 1", "00:00:05");
    wanted["UserName"] = json!("u");
    wanted["Password"] = json!("p");
    server.configure(&wanted).await;
    server.until_role("Primary").await;
    for stopped in [false, true] {
        if stopped {
            server.terminate();
        }
        let (code, said) = check("serve", &data, &["--listen", &listen]);
        assert_eq!(code, Some(0), "{said}");
        found(&said, "folder", "ok", if stopped { "no server uses it" } else { "a server uses it" }, "");
        found(&said, "key", "ok", "opens all 1 sealed", "");
        found(&said, "database", "ok", "whole", "");
        found(&said, "boot clock", "", "", "");
        found(&said, "wall clock", "", "Z", "");
        found(&said, "endpoint", "ok", "it has the group", "");
        found(&said, "login", "ok", "there is no user", "");
        let (code, said) = check("endpoint", &hosted, &["--listen", endpoint.address()]);
        assert_eq!(code, Some(0), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_is_named_with_what_to_do_and_the_check_fails() {
    let folder = tempfile::tempdir().unwrap();
    let (data, hosted) = (folder.path().join("a"), folder.path().join("e"));
    let mut endpoint = Server::endpoint(&hosted, &[]);
    let mut server = Server::serve(&data, &[]);
    let port = Port::hold();
    let listen = port.address.to_string();
    let base = format!("{}/api/v1/clientfailover", endpoint.url);
    let mut wanted = configuration(&base, "Line 1", "00:00:01");
    wanted["UserName"] = json!("u");
    wanted["Password"] = json!("wrong password");
    server.configure(&wanted).await;
    let faulty_at = |listen: &str, more: &[&str]| {
        let (code, said) = check("serve", &data, &[&["--listen", listen], more].concat());
        assert_eq!(code, Some(1), "{said}");
        said
    };
    let faulty = |more: &[&str]| faulty_at(&listen, more);
    let added = Command::new("sh")
        .args(["-c", "echo a long password | \"$0\" user add u --role user --data-dir \"$1\"", PROGRAM])
        .arg(&hosted)
        .status();
    assert!(added.unwrap().success());
    until("the endpoint asks for a login", async || {
        endpoint.get("/api/v1/clientfailover/groups").await.status == 401
    })
    .await;
    found(&faulty(&[]), "endpoint", "FAULT", "401", "user add or passwd");
    endpoint.terminate();
    found(&faulty(&[]), "endpoint", "FAULT", "could not be reached", "start the failover endpoint");
    wanted["Endpoint"] = json!(format!("{}/nowhere", server.url));
    server.configure(&wanted).await;
    found(&faulty(&[]), "endpoint", "FAULT", "404", "/api/v1/clientfailover");

    found(&faulty(&["--ca-file", "/nowhere"]), "authorities", "FAULT", "/nowhere", "--ca-file");
    let networked = faulty_at("0.0.0.0:1", &[]);
    found(&networked, "login", "FAULT", "both are missing", "docs/security.md");
    server.terminate();
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    found(&faulty_at(&taken, &[]), "address", "FAULT", "cannot be listened on", "choose with --listen");
    drop(holder);

    fs::rename(data.join("key"), data.join("lost")).unwrap();
    found(&faulty(&[]), "key", "FAULT", "cannot be read", &data.join("key").display().to_string());
    fs::rename(data.join("lost"), data.join("key")).unwrap();
    let chmod = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    chmod(&data, 0o755);
    found(&faulty(&[]), "folder", "FAULT", "chmod 700", "run that command");
    chmod(&data, 0o700);
    let database = data.join("failover.db");
    let mut content = fs::read(&database).unwrap();
    // The middle of it: whatever is there, it fits no more.
    let middle = content.len() / 2 / 4096 * 4096;
    content[middle..middle + 4096].fill(0xaa);
    fs::write(&database, content).unwrap();
    found(&faulty(&[]), "database", "FAULT", "", "restore a backup");
}
