//! What README and tutorial tell a newcomer to type, typed block by block: nothing that a reader has to copy may fail.
//!
//! The ports that they name may be in use on this machine, so all of it happens in a network of its own.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use super::{PROGRAM, until};

/// In front of the real programs, for a machine that is too busy for the waits of a document: commands wait for a server
/// that does not listen yet, and so does curl.
const PATIENT: [(&str, &str); 2] = [
    (
        "client-failover",
        "case $1 in serve | endpoint | demo) exec \"$PROGRAM\" \"$@\" ;; esac\n\
         for try in $(seq 100); do\n    \"$PROGRAM\" \"$@\"; code=$?\n    [ $code = 3 ] || exit $code\n    sleep 0.2\ndone\nexit 3\n",
    ),
    (
        "curl",
        "PATH=${PATH#*:}\nexec curl --noproxy '*' --retry 60 --retry-connrefused --retry-delay 1 \"$@\"\n",
    ),
];

/// A newcomer's shell, in an empty folder of its own. Whatever was started in it ends with it.
struct Shell {
    child: Child,
    words: Option<ChildStdin>,
    said: BufReader<ChildStdout>,
    folder: TempDir,
}

impl Shell {
    /// `None`, loudly, where there can be no network of its own.
    fn open() -> Option<Self> {
        let alone = ["--net", "--pid", "--fork", "--kill-child", "--mount-proc"];
        let tried = Command::new("unshare").args(alone).arg("true").stderr(Stdio::null()).status();
        if !tried.is_ok_and(|status| status.success()) {
            eprintln!("SKIPPED, NOT PROVEN: a network of its own needs root");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let programs = folder.path().join("programs");
        fs::create_dir(&programs).unwrap();
        for (name, does) in PATIENT {
            fs::write(programs.join(name), format!("#!/bin/bash\n{does}")).unwrap();
            fs::set_permissions(programs.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        let path = format!("{}:{}", programs.display(), env::var("PATH").unwrap());
        let place = folder.path().join("clone");
        fs::create_dir(&place).unwrap();
        let mut child = Command::new("unshare")
            .args(alone)
            .args(["bash", "-c", "ip link set lo up && exec bash"])
            .envs([("PATH", path.as_str()), ("PROGRAM", PROGRAM), ("LC_ALL", "C.UTF-8")])
            .current_dir(place)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(folder.path().join("errors")).unwrap())
            .spawn()
            .unwrap();
        let (words, said) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Some(Self { child, words, said, folder })
    }

    /// What a block of commands says; each of them is to succeed.
    fn run(&mut self, block: &str) -> String {
        let (code, said) = self.try_to_run(block);
        let errors = fs::read_to_string(self.folder.path().join("errors")).unwrap();
        assert_eq!(code, "0", "{block}\n{said}\n{errors}");
        said
    }

    fn try_to_run(&mut self, block: &str) -> (String, String) {
        let words = self.words.as_mut().unwrap();
        // The first that fails ends the block, and not the shell: its jobs are needed yet.
        write!(words, "trap 'code=$?' ERR; code=0\n{block}\ntrap - ERR; echo; echo \"THE END $code\"\n")
            .unwrap();
        let mut said = String::new();
        loop {
            let mut line = String::new();
            assert_ne!(self.said.read_line(&mut line).unwrap(), 0, "the shell has ended: {said}");
            if let Some(code) = line.strip_prefix("THE END ") {
                return (code.trim().to_owned(), said);
            }
            said.push_str(&line);
        }
    }

    /// Says the same until the answer is as it should be, and gives it.
    fn until(&mut self, block: &str, is_right: impl Fn(&str) -> bool) -> String {
        let mut said = String::new();
        until(
            || {
                said = self.run(block);
                is_right(&said)
            },
            || format!("{block} does not say what it should"),
        );
        said
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        self.words = None;
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The blocks of commands of a document, without those that only build.
fn blocks(document: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(document)).unwrap();
    let found = text.split("```bash\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let typed = found.map(|block| {
        let block = block.replace("cargo run --release -- ", "client-failover ");
        block
            .replace("cargo build --release\n", "")
            .replace("target/release/client-failover", "client-failover")
    });
    typed.collect()
}

/// The one block that has `what`.
fn block<'a>(blocks: &'a [String], what: &str) -> &'a str {
    let mut found = blocks.iter().filter(|block| block.contains(what));
    let (one, other) = (found.next(), found.next());
    assert!(other.is_none(), "two blocks have `{what}`");
    one.unwrap_or_else(|| panic!("no block has `{what}`"))
}

/// How many samples of each collector came in the last half minute.
fn samples(answer: &str, collector: &str) -> u32 {
    let answer: Value = serde_json::from_str(answer.trim().lines().next().unwrap()).unwrap();
    let results = answer["data"]["result"].as_array().unwrap();
    let of_it = results.iter().find(|result| result["metric"]["collector"] == collector);
    of_it.map_or(0, |result| result["value"][1].as_str().unwrap().parse().unwrap())
}

#[test]
fn what_the_tutorial_says_to_type_does_what_it_says() {
    let Some(mut shell) = Shell::open() else { return };
    let blocks = blocks("docs/tutorial.md");
    let said = shell.run(block(&blocks, "kill\\nback\\nstop\\nback"));
    assert_eq!(said.matches("\n  gap   ").count(), 2, "{said}");
    assert!(said.contains("The demo is over") && !said.contains("are missing"), "{said}");
    let said = shell.run(block(&blocks, "--mode Warm"));
    assert!(said.contains("are missing") || said.contains("is missing, "), "{said}");
    for part in ["--web.enable-remote-write-receiver", "for name in a b", "echo '[{\"Id\": \"historian\""] {
        shell.run(block(&blocks, part));
    }
    let look = block(&blocks, "client-failover sessions --group Plant");
    let both = ["2 of 2 live", "Primary    100", "Secondary  100"];
    shell.until(look, |said| both.iter().all(|what| said.contains(what)));
    shell.run(block(&blocks, "sleep 30"));
    let query = "curl -s 127.0.0.1:9190/api/v1/query --data-urlencode 'query=count_over_time(up{job=\"plant\"}[30s])'; echo";
    shell.until(query, |said| samples(said, "a") > 10 && samples(said, "b") == 0);

    shell.run(block(&blocks, "kill -9 $adapter_a"));
    let why = "client-failover why --group Plant --limit 2 --output table";
    shell.until(why, |said| said.contains("Cause: NoHeartbeat") && said.contains("became Primary"));
    shell.run(block(&blocks, "api/v1/diagnostics/Egress"));
    shell.until(query, |said| samples(said, "b") > 10);
    let said = shell.run(block(&blocks, "client-failover override --group Plant"));
    assert!(said.contains(" is to be Primary, until "), "{said}");
    shell.until(why, |said| said.contains("nobody acted for") && said.contains("Cause: OperatorAsked"));
    let said = shell.run(block(&blocks, "endpoint/failover.db"));
    assert!(said.matches("HandOver").count() >= 2 && said.contains("ChallengeBegan"), "{said}");
    // What was killed on the way is among those that it kills.
    shell.try_to_run(block(&blocks, "rm -r plant"));
    let left = fs::read_dir(shell.folder.path().join("clone")).unwrap().count();
    assert_eq!(left, 0, "the plant is gone");
}

#[test]
fn what_the_readme_says_to_try_does_what_it_says() {
    let blocks = blocks("README.md");
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let Some(mut shell) = Shell::open() else { return };
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    shell.run(&format!("cp -r {} examples", examples.display()));
    let alone = block(&blocks, "serve --with-endpoint");
    shell.run(&format!("{} 2> log & adapter=$!", alone.trim()));
    shell.run(block(&blocks, "examples/ConfigureClientFailover.json"));
    let said = shell.until(block(&blocks, "FailoverState"), |said| said.contains("\"Primary\""));
    assert!(text.contains(&format!("```json\n{}\n```", said.trim())), "{said}");
    let said = shell.run(block(&blocks, "sqlite3 -box data/failover.db"));
    assert!(said.contains("Registered") && said.contains("Primary"), "{said}");
    shell.run("kill $adapter; wait");

    let Some(mut shell) = Shell::open() else { return };
    let pair = block(&blocks, "kill %1 %2 %3");
    let said = shell.run(pair);
    assert!(said.contains("Line 1"), "{said}");
}
