//! The data folder: one server, writable, or a clear refusal.

use std::{
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use client_failover::clock;

use crate::support::{FACET, LIMIT, PROGRAM, Server, mount::Mount};

/// The exit code and standard error of a server that does not start.
pub fn refused_start(data: &Path) -> (Option<i32>, String) {
    let mut child = Command::new(PROGRAM)
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(data)
        .env_remove("CLIENT_FAILOVER_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = clock::now().uptime + LIMIT;
    while child.try_wait().unwrap().is_none() {
        if clock::now().uptime > deadline {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_read_only_data_folder_is_refused_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mount) = Mount::tmpfs(folder.path(), "16m") else { return };
    let used = mount.path.join("used");
    let mut server = Server::serve(&used, &[]);
    assert_eq!(server.terminate().code(), Some(0));
    mount.seal();
    for (data, what) in [(used, "cannot be written"), (mount.path.join("new"), "could not be made")] {
        let (code, said) = refused_start(&data);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(&format!("the data folder {} {what}", data.display())), "{said}");
        assert!(said.contains("Read-only file system"), "{said}");
        assert_eq!(said.lines().count(), 1, "one failure, one line: {said}");
    }
}

#[test]
fn a_data_folder_that_is_a_file_is_refused_at_start() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let (code, said) = refused_start(file.path());
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("could not be made"), "{said}");
}

#[tokio::test]
async fn a_second_server_on_the_same_data_folder_is_refused_and_the_first_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    let linked = folder.path().with_extension("link");
    std::os::unix::fs::symlink(folder.path(), &linked).unwrap();
    for data in [folder.path(), &linked] {
        let (code, said) = refused_start(data);
        assert_eq!(code, Some(1), "{said}");
        let message = format!("another server uses the data folder {}", data.display());
        assert!(said.contains(&message) && said.contains("--data-dir"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    std::fs::remove_file(linked).unwrap();
    assert_eq!(server.get(FACET).await.body, "[]");
}

#[test]
fn what_the_server_makes_is_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("a/data");
    let _server = Server::serve(&data, &[]);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join("key")), 0o600);
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("failover.db");
    let content = "not a database ".repeat(1_000);
    std::fs::write(&database, &content).unwrap();
    let chmod = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    chmod(folder.path(), 0o750);
    let (code, said) = refused_start(folder.path());
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains(&format!("is open to others; run: chmod 700 {}", folder.path().display())),
        "{said}"
    );
    chmod(folder.path(), 0o700);
    chmod(&database, 0o640);
    let (code, said) = refused_start(folder.path());
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&format!("is open to others; run: chmod 600 {}", database.display())), "{said}");
    chmod(&database, 0o600);
    let (code, said) = refused_start(folder.path());
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the store cannot be opened") && said.contains("not a database"), "{said}");
    assert_eq!(std::fs::read_to_string(database).unwrap(), content);
}
