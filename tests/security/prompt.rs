//! A password that is typed: on a terminal, which shows nothing of it, and is as it was afterwards.

use std::{
    io::{Read, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use crate::{
    guarded::user,
    support::{PROGRAM, until},
};

const TYPED: &str = "a typed passphrase";

/// A pseudo terminal on which a shell runs a command, says how the terminal is set then, and ends.
struct Terminal {
    child: Child,
    keyboard: ChildStdin,
    screen: Arc<Mutex<String>>,
}

impl Terminal {
    fn run(command: &str) -> Self {
        let mut child = Command::new("script")
            .args(["--quiet", "--command", &format!("{command}; stty -a; echo that was all"), "/dev/null"])
            .env("SHELL", "/bin/sh")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("script (Debian: bsdutils) makes a pseudo terminal");
        let (keyboard, mut shown) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let screen = Arc::new(Mutex::new(String::new()));
        let written = Arc::clone(&screen);
        thread::spawn(move || {
            let mut part = [0; 1_024];
            while let Ok(length @ 1..) = shown.read(&mut part) {
                written.lock().unwrap().push_str(&String::from_utf8_lossy(&part[..length]));
            }
        });
        Self { child, keyboard, screen }
    }

    fn shown(&self) -> String {
        self.screen.lock().unwrap().clone()
    }

    /// Waits until this is on the screen, and types.
    async fn asks(&mut self, prompt: &str, typed: &str) {
        until(prompt, async || self.shown().contains(prompt)).await;
        self.keyboard.write_all(typed.as_bytes()).unwrap();
    }

    /// What was shown to the end; the terminal is as it was.
    async fn ends(mut self) -> String {
        until("the end", async || self.shown().contains("that was all")).await;
        drop(self.keyboard);
        self.child.wait().unwrap();
        let shown = self.screen.lock().unwrap().clone();
        let modes: Vec<_> = shown.split_whitespace().collect();
        assert!(modes.contains(&"echo") && modes.contains(&"isig"), "{shown}");
        assert!(!shown.contains(TYPED), "{shown}");
        shown
    }
}

fn add(data: &Path) -> Terminal {
    Terminal::run(&format!("{PROGRAM} user add plc-a --role user --data-dir {}", data.display()))
}

#[tokio::test]
async fn a_password_is_typed_twice_and_shown_never() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = add(folder.path());
    terminal.asks("Password: ", &format!("{TYPED}\n")).await;
    terminal.asks("Again: ", "another one\n").await;
    let shown = terminal.ends().await;
    assert!(shown.contains("The two differ."), "{shown}");

    let mut terminal = add(folder.path());
    terminal.asks("Password: ", &format!("{TYPED}\n")).await;
    terminal.asks("Again: ", &format!("{TYPED}\n")).await;
    terminal.ends().await;
    let listed = user(&["list"], folder.path(), "");
    assert_eq!(String::from_utf8_lossy(&listed.stdout), "user           plc-a\n");
}

#[tokio::test]
async fn who_presses_ctrl_c_at_the_prompt_has_a_terminal_that_shows_what_is_typed() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = add(folder.path());
    terminal.asks("Password: ", &format!("{TYPED}\u{3}")).await;
    let shown = terminal.ends().await;
    assert!(shown.contains("The password cannot be read"), "{shown}");
    assert!(!folder.path().join("failover.db").exists());
}
