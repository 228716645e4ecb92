//! Whether a collector could be started, as far as that can be told without starting it.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

use nix::unistd::{Uid, User};
use rustix::fs::{Access, access};

use super::program;
use crate::domain::CollectorSettings;

/// Looks at program, folder and user.
///
/// # Errors
/// Everything that would keep it from starting, each a sentence without its full stop.
pub fn look_at(settings: &CollectorSettings) -> Result<Option<PathBuf>, Vec<String>> {
    let mut faults = Vec::new();
    let folder = settings.working_dir.as_deref();
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        faults.push(format!("there is no folder {}, its working_dir", folder.display()));
    }
    if let Some(name) = &settings.user {
        faults.extend(why_not(name));
    }
    let path = settings.env.iter().find(|(name, _)| *name == "PATH").map(|(_, path)| OsString::from(path));
    match look_for(settings.command.program(), path, folder) {
        Ok(file) if faults.is_empty() => return Ok(file),
        Ok(_) => {}
        Err(fault) => faults.push(fault),
    }
    Err(faults)
}

/// The file of a program that is run in `folder` with this PATH, or that of this process; empty where nobody knows.
///
/// # Errors
/// Why it could not be run, as a sentence without its full stop.
pub fn look_for(
    program: &str,
    path: Option<OsString>,
    folder: Option<&Path>,
) -> Result<Option<PathBuf>, String> {
    let path = path.or_else(|| env::var_os("PATH"));
    let file = program::find(program, path.as_ref(), folder.unwrap_or(Path::new("")))?;
    match file {
        Some(file) if !file.is_file() => Err(format!("{} is no file", file.display())),
        Some(file) if access(&file, Access::EXEC_OK).is_err() => {
            Err(format!("{} is there, but may not be executed", file.display()))
        }
        file => Ok(file),
    }
}

/// Why the collector cannot become this user.
fn why_not(name: &str) -> Option<String> {
    let user = match name.parse() {
        Ok(number) => User::from_uid(Uid::from_raw(number)),
        Err(_not_a_number) => User::from_name(name),
    };
    let us = Uid::effective();
    match user {
        Err(error) => Some(format!("the user {name} cannot be looked up: {error}")),
        Ok(None) => Some(format!("there is no user {name}")),
        Ok(Some(user)) if user.uid != us && !us.is_root() => {
            Some(format!("it cannot become the user {name}, which only root may"))
        }
        Ok(Some(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::{CollectorCommand, OnOrder, Restarts, StopSignal, Variables};

    #[test]
    fn all_that_would_keep_a_collector_from_starting_is_told_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("collect");
        std::fs::write(&file, "#!/bin/sh").unwrap();
        let env = BTreeMap::from([("PATH".to_owned(), folder.path().display().to_string())]);
        let mut settings = CollectorSettings {
            command: CollectorCommand::new(vec!["collect".to_owned()]).unwrap(),
            working_dir: Some("/nowhere".into()),
            user: Some("nobody-has-this-name".to_owned()),
            env: Variables::new(env).unwrap(),
            stop_signal: StopSignal::default(),
            stop_timeout: CollectorSettings::STOP_TIMEOUT,
            restarts: Restarts::default(),
            on_order: OnOrder::default(),
            order_signal: None,
        };
        let faults = look_at(&settings).unwrap_err();
        assert_eq!(faults[0], "there is no folder /nowhere, its working_dir");
        assert_eq!(faults[1], "there is no user nobody-has-this-name");
        assert!(faults[2].ends_with("collect is there, but may not be executed"), "{faults:?}");
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        (settings.working_dir, settings.user) = (None, None);
        assert_eq!(look_at(&settings), Ok(Some(file)));
        settings.command = CollectorCommand::new(vec!["./collect".to_owned()]).unwrap();
        settings.working_dir = Some(folder.path().to_owned());
        assert!(look_at(&settings).is_ok(), "from its folder on");
        settings.working_dir = None;
        assert_eq!(look_at(&settings), Err(vec!["there is no file ./collect".to_owned()]));
    }
}
