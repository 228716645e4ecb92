//! Another key: whatever ends the rotation, everything can be read afterwards.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Command, Output},
    thread,
};

use client_failover::{
    clock,
    domain::{Credentials, OpenAccess},
    store::{DataFolder, KeyPlace, Store},
};
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde_json::json;
use tempfile::TempDir;

use crate::{
    database::{ask, sqlite},
    support::{FACET, FAILOVER, PROGRAM, Server},
};

/// How many secrets there are beside the one in the configuration.
const MORE: usize = 20;

/// How often a rotation is killed at some moment.
const KILLS: u32 = 100;

/// Every call by which a rotation could change what is on the disk.
const WRITES: [&str; 7] = ["write", "pwrite64", "ftruncate", "fsync", "fdatasync", "rename", "unlink"];

/// A data folder in which everything that can be sealed is sealed.
async fn sealed(more: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::serve(folder.path(), more);
    for number in 0..MORE {
        let (id, body) = (format!("s{number}"), json!({ "Value": format!("stored {number}") }));
        put(&server, &format!("/api/v1/management/secrets/{id}"), &body).await;
    }
    let destination = |number: usize| {
        let password = if number == 0 { "inline".to_owned() } else { format!("{{{{s{number}}}}}") };
        json!({ "Id": format!("d{number}"), "Endpoint": format!("http://127.0.0.1:9/{number}"), "UserName": "u", "Password": password })
    };
    let all: Vec<_> = (0..MORE).map(destination).collect();
    put(&server, "/api/v1/configuration/Egress/DataEndpoints", &json!(all)).await;
    let configuration = json!({
        "FailoverGroupId": "G", "Mode": "None", "Endpoint": "http://127.0.0.1:9", "ClientId": "c", "ClientSecret": "configured",
    });
    put(&server, FACET, &configuration).await;
    server.terminate();
    folder
}

async fn put(server: &Server, path: &str, body: &serde_json::Value) {
    let answer = server.send(Method::PUT, path, Some(&body.to_string())).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.body);
}

fn rotation(folder: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["key", "rotate", "--data-dir"]).arg(folder).env_remove("CLIENT_FAILOVER_KEY_FILE");
    command
}

fn rotate(folder: &Path) -> Output {
    rotation(folder).output().unwrap()
}

fn secret(access: &Result<OpenAccess, String>) -> String {
    match access.as_ref().unwrap().credentials().unwrap() {
        Credentials::Basic { password: secret, .. } | Credentials::Client { secret, .. } => {
            secret.expose_secret().to_owned()
        }
    }
}

/// Everything that was sealed is read, and there is one key.
async fn assert_readable(folder: &Path, key: Option<PathBuf>) {
    let held = DataFolder::hold(folder).unwrap();
    let place = key.clone().map_or(KeyPlace::Folder, KeyPlace::File);
    let store = Store::open(held.with_key(place)).await.unwrap();
    assert_eq!(secret(&store.configuration().await.unwrap().unwrap().access), "configured");
    let destinations = store.data_endpoints().await.unwrap();
    let read: Vec<_> = destinations.iter().map(|one| secret(&one.access)).collect();
    let expected =
        std::iter::once("inline".to_owned()).chain((1..MORE).map(|number| format!("stored {number}")));
    assert_eq!(read, expected.collect::<Vec<_>>());
    store.close().await;
    let key = key.unwrap_or_else(|| folder.join("key"));
    let content = fs::read_to_string(&key).unwrap();
    assert_eq!(content.lines().count(), 1, "what was begun is ended at the next start");
    assert_eq!(fs::metadata(&key).unwrap().mode() & 0o777, 0o600);
}

fn sealed_values(folder: &Path) -> Vec<String> {
    let query = "select hex(client_secret) from client_failover_configuration union all
                 select hex(password) from egress_data_endpoint union all select hex(value) from secret";
    ask(folder, query).lines().map(str::to_owned).collect()
}

/// The key file, and how often the audit trail tells that the key was rotated.
fn key_and_times(folder: &Path) -> (String, u32) {
    let told = ask(folder, "select count(*) from audit where action = 'Rotated' and requested_by like '%@%'");
    (fs::read_to_string(folder.join("key")).unwrap(), told.parse().unwrap())
}

#[tokio::test]
async fn everything_is_sealed_anew_and_nothing_of_the_old_seals_is_left() {
    let folder = sealed(&[]).await;
    let (old_key, old) =
        (fs::read_to_string(folder.path().join("key")).unwrap(), sealed_values(folder.path()));
    assert_eq!(old.len(), 1 + 2 * MORE);
    let done = rotate(folder.path());
    assert!(done.status.success(), "{done:?}");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(said.contains("sealed with it: 41"), "{said}");
    let copy = format!("Copy {} to where you keep a copy", folder.path().join("key").display());
    assert!(said.contains(&copy) && said.contains("The old key is removed"), "{said}");
    let new = sealed_values(folder.path());
    assert!(new.iter().all(|value| !old.contains(value)));
    assert_ne!(fs::read_to_string(folder.path().join("key")).unwrap(), old_key);
    for entry in fs::read_dir(folder.path()).unwrap() {
        let (path, content) = entry.map(|entry| (entry.path(), fs::read(entry.path()).unwrap())).unwrap();
        let content: String = content.iter().map(|byte| format!("{byte:02X}")).collect();
        for value in &old {
            assert!(!content.contains(value), "{} has what the old key opens", path.display());
        }
    }
    assert_readable(folder.path(), None).await;
    let server = Server::serve(folder.path(), &[]);
    assert_eq!(server.get("/readyz").await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_a_rotation_that_was_killed_left_beside_the_key_goes_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let open = async || Store::open(DataFolder::hold(folder.path()).unwrap()).await.unwrap();
    open().await.close().await;
    let (key, left) = (folder.path().join("key"), folder.path().join("key.new"));
    fs::copy(&key, &left).unwrap();
    open().await.close().await;
    assert!(key.exists() && !left.exists(), "it has the key");
}

#[tokio::test]
async fn a_rotation_that_is_killed_at_any_moment_loses_nothing() {
    let folder = sealed(&[]).await;
    let begun = clock::now().uptime;
    assert!(rotate(folder.path()).status.success());
    let mut whole = clock::now().uptime.since(begun);
    let mut killed = 0;
    for kill in 0..KILLS {
        let before = key_and_times(folder.path());
        let mut running = rotation(folder.path()).spawn().unwrap();
        let moment = whole * kill / KILLS;
        thread::sleep(moment);
        if running.try_wait().unwrap().is_none() {
            killed += 1;
        } else {
            // It takes no longer than this; the first may have been slow.
            whole = moment;
        }
        running.kill().unwrap();
        running.wait().unwrap();
        assert_readable(folder.path(), None).await;
        let (key, times) = key_and_times(folder.path());
        let told = times - before.1;
        assert_eq!(told, u32::from(key != before.0), "each other key is told once, and nothing else");
    }
    assert!(killed > KILLS / 2, "{killed}");
}

#[tokio::test]
async fn a_rotation_that_is_killed_before_any_of_its_writes_loses_nothing() {
    let folder = sealed(&[]).await;
    let mut kills = 0;
    for write in WRITES {
        // Each of the first ones, then some of the many that SQLite makes alike.
        let mut step = 1;
        while !ends_before(write, step, folder.path()) {
            assert_readable(folder.path(), None).await;
            (step, kills) = (step + 1 + step / 8, kills + 1);
        }
        assert_readable(folder.path(), None).await;
    }
    assert!(kills > 20, "{kills}");
}

/// Whether a rotation comes to its end before its call number `step` of `write`, before which it is killed.
fn ends_before(write: &str, step: u32, folder: &Path) -> bool {
    let traced = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={write}"), "-e"])
        .arg(format!("inject={write}:signal=SIGKILL:when={step}"))
        .args([PROGRAM, "key", "rotate", "--data-dir"])
        .arg(folder)
        .output()
        .expect("strace runs; scripts/test installs it");
    traced.status.success()
}

#[tokio::test]
async fn a_running_server_keeps_its_key() {
    let folder = sealed(&[]).await;
    let key = fs::read_to_string(folder.path().join("key")).unwrap();
    let mut server = Server::serve(folder.path(), &[]);
    let refused = rotate(folder.path());
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("stop it, rotate the key, and start it again"), "{said}");
    assert_eq!(fs::read_to_string(folder.path().join("key")).unwrap(), key);
    server.terminate();
    let nowhere = rotate(&folder.path().join("nowhere"));
    assert_eq!(nowhere.status.code(), Some(1), "{nowhere:?}");
    assert!(!folder.path().join("nowhere").exists(), "no folder is made by the way");
}

#[tokio::test]
async fn what_cannot_be_opened_is_not_sealed_anew() {
    let folder = sealed(&[]).await;
    let key = folder.path().join("key");
    let (content, old) = (fs::read_to_string(&key).unwrap(), sealed_values(folder.path()));
    fs::remove_file(&key).unwrap();
    assert_eq!(rotate(folder.path()).status.code(), Some(1));
    assert_eq!(sealed_values(folder.path()), old);
    fs::write(&key, content).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    sqlite(&folder.path().join("failover.db"), &[], "update secret set value = x'0102' where folded = 's3'")
        .unwrap();
    let changed = sealed_values(folder.path());
    let refused = rotate(folder.path());
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("the secret s3 is damaged"), "{refused:?}");
    assert_eq!(sealed_values(folder.path()), changed, "all or nothing");
}

#[tokio::test]
async fn the_key_may_be_elsewhere_or_a_credential_of_the_service() {
    let outside = tempfile::tempdir().unwrap();
    let key = outside.path().join("client-failover.key");
    let named = key.to_str().unwrap();
    let folder = sealed(&["--key-file", named]).await;
    assert!(!folder.path().join("key").exists());
    let done = rotation(folder.path()).args(["--key-file", named]).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    assert_readable(folder.path(), Some(key.clone())).await;

    fs::set_permissions(&key, fs::Permissions::from_mode(0o440)).unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder.path());
    command.env("CREDENTIALS_DIRECTORY", outside.path());
    let server = Server::from_command(command, folder.path());
    assert_eq!(server.get("/readyz").await.status, StatusCode::OK);
    assert_eq!(server.get(FAILOVER).await.json()["Warnings"], json!([]));
    assert!(!folder.path().join("key").exists());
}
