//! What can be written on the command line about how a server is reached: whom to trust, and as whom.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Clone, Default, Args)]
pub(super) struct AccessArgs {
    /// Authorities (PEM) to trust beside the system's, or the server's own certificate
    #[arg(long, env = "CLIENT_FAILOVER_CA_FILE", value_name = "FILE")]
    pub(super) ca_file: Option<PathBuf>,
    /// Log in as this user; the password is asked for on the terminal
    #[arg(long, env = "CLIENT_FAILOVER_USER", value_name = "NAME")]
    pub(super) user: Option<String>,
    /// The file whose first line is the password
    #[arg(long, env = "CLIENT_FAILOVER_PASSWORD_FILE", value_name = "FILE", requires = "user")]
    pub(super) password_file: Option<PathBuf>,
    /// The file whose first line is a token of the OpenID provider that the server trusts: log in with it
    #[arg(
        long,
        env = "CLIENT_FAILOVER_TOKEN_FILE",
        value_name = "FILE",
        conflicts_with_all = ["user", "password_file"]
    )]
    pub(super) token_file: Option<PathBuf>,
}
