//! Which data folder a command of this machine is about.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(super) struct FolderArgs {
    /// The server's data folder.
    #[arg(long, env = "CLIENT_FAILOVER_DATA_DIR", value_name = "FOLDER", default_value = "./data")]
    pub(super) data_dir: PathBuf,
}

/// The same, where the key matters, too.
#[derive(Debug, Args)]
pub(super) struct KeyedFolderArgs {
    #[command(flatten)]
    pub(super) folder: FolderArgs,
    /// The key, elsewhere than in the data folder; for a credential of the service manager the file it is loaded from.
    #[arg(long, env = "CLIENT_FAILOVER_KEY_FILE", value_name = "FILE")]
    pub(super) key_file: Option<PathBuf>,
}
