//! The commands about users: they change the data folder of this machine, whether its server runs or not.

use std::fmt::Write;

use clap::{Args, Subcommand};

use super::{client::print, failure::Failure, folder_args::FolderArgs, password, who};
use crate::{
    auth::{self, UserChange, UserError},
    domain::{UserName, UserRole},
};

#[derive(Debug, Args)]
pub(super) struct UserArgs {
    #[command(subcommand)]
    command: UserCommand,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Add a user. As soon as there is one, everything but /healthz, /readyz and the page's own files needs a login.
    Add {
        #[command(flatten)]
        of: OneUserArgs,
        /// What the user may do: a user reads and is a member of groups, as adapters are; an administrator
        /// does everything.
        #[arg(long, value_name = "user|administrator", value_parser = role)]
        role: UserRole,
    },
    /// Remove a user; its logins end within a second.
    Remove(OneUserArgs),
    /// Change a user's password.
    Passwd(OneUserArgs),
    /// Show all users.
    List(FolderArgs),
}

#[derive(Debug, Args)]
struct OneUserArgs {
    /// The user's name.
    #[arg(value_parser = name)]
    name: UserName,
    #[command(flatten)]
    folder: FolderArgs,
}

/// `user`: shows or changes users.
pub(super) async fn user(args: UserArgs) -> Result<(), Failure> {
    match args.command {
        UserCommand::Add { of: OneUserArgs { name, folder }, role } => {
            let password = password::new_one()?;
            change(folder, UserChange::Add { name, role, password }).await.map(drop)
        }
        UserCommand::Passwd(OneUserArgs { name, folder }) => {
            let password = password::new_one()?;
            change(folder, UserChange::Password { name, password }).await.map(drop)
        }
        UserCommand::Remove(OneUserArgs { name, folder }) => {
            if change(folder, UserChange::Remove { name }).await? == 0 {
                eprintln!("WARNING: No user is left. A server on loopback lets in everybody on its machine.");
            }
            Ok(())
        }
        UserCommand::List(folder) => {
            let users = auth::list_users(&folder.data_dir).await.map_err(|error| failed(&error))?;
            let mut text = String::new();
            for user in &users {
                writeln!(text, "{:<13}  {}", user.role, user.name)
                    .map_err(|error| Failure::failed("The list could not be written", &error))?;
            }
            print(if users.is_empty() { "There is no user." } else { &text })
        }
    }
}

async fn change(folder: FolderArgs, change: UserChange) -> Result<usize, Failure> {
    auth::change_users(&folder.data_dir, change, &who::asker()).await.map_err(|error| failed(&error))
}

fn failed(error: &UserError) -> Failure {
    Failure::failed("Nothing was done", error)
}

fn name(text: &str) -> Result<UserName, String> {
    UserName::new(text).map_err(|error| format!("a name {error}"))
}

fn role(text: &str) -> Result<UserRole, &'static str> {
    UserRole::parse(text).ok_or("the roles are user and administrator")
}
