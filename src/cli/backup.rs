//! The commands that keep a data folder safe: a backup of it, and putting one back.

use std::path::PathBuf;

use clap::Args;

use super::{client::print, failure::Failure, folder_args::FolderArgs, who};
use crate::{
    backup::{self, KeyState, Made, Restored},
    domain::chain,
};

#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// The file to make; it must not exist.
    file: PathBuf,
    #[command(flatten)]
    folder: FolderArgs,
}

#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// The backup.
    file: PathBuf,
    #[command(flatten)]
    folder: FolderArgs,
}

/// `backup`: writes everything but the key and what waits at the egress gate to one file.
pub(super) async fn back_up(args: BackupArgs) -> Result<(), Failure> {
    let (file, folder) = (args.file, args.folder.data_dir);
    let made = backup::back_up(&folder, &file, who::asker()).await;
    let Made { bytes, told } = made.map_err(|error| Failure::failed("No backup was made", &error))?;
    if let Err(error) = told {
        eprintln!("WARNING: the audit trail does not tell of this backup: {}.", chain(&error));
    }
    print(&format!(
        "{}: {} KiB, written and verified. The key that opens its secrets is not in it: keep a copy of {} elsewhere.",
        file.display(),
        bytes.div_ceil(1_024),
        folder.join("key").display()
    ))
}

/// `restore`: puts a backup in the place of what is there.
pub(super) async fn restore(args: RestoreArgs) -> Result<(), Failure> {
    let (file, folder) = (args.file, args.folder.data_dir);
    let restored = backup::restore(&file, &folder, who::asker()).await;
    let Restored { made, keeps_session, key, replaced } =
        restored.map_err(|error| Failure::failed("Nothing was restored", &error))?;
    let session = if keeps_session {
        "The adapter keeps the session of this folder."
    } else {
        "The adapter gets a new session at its next start: the old one may still be another's."
    };
    let mut text = format!("{} has what {} had at {made}. {session}", folder.display(), file.display());
    if let Some(replaced) = replaced {
        text +=
            &format!("\nWhat was there before is {}; remove it when nobody misses it.", replaced.display());
    }
    if let KeyState::Unusable(why) = key {
        eprintln!(
            "WARNING: {why}. Put the key that belongs to the backup at {} before the server starts.",
            folder.join("key").display()
        );
    }
    print(&text)
}
