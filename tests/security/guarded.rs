//! A server with users, and requests as one of them.

use std::{
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

use reqwest::{Client, Method, RequestBuilder};

use crate::support::{Answer, PROGRAM, Server, client};

/// A password that is looked for where none should be.
pub const PASSWORD: &str = "planted p\u{e4}ssword";

/// Runs `client-failover user`, with `input` as its standard input.
pub fn user(arguments: &[&str], data: &Path, input: &str) -> Output {
    let mut child = Command::new(PROGRAM)
        .arg("user")
        .args(arguments)
        .arg("--data-dir")
        .arg(data)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may have ended without reading.
    child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
    child.wait_with_output().unwrap()
}

/// Adds a user whose password is [`PASSWORD`].
pub fn add(name: &str, role: &str, data: &Path) {
    let added = user(&["add", name, "--role", role], data, &format!("{PASSWORD}\n"));
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
}

/// A user `user`, another one `other`, and an administrator `admin`.
pub fn add_all(data: &Path) {
    add("user", "user", data);
    add("other", "user", data);
    add("admin", "administrator", data);
}

/// Sends a request to `server`, as `user` if one is named, with a JSON body if there is one.
pub async fn send(
    server: &Server,
    user: Option<&str>,
    method: Method,
    path: &str,
    body: Option<&str>,
) -> Answer {
    let mut request = client().request(method, format!("{}{path}", server.url));
    if let Some(user) = user {
        request = request.basic_auth(user, Some(PASSWORD));
    }
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body.to_owned());
    }
    answer(request).await
}

/// GET as `user`.
pub async fn get(server: &Server, user: Option<&str>, path: &str) -> Answer {
    send(server, user, Method::GET, path, None).await
}

/// The answer to `request`, read to its end.
pub async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    Answer { status, headers, body: response.text().await.unwrap() }
}

/// A client that trusts the certificate in `pem` and no other.
pub fn client_trusting(pem: &Path) -> Client {
    drop(client());
    let certificate = reqwest::Certificate::from_pem(&std::fs::read(pem).unwrap()).unwrap();
    Client::builder().no_proxy().tls_certs_only([certificate]).build().unwrap()
}
