//! The command about the key: it changes the data folder of this machine, while its server is stopped.

use clap::{Args, Subcommand};

use super::{client::print, failure::Failure, folder_args::KeyedFolderArgs, table::plain, who};
use crate::app;

#[derive(Debug, Args)]
pub(super) struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make a new key and seal everything with it. The server must be stopped. The old key is removed, and older
    /// backups need it: keep a copy of it before, if you may restore one of them.
    Rotate(KeyedFolderArgs),
}

/// `key`: rotates the key.
pub(super) async fn key(args: KeyArgs) -> Result<(), Failure> {
    let KeyCommand::Rotate(KeyedFolderArgs { folder, key_file }) = args.command;
    let file = key_file.clone().unwrap_or_else(|| folder.data_dir.join("key"));
    let rotated = app::rotate_key(&folder.data_dir, key_file, who::asker()).await;
    let sealed = rotated.map_err(|error| Failure::failed("The key was not rotated", &error))?;
    print(&format!(
        "There is a new key; sealed with it: {sealed}. Copy {} to where you keep a copy of the key, and make a backup. \
         The old key is removed; it opens older backups alone: keep your copy of it with them. Without one, the secrets \
         in them are lost.",
        plain(&file.display().to_string())
    ))
}
