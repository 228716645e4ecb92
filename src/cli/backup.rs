//! The commands that keep a data folder safe: a backup of it, and putting one back.

use std::path::PathBuf;

use clap::Args;

use super::{client::print, failure::Failure, folder_args::KeyedFolderArgs, table::plain, who};
use crate::{
    backup::{self, KeyState, Made, Restored},
    domain::{chain, format_span},
};

#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// The file to make; it must not exist.
    file: PathBuf,
    #[command(flatten)]
    place: KeyedFolderArgs,
}

#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// The backup.
    file: PathBuf,
    #[command(flatten)]
    place: KeyedFolderArgs,
}

/// `backup`: writes everything but the key and what waits at the egress gate to one file.
pub(super) async fn back_up(args: BackupArgs) -> Result<(), Failure> {
    let (file, folder, key) = (args.file, args.place.folder.data_dir, args.place.key_file);
    let made = backup::back_up(&folder, &file, who::asker()).await;
    let Made { bytes, told } = made.map_err(|error| Failure::failed("No backup was made", &error))?;
    if let Err(error) = told {
        eprintln!("WARNING: the audit trail does not tell of this backup: {}.", chain(&error));
    }
    let key = key.or_else(|| Some(folder.join("key")).filter(|key| key.is_file()));
    print(&format!(
        "{}: {} KiB, written and verified. The key that opens its secrets is not in it: keep a copy of {} elsewhere.",
        file.display(),
        bytes.div_ceil(1_024),
        key.map_or_else(|| "it".to_owned(), |key| key.display().to_string())
    ))
}

/// `restore`: puts a backup in the place of what is there.
pub(super) async fn restore(args: RestoreArgs) -> Result<(), Failure> {
    let (file, folder, key_file) = (args.file, args.place.folder.data_dir, args.place.key_file);
    let restored = backup::restore(&file, &folder, key_file.as_deref(), who::asker()).await;
    let Restored { made, keeps_session, waits, key, users, replaced } =
        restored.map_err(|error| Failure::failed("Nothing was restored", &error))?;
    let mut text = format!("{} has what {} had at {made}.", folder.display(), file.display());
    match keeps_session {
        Some(true) => text += " The adapter keeps the session of this folder.",
        Some(false) => {
            text += " The adapter gets a new session at its next start: the old one may still be another's.";
        }
        None => {}
    }
    if let Some(waits) = waits {
        text += &format!(
            " The failover endpoint will wait {} for whoever acts already before it makes anybody Primary, and no epoch \
             goes back.",
            format_span(waits)
        );
    }
    if !users.is_empty() {
        text += &format!(
            "\nIts users are those of then, with their passwords of then: {}. Remove who is to log in no more (user remove).",
            plain(&users.join(", "))
        );
    }
    if let Some(replaced) = replaced {
        text +=
            &format!("\nWhat was there before is {}; remove it when nobody misses it.", replaced.display());
    }
    if let KeyState::Unusable(why) = key {
        let place = key_file.map_or_else(
            || {
                format!(
                    "{}, or where else the server finds its key (--key-file)",
                    folder.join("key").display()
                )
            },
            |file| file.display().to_string(),
        );
        eprintln!(
            "WARNING: {why}. Before the server starts, put the key that belongs to the backup at {place}."
        );
    }
    print(&text)
}
