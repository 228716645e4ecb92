//! The command about the key: it changes the data folder of this machine, while its server is stopped.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{client::print, failure::Failure, folder_args::FolderArgs, who};
use crate::app;

#[derive(Debug, Args)]
pub(super) struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make a new key and seal everything with it. The server must be stopped.
    Rotate(RotateArgs),
}

#[derive(Debug, Args)]
struct RotateArgs {
    #[command(flatten)]
    folder: FolderArgs,
    /// The key, elsewhere than in the data folder; for a credential of the service manager the file it is loaded from.
    #[arg(long, env = "CLIENT_FAILOVER_KEY_FILE", value_name = "FILE")]
    key_file: Option<PathBuf>,
}

/// `key`: rotates the key.
pub(super) async fn key(args: KeyArgs) -> Result<(), Failure> {
    let KeyCommand::Rotate(RotateArgs { folder, key_file }) = args.command;
    let rotated = app::rotate_key(&folder.data_dir, key_file, who::asker()).await;
    let sealed = rotated.map_err(|error| Failure::failed("The key was not rotated", &error))?;
    print(&format!(
        "There is a new key; sealed with it: {sealed}. The old one opens only older backups: keep it with them, or remove both."
    ))
}
