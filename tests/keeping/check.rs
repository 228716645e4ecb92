//! `client-failover check`: what it finds, what it says to do, and how it ends.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt, path::Path, process::Command};

use serde_json::json;

use crate::support::{
    PROGRAM, Server, configuration,
    mount::{Mount, fill},
    port::Port,
    scripted, until,
};

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
        // How both clocks run is the machine's; that they are looked at is ours.
        found(&said, "boot clock", "", "the wall clock", "");
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
    found(&faulty(&[]), "endpoint", "FAULT", "could not be reached", "See to it that the endpoint runs");
    wanted["Endpoint"] = json!(format!("{}/nowhere", server.url));
    server.configure(&wanted).await;
    found(&faulty(&[]), "endpoint", "FAULT", "404", "/api/v1/clientfailover");

    let called = scripted::Endpoint::stock().await;
    let stranger = json!({ "Error": "E.", "Reason": "It calls it \"e\".", "Resolution": "Start it with --allow-host e." });
    called.answer(scripted::Call::ReadGroup, scripted::Reply::Json(403, stranger));
    wanted["Endpoint"] = json!(called.base());
    server.configure(&wanted).await;
    found(&faulty(&[]), "endpoint", "FAULT", "403", "Start it with --allow-host e");

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

#[tokio::test(flavor = "multi_thread")]
async fn a_data_endpoint_is_good_only_while_it_takes_connections() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    let destination = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", destination.local_addr().unwrap());
    let body = json!([{ "Id": "historian", "Endpoint": url }]).to_string();
    let put =
        server.send(reqwest::Method::PUT, "/api/v1/configuration/Egress/DataEndpoints", Some(&body)).await;
    assert_eq!(put.status, 204, "{}", put.body);
    let (code, said) = check("serve", folder.path(), &["--listen", server.address()]);
    assert_eq!(code, Some(0), "{said}");
    found(&said, "destination", "ok", &format!("historian: {url} takes connections"), "");
    found(&said, "address", "ok", "is not tried: the server that runs listens there", "");
    drop(destination);
    let (code, said) = check("serve", folder.path(), &["--listen", server.address()]);
    assert_eq!(code, Some(1), "{said}");
    found(&said, "destination", "FAULT", &format!("{url} takes no connection: "), "see to it that it runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_run_for_a_collector_is_looked_at_and_never_run() {
    let folder = tempfile::tempdir().unwrap();
    let ran = folder.path().join("ran");
    let script = folder.path().join("script");
    fs::write(&script, format!("#!/bin/sh\ntouch {}\n", ran.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let server = scripted::Endpoint::stock().await;
    let settings = folder.path().join("settings.toml");
    let port = Port::hold();
    let listen = port.address.to_string();
    let looked = |text: &str| {
        fs::write(&settings, text).unwrap();
        let more = ["--listen", &listen, "--config", settings.to_str().unwrap()];
        check("serve", &folder.path().join("data"), &more)
    };
    let (code, said) = looked(&format!(
        "order.hook = [\"{0}\"]\n[collector]\ncommand = [\"{0}\"]\nworking_dir = \"/\"\n\
         [[probe]]\nid = \"a\"\ncommand = [\"{0}\"]\n[[probe]]\nid = \"b\"\nurl = \"{1}\"\n",
        script.display(),
        server.base()
    ));
    assert_eq!(code, Some(0), "{said}");
    for subject in ["collector", "hook", "probe"] {
        found(&said, subject, "ok", script.to_str().unwrap(), "");
    }
    assert!(said.contains(&format!("ok       probe        b: {} is good", server.base())), "{said}");
    assert!(!ran.exists(), "nothing is run");
    let (code, said) = looked(
        "order.hook = [\"/nowhere/hook\"]\n[collector]\ncommand = [\"no-such-program\"]\n\
         working_dir = \"/nowhere\"\nuser = \"no-such-user\"\n[[probe]]\nid = \"a\"\n\
         url = \"http://127.0.0.1:1/\"\n",
    );
    assert_eq!(code, Some(1), "{said}");
    for what in ["/nowhere, its working_dir", "no user no-such-user", "no program no-such-program in PATH"] {
        found(&said, "collector", "FAULT", what, "[collector]");
    }
    found(&said, "hook", "FAULT", "there is no file /nowhere/hook", "order.hook");
    found(&said, "probe", "WARNING", "http://127.0.0.1:1/ cannot be asked", "mend that, or its url");
}

#[test]
fn a_certificate_is_shown_with_its_names_and_its_end_and_a_name_that_it_has_not_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let looked = |more: &[&str]| {
        check("endpoint", &data, &[&["--tls-self-signed", "--listen", "0.0.0.0:0"], more].concat()).1
    };
    let nameless = looked(&[]);
    found(&nameless, "certificate", "ok", "it is made at the next start, for localhost, 127.0.0.1", "");
    found(&nameless, "names", "WARNING", "nobody on the network can call it", "--allow-host");
    let named = looked(&["--allow-host", "ep.plant.example"]);
    found(&named, "certificate", "ok", "ep.plant.example", "");
    assert!(!named.contains("WARNING  names"), "{named}");
    let more = ["--tls-self-signed", "--allow-host", "ep.plant.example"];
    drop(Server::endpoint(&data, &more));
    let made = looked(&["--allow-host", "ep.plant.example"]);
    found(&made, "certificate", "ok", "localhost", "");
    let (line, _) = about(&made, "certificate");
    assert!(line.contains("ep.plant.example; it ends at 20") && line.contains("SHA-256 "), "{line}");
    let other = looked(&["--allow-host", "other.example"]);
    found(
        &other,
        "names",
        "WARNING",
        "clients call it by other.example, which its certificate has not",
        "tls-cert.pem",
    );
    // Both halves of a certificate, or neither.
    fs::remove_file(data.join("tls-key.pem")).unwrap();
    found(&looked(&[]), "certificate", "FAULT", "tls-key.pem", "--tls-cert and --tls-key");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_not_taken_for_empty_and_what_another_version_wrote_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut server = Server::serve(&data, &[]);
    server.configure(&configuration("http://localhost:1", "G", "00:00:01")).await;
    server.terminate();
    let port = Port::hold();
    let listen = port.address.to_string();
    let looked = || check("serve", &data, &["--listen", &listen]).1;
    let chmod = |mode| fs::set_permissions(&data, fs::Permissions::from_mode(mode)).unwrap();
    chmod(0o755);
    let exposed = looked();
    found(&exposed, "endpoint", "WARNING", "what is configured is not known", "mend that first");
    found(&exposed, "login", "WARNING", "who may log in is not known", "mend that first");
    chmod(0o700);
    let sql = |statement: &str| {
        let ran = Command::new("sqlite3").arg(data.join("failover.db")).arg(statement).status();
        assert!(ran.unwrap().success(), "{statement}");
    };
    // As an older version would have left it: without the last change of the schema.
    sql("create table kept as select * from _sqlx_migrations where version = (select max(version) from _sqlx_migrations);
         delete from _sqlx_migrations where version in (select version from kept)");
    found(&looked(), "database", "WARNING", "of an older version: the next start makes 1 change", "backup");
    sql("insert into _sqlx_migrations select * from kept; drop table kept;
         insert into _sqlx_migrations select 9999, 'later', installed_on, success, checksum, execution_time
             from _sqlx_migrations limit 1");
    found(&looked(), "database", "FAULT", "newer", "use the newer version");
    sql("delete from _sqlx_migrations where version = 9999");

    // A copy of a folder is one until its server has run.
    let copy = folder.path().join("copy");
    fs::create_dir(&copy).unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(&data).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
    }
    let copied = |said: &str| said.contains("it was copied, or moved to another disk");
    assert!(!copied(&looked()));
    assert!(copied(&check("serve", &copy, &["--listen", &listen]).1));
    drop(Server::serve(&copy, &[]));
    assert!(!copied(&check("serve", &copy, &["--listen", &listen]).1));
}

#[test]
fn a_folder_that_cannot_be_made_is_a_fault_and_not_said_to_be_made_by_the_first_start() {
    let folder = tempfile::tempdir().unwrap();
    let port = Port::hold();
    let listen = port.address.to_string();
    let more = ["--listen", &listen];
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let (code, said) = check("serve", &file.join("data"), &more);
    assert_eq!(code, Some(1), "{said}");
    found(&said, "folder", "FAULT", "cannot be looked at", "server's user");
    let theirs = folder.path().join("theirs");
    fs::create_dir(&theirs).unwrap();
    for (mode, data, what) in [
        (0o500, "none/data", format!("cannot be made in {}", theirs.display())),
        (0o400, "data", "cannot be looked at".to_owned()),
        (0o700, "none/data", "the first start makes it".to_owned()),
    ] {
        fs::set_permissions(&theirs, fs::Permissions::from_mode(mode)).unwrap();
        let (data, may) = (theirs.join(data), mode == 0o700);
        // Whom every folder is open to is held to its mode, too.
        let held = rustix::process::geteuid().is_root().then_some(["--bounding-set=-all", "--inh-caps=-all"]);
        let ordinary = |half: &str, arguments: &[&str]| {
            let mut command = Command::new("setpriv");
            command.args(held.into_iter().flatten()).arg(PROGRAM).args(arguments);
            command.args([half, "--data-dir"]).arg(&data).args(more);
            command.env_remove("CLIENT_FAILOVER_CONFIG").output().unwrap()
        };
        let checked = ordinary("serve", &["check"]);
        let said = String::from_utf8(checked.stdout).unwrap();
        assert_eq!(checked.status.success(), may, "{said}");
        found(
            &said,
            "folder",
            if may { "ok" } else { "FAULT" },
            &what,
            if may { "" } else { "server's user" },
        );
        if !may {
            let served = ordinary("serve", &[]);
            assert!(!served.status.success(), "the check and the server agree");
        }
    }
}

#[test]
fn a_disk_that_is_full_or_read_only_is_found_before_the_server_stumbles_over_it() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mount) = Mount::tmpfs(folder.path(), "24m") else { return };
    let data = folder.path().join("data");
    drop(Server::serve(&data, &[]));
    let port = Port::hold();
    let listen = port.address.to_string();
    let looked = || check("serve", &data, &["--listen", &listen]);
    found(&looked().1, "folder", "WARNING", "no server uses it", "make room");
    let ballast = fill(folder.path(), 1 << 20);
    let (code, said) = looked();
    assert_eq!(code, Some(1), "{said}");
    found(&said, "folder", "FAULT", "MiB are free", "nobody becomes Primary");
    fs::remove_file(ballast).unwrap();
    mount.seal();
    let (code, said) = looked();
    assert_eq!(code, Some(1), "{said}");
    found(&said, "folder", "FAULT", "cannot be written", "give it to the server's user");
    let (code, said) = check("serve", &folder.path().join("another"), &["--listen", &listen]);
    assert_eq!(code, Some(1), "{said}");
    found(&said, "folder", "FAULT", "cannot be made in", "server's user");
}
