//! Backups: made beside a running server, put back into a stopped one, and believed no more than they should be.

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
};

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    database::{ask, sqlite},
    folder::refused_start,
    support::{FACET, FAILOVER, PROGRAM, Server, ear::Ear, until},
};

/// Runs `backup` or `restore`, with the key in the data folder or at `key`.
fn run(what: &str, file: &Path, data: &Path, key: Option<&Path>) -> Output {
    let mut command = Command::new(PROGRAM);
    command.arg(what).arg(file).arg("--data-dir").arg(data).env_remove("CLIENT_FAILOVER_DATA_DIR");
    command.env_remove("CLIENT_FAILOVER_KEY_FILE");
    command.args(key.iter().flat_map(|key| [Path::new("--key-file"), *key]));
    command.output().unwrap()
}

/// What it says when it is done.
fn done(what: &str, file: &Path, data: &Path) -> String {
    done_with_key(what, file, data, None)
}

/// The same, where the key is perhaps elsewhere.
fn done_with_key(what: &str, file: &Path, data: &Path, key: Option<&Path>) -> String {
    let ran = run(what, file, data, key);
    let (out, err) = (String::from_utf8(ran.stdout).unwrap(), String::from_utf8(ran.stderr).unwrap());
    assert!(ran.status.success(), "{out}{err}");
    out + &err
}

/// What it says when it is refused.
fn refused(what: &str, file: &Path, data: &Path) -> String {
    let ran = run(what, file, data, None);
    let err = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(1), "{err}");
    err
}

/// What the audit trail tells of the database that `action` was done to: who did it, and what to.
fn told(data: &Path, action: &str) -> String {
    let query =
        "select requested_by || ' ' || subject from audit_trail where kind = 'Database' and action = ";
    let told = ask(data, &format!("{query} '{action}'"));
    assert!(told.contains('@') && told.lines().count() == 1, "{told}");
    told
}

fn named(name: &str, endpoint: &str) -> Value {
    json!({
        "Id": "C", "FailoverGroupId": "G", "Mode": "Hot", "Endpoint": endpoint, "UserName": "u", "Password": "p",
        "FailoverTimeout": "00:00:01", "Name": name,
    })
}

async fn name(server: &Server) -> Value {
    server.get(FACET).await.json()[0]["Name"].clone()
}

/// Its session, which it has soon after it was configured.
async fn session(server: &Server) -> String {
    let mut known = None;
    until("it has a session", async || {
        known = server.get(FAILOVER).await.json()["SessionId"].as_str().map(str::to_owned);
        known.is_some()
    })
    .await;
    known.unwrap()
}

/// Everything in a folder, by name.
fn everything(data: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(data)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_beside_a_running_server_becomes_another_adapter_in_another_folder() {
    let (folder, ear) = (tempfile::tempdir().unwrap(), Ear::listen());
    let (data, new, file) = (folder.path().join("a"), folder.path().join("b"), folder.path().join("backup"));
    let server = Server::serve(&data, &[]);
    server.configure(&named("kept", &ear.url)).await;
    let said = done("backup", &file, &data);
    assert!(said.contains("verified") && said.contains(&data.join("key").display().to_string()), "{said}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(sqlite(&file, &[], "select name from client_failover_configuration").unwrap(), "kept");

    assert!(told(&data, "BackedUp").contains(&file.display().to_string()));

    // Without the key everything is there but the secrets, and that is said.
    let said = done("restore", &file, &new);
    assert!(said.contains("WARNING") && said.contains(&new.join("key").display().to_string()), "{said}");
    assert!(said.contains("a new session"), "{said}");
    fs::copy(data.join("key"), new.join("key")).unwrap();
    let wanted = Ear::basic("u", "p");
    let heard = ear.heard().len();
    let restored = Server::serve(&new, &[]);
    assert_eq!(name(&restored).await, "kept");
    assert_ne!(session(&restored).await, session(&server).await, "the first one still runs");
    until("its secret is sent", async || ear.heard()[heard..].contains(&wanted)).await;
}

#[test]
fn whoever_may_log_in_again_after_a_restore_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("a"), folder.path().join("backup"));
    let user = |what: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command
            .arg("user")
            .args(what)
            .arg("--data-dir")
            .arg(&data)
            .stdin(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        // It may have ended without reading.
        child.stdin.take().unwrap().write_all(b"a password\n").ok();
        assert!(child.wait().unwrap().success(), "{what:?}");
    };
    for name in ["chief", "who left"] {
        user(&["add", name, "--role", "administrator"]);
    }
    done("backup", &file, &data);
    user(&["remove", "who left"]);
    let said = done("restore", &file, &data);
    assert!(said.contains("with their passwords of then: chief, who left."), "{said}");
}

#[tokio::test]
async fn a_key_that_is_elsewhere_is_looked_at_and_named_there() {
    let folder = tempfile::tempdir().unwrap();
    let (data, new, file) = (folder.path().join("a"), folder.path().join("b"), folder.path().join("backup"));
    let (key, other) = (folder.path().join("key"), folder.path().join("other"));
    let mut server = Server::serve(&data, &["--key-file", key.to_str().unwrap()]);
    server.configure(&named("kept", "http://localhost:1")).await;
    server.terminate();
    let said = done_with_key("backup", &file, &data, Some(&key));
    assert!(said.contains(&format!("keep a copy of {} elsewhere", key.display())), "{said}");
    let said = done("backup", &folder.path().join("second"), &data);
    assert!(said.contains("keep a copy of it elsewhere"), "a file that is not there is not named: {said}");
    let said = done_with_key("restore", &file, &new, Some(&key));
    assert!(!said.contains("WARNING"), "{said}");
    let said = done_with_key("restore", &file, &new, Some(&other));
    assert!(said.contains("WARNING") && said.contains(&format!("at {}.", other.display())), "{said}");
    assert!(!other.exists() && !new.join("key").exists(), "no key is made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_after_a_crash_takes_the_place_of_what_was_there_and_keeps_the_session() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("a"), folder.path().join("backup"));
    let mut server = Server::serve(&data, &[]);
    server.configure(&named("before", "http://localhost:1")).await;
    done("backup", &file, &data);
    server.configure(&named("after", "http://localhost:1")).await;
    let its_session = session(&server).await;
    let before = everything(&data).len();
    assert!(refused("restore", &file, &data).contains("another server uses the data folder"));
    assert_eq!(everything(&data).len(), before);
    // What was written last is in the write-ahead log alone, which must not be read into the restored database.
    server.kill();
    let said = done("restore", &file, &data);
    assert!(said.contains("keeps the session"), "{said}");
    assert!(said.contains("failover.db.replaced") && !said.contains("WARNING"), "{said}");
    let replaced = data.join("failover.db.replaced");
    assert_eq!(sqlite(&replaced, &[], "select name from client_failover_configuration").unwrap(), "after");
    assert!(told(&data, "Restored").contains(&file.display().to_string()));
    server = Server::serve(&data, &[]);
    assert_eq!(name(&server).await, "before");
    assert_eq!(session(&server).await, its_session);
}

#[tokio::test]
async fn a_damaged_or_foreign_file_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("a"), folder.path().join("backup"));
    let mut server = Server::serve(&data, &[]);
    server.configure(&named("kept", "http://localhost:1")).await;
    done("backup", &file, &data);
    server.terminate();
    let (whole, before) = (fs::read(&file).unwrap(), everything(&data));
    let mut flipped = whole.clone();
    let at = whole.windows(4).position(|window| window == b"kept").unwrap();
    flipped[at] ^= 1;
    let database = fs::read(data.join("failover.db")).unwrap();
    for (content, said) in [
        (flipped, "is damaged"),
        (whole[..whole.len() / 2].to_vec(), "not a backup of client-failover, or its end is missing"),
        (database, "not a backup of client-failover"),
        (Vec::new(), "not a backup of client-failover"),
    ] {
        fs::write(&file, content).unwrap();
        let refusal = refused("restore", &file, &data);
        assert!(refusal.contains(said) && refusal.contains("nothing was touched"), "{refusal}");
        assert_eq!(everything(&data), before);
        let new = folder.path().join("new");
        refused("restore", &file, &new);
        assert!(!new.exists(), "no folder is made for it");
    }
    assert!(refused("restore", &folder.path().join("none"), &data).contains("cannot be read"));
}

#[tokio::test]
async fn a_backup_replaces_nothing_and_leaves_nothing_when_it_cannot_be_made() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("a"), folder.path().join("backup"));
    assert!(refused("backup", &file, &data).contains("there is no database in"));
    assert!(!data.exists());
    let mut server = Server::serve(&data, &[]);
    done("backup", &file, &data);
    let content = fs::read(&file).unwrap();
    assert!(refused("backup", &file, &data).contains("exists already"));
    assert_eq!(fs::read(&file).unwrap(), content);
    assert!(refused("backup", &folder.path().join("no/where"), &data).contains("cannot be written"));
    server.terminate();
    // A stopped server's folder is as good.
    done("backup", &folder.path().join("second"), &data);
    let names: Vec<_> = everything(folder.path().join("a").parent().unwrap().join("a").as_path())
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| name.contains(".new") || name.contains(".restored"))
        .collect();
    assert_eq!(names, Vec::<String>::new());
}

#[tokio::test]
async fn a_newer_database_is_refused_with_what_to_do_and_an_older_backup_takes_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let (data, old, new) = (folder.path().join("a"), folder.path().join("old"), folder.path().join("new"));
    let mut server = Server::serve(&data, &[]);
    server.configure(&named("kept", "http://localhost:1")).await;
    done("backup", &old, &data);
    server.terminate();
    let upgrade = "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
                   values (9999, 'of the future', 1, x'00', 0)";
    ask(&data, upgrade);
    let (code, said) = refused_start(&data);
    assert_eq!(code, Some(1), "{said}");
    let sentence = "written by a newer version of client-failover";
    assert!(
        said.contains(sentence) && said.contains("change 9999") && said.contains("restore a backup"),
        "{said}"
    );
    done("backup", &new, &data);
    let refusal = refused("restore", &new, &folder.path().join("b"));
    assert!(refusal.contains(sentence), "{refusal}");
    assert!(!folder.path().join("b/failover.db").exists());
    done("restore", &old, &data);
    server = Server::serve(&data, &[]);
    assert_eq!(name(&server).await, "kept");
    assert_eq!(server.send(Method::DELETE, FACET, None).await.status.as_u16(), 204);
}

#[test]
fn what_waits_at_the_gate_stays_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("a"), folder.path().join("backup"));
    Server::serve(&data, &[]).terminate();
    done("backup", &file, &data);
    let gate = data.join("egress.db");
    sqlite(&gate, &[], "insert into destination (id, last_sequence) values ('d', 7)").unwrap();
    done("restore", &file, &data);
    assert_eq!(sqlite(&gate, &[], "select last_sequence from destination").unwrap(), "7");
    done("restore", &file, &folder.path().join("b"));
    assert!(!folder.path().join("b/egress.db").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_endpoint_says_for_how_long_it_waits_and_nothing_of_an_adapter() {
    let folder = tempfile::tempdir().unwrap();
    let (data, new, file) = (folder.path().join("e"), folder.path().join("f"), folder.path().join("backup"));
    let endpoint = Server::endpoint(&data, &[]);
    let group = r#"{"Id": "G", "FailoverTimeout": "00:00:20"}"#;
    let made = endpoint.send(reqwest::Method::POST, "/api/v1/clientfailover/groups", Some(group)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    done("backup", &file, &data);
    let said = done("restore", &file, &new);
    assert!(
        said.contains("will wait 00:00:20 for whoever acts already") && !said.contains("adapter"),
        "{said}"
    );
}
