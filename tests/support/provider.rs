//! A real OpenID provider.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use super::client;

/// The provider as a process. It ends with its standard input, which is ours.
pub struct Provider {
    child: Child,
    /// Its address, and its name as an issuer.
    pub origin: String,
}

impl Provider {
    /// Starts one whose tokens live for so many seconds.
    pub fn start(life_s: u32) -> Self {
        Self::with(&[&life_s.to_string()])
    }

    /// Starts one whose tokens are for `audience`, and can be checked by its keys.
    pub fn of_tokens_for(audience: &str) -> Self {
        Self::with(&["60", audience])
    }

    fn with(arguments: &[&str]) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oidc");
        assert!(
            folder.join("node_modules/oidc-provider").exists(),
            "the OpenID provider is not installed: run scripts/test-node-setup first"
        );
        let mut child = Command::new("node")
            .arg(folder.join("provider.mjs"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node runs the OpenID provider; install nodejs");
        let mut origin = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut origin).unwrap();
        assert!(origin.starts_with("http://127.0.0.1:"), "the OpenID provider did not start: {origin:?}");
        Self { child, origin: origin.trim().to_owned() }
    }

    /// Where tokens come from.
    pub fn token_endpoint(&self) -> String {
        format!("{}/token", self.origin)
    }

    /// What its token endpoint was asked so far.
    pub async fn requests(&self) -> Vec<Value> {
        let answer = client().get(format!("{}/control/requests", self.origin)).send().await.unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }

    /// How often its keys were asked for.
    pub async fn asked(&self) -> u32 {
        let answer = client().get(format!("{}/control/asked", self.origin)).send().await.unwrap();
        answer.text().await.unwrap().parse().unwrap()
    }

    /// Sets one of its controls.
    pub async fn put(&self, what: &str, text: &str) {
        let url = format!("{}/control/{what}", self.origin);
        let answer = client().put(url).body(text.to_owned()).send().await.unwrap();
        assert!(answer.status().is_success());
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
