//! Writes the manual's pages and the shells' completions, for packages.
//!
//! Usage: `cargo run --example manual FOLDER`

use std::{env, fs, io, path::Path};

use clap::Command;
use clap_complete::Shell;

fn main() -> io::Result<()> {
    let folder = env::args_os().nth(1).ok_or_else(|| io::Error::other("name a folder"))?;
    write(Path::new(&folder))
}

/// Writes pages to `man` and completions to `completions` in `folder`.
pub fn write(folder: &Path) -> io::Result<()> {
    let (pages, completions) = (folder.join("man"), folder.join("completions"));
    fs::create_dir_all(&pages)?;
    fs::create_dir_all(&completions)?;
    let mut command = client_failover::cli::command();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut command, "client-failover", &completions)?;
    }
    clap_mangen::generate_to(without_help(client_failover::cli::command()), pages)
}

/// The same without its commands `help`, which would be a page each that says nothing of its own.
fn without_help(command: Command) -> Command {
    command.disable_help_subcommand(true).mut_subcommands(without_help)
}
