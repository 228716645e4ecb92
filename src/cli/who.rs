//! Who runs this command, for the history of what was asked for.

use std::env;

use crate::domain::{NAME_LIMIT, Name};

/// `user@host`, as the operating system names them. It is a word, no proof.
pub(super) fn name() -> Option<Name> {
    let user =
        ["USER", "LOGNAME"].iter().find_map(|name| env::var(name).ok().filter(|user| !user.is_empty()));
    let user = user.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let text = format!("{user}@{host}");
    Name::new(text.chars().filter(|c| !c.is_control()).take(NAME_LIMIT).collect::<String>()).ok()
}
