//! The database from outside: the sqlite3 shell, as an operator has it.

use std::{fs, path::Path, process::Command};

/// What the shell prints for `sql`, or why it refuses.
pub fn sqlite(database: &Path, arguments: &[&str], sql: &str) -> Result<String, String> {
    // A server that recovers its log holds the database for a moment.
    let patient = ["-cmd", ".timeout 5000"];
    let output =
        Command::new("sqlite3").args(patient).args(arguments).arg(database).arg(sql).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().trim_end().to_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// What `sql` gives in the data folder's database.
pub fn ask(data: &Path, sql: &str) -> String {
    sqlite(&data.join("failover.db"), &[], sql).unwrap()
}

/// The same, asked of a copy, so that nobody recovers what the server itself is to recover.
pub fn ask_copy(data: &Path, sql: &str) -> String {
    let copy = tempfile::tempdir().unwrap();
    for file in ["failover.db", "failover.db-wal"] {
        if data.join(file).exists() {
            fs::copy(data.join(file), copy.path().join(file)).unwrap();
        }
    }
    ask(copy.path(), sql)
}
