//! Which data folder a command of this machine is about.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(super) struct FolderArgs {
    /// The server's data folder.
    #[arg(long, env = "CLIENT_FAILOVER_DATA_DIR", value_name = "FOLDER", default_value = "./data")]
    pub(super) data_dir: PathBuf,
}
