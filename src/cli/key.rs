//! The command about the key: it changes the data folder of this machine, while its server is stopped.

use clap::{Args, Subcommand};

use super::{client::print, failure::Failure, folder_args::KeyedFolderArgs, who};
use crate::app;

#[derive(Debug, Args)]
pub(super) struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make a new key and seal everything with it. The server must be stopped.
    Rotate(KeyedFolderArgs),
}

/// `key`: rotates the key.
pub(super) async fn key(args: KeyArgs) -> Result<(), Failure> {
    let KeyCommand::Rotate(KeyedFolderArgs { folder, key_file }) = args.command;
    let rotated = app::rotate_key(&folder.data_dir, key_file, who::asker()).await;
    let sealed = rotated.map_err(|error| Failure::failed("The key was not rotated", &error))?;
    print(&format!(
        "There is a new key; sealed with it: {sealed}. The old one opens only older backups: keep it with them, or remove both."
    ))
}
