//! Who runs this command, for the history of what was asked for.

use std::{env, fs};

use crate::domain::{NAME_LIMIT, Name};

/// `user@host`, as the operating system names them. It is a word, no proof.
pub(super) fn name() -> Option<Name> {
    let variables = ["USER", "LOGNAME"];
    let user = variables.iter().find_map(|name| env::var(name).ok().filter(|user| !user.is_empty()));
    let user = user.unwrap_or_else(|| {
        let uid = rustix::process::getuid().as_raw();
        account(uid).unwrap_or_else(|| format!("uid {uid}"))
    });
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let text = format!("{user}@{host}");
    Name::new(text.chars().filter(|c| !c.is_control()).take(NAME_LIMIT).collect::<String>()).ok()
}

/// The same for the audit trail of this machine.
pub(super) fn asker() -> String {
    name().map_or_else(|| "unknown".to_owned(), |name| name.to_string())
}

/// The account of this number, where the machine itself has it; services often run without `USER`.
fn account(uid: u32) -> Option<String> {
    let accounts = fs::read_to_string("/etc/passwd").ok()?;
    let mut fields = accounts.lines().map(|line| line.split(':'));
    fields.find_map(|mut fields| {
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}
