//! A user's password is searched for everywhere: files, log, answers, process list; and a private key, too.

use std::{fs, process::Command};

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    guarded::{PASSWORD, add, answer, client_trusting, user},
    support::{FAILOVER, HISTORY, PROGRAM, STATE, Server},
};

/// Another password, which is refused.
const WRONG: &str = "wrong planted password";

fn assert_clean(what: &str, content: &[u8], secrets: &[Vec<u8>]) {
    for secret in secrets {
        let found = content.windows(secret.len()).any(|window| window == secret.as_slice());
        assert!(!found, "{what} contains {:?}", String::from_utf8_lossy(secret));
    }
}

#[tokio::test]
async fn a_password_and_a_private_key_are_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    add("plc-a", "administrator", folder.path());
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--listen", "127.0.0.1:0", "--tls-self-signed", "--with-endpoint", "--data-dir"]);
    command.arg(folder.path()).env("CLIENT_FAILOVER_LOG", "trace,sqlx=trace");
    let server = Server::from_command(command, folder.path());
    let trusting = client_trusting(&folder.path().join("tls-cert.pem"));
    let mut secrets: Vec<Vec<u8>> = Vec::new();
    for password in [PASSWORD, WRONG] {
        secrets.push(password.into());
        secrets.push(STANDARD.encode(format!("plc-a:{password}")).into());
        secrets.push(url::form_urlencoded::byte_serialize(password.as_bytes()).collect::<String>().into());
        for path in [
            STATE,
            FAILOVER,
            HISTORY,
            "/readyz",
            "/metrics",
            "/api/openapi.json",
            "/api/v1/management/audit",
            "/api/v1/clientfailover/overview",
            "/",
            "/nowhere",
        ] {
            let request = trusting.get(format!("{}{path}", server.url)).basic_auth("plc-a", Some(password));
            assert_clean(path, answer(request).await.body.as_bytes(), &secrets);
        }
    }
    assert!(user(&["passwd", "plc-a"], folder.path(), &format!("{PASSWORD}\n")).status.success());
    let key = fs::read_to_string(folder.path().join("tls-key.pem")).unwrap();
    let key = key.lines().nth(1).unwrap().to_owned();
    assert!(key.len() > 40);
    for file in ["cmdline", "environ"] {
        assert_clean(file, &fs::read(format!("/proc/{}/{file}", server.pid())).unwrap(), &secrets);
    }
    assert!(server.log().contains("DEBUG"), "everything is logged");
    secrets.push(key.into());
    assert_clean("the log", server.log().as_bytes(), &secrets);
    for entry in fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if !path.ends_with("tls-key.pem") {
            assert_clean(&path.display().to_string(), &fs::read(&path).unwrap(), &secrets);
        }
    }
}
