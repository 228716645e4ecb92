//! Accounts as an administrator of the machine changes them, whether a server runs or not.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::password::{self, LEAST, MOST};
use crate::{
    clock,
    domain::{User, UserName, UserRole},
    store::{Account, Accounts, AccountsError},
};

/// A change of the accounts.
#[derive(Debug)]
#[expect(missing_docs, reason = "a name, a role and a password are what they are called")]
pub enum UserChange {
    /// A new user.
    Add { name: UserName, role: UserRole, password: SecretString },
    /// Another password.
    Password { name: UserName, password: SecretString },
    /// A user less.
    Remove { name: UserName },
}

/// Why accounts were not changed.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The accounts cannot be used.
    #[error("the users of the data folder cannot be changed or read")]
    Accounts(#[from] AccountsError),
    /// There is no such folder, and so no user in it.
    #[error("the data folder {} is not there", .0.display())]
    NoFolder(PathBuf),
    /// There is one of this name.
    #[error("the user {0} exists; `user passwd` changes its password, `user remove` removes it")]
    Exists(UserName),
    /// There is none of this name.
    #[error("there is no user {0}; `user list` shows all")]
    Unknown(UserName),
    /// The password is too short.
    #[error("the password has less than {LEAST} characters")]
    Short,
    /// The password is too long.
    #[error("the password has more than {MOST} bytes")]
    Long,
    /// It could not be hashed.
    #[error("the password could not be hashed")]
    NotHashed,
}

/// Changes the users of the data folder `folder` for `by`, as the audit trail names him; gives how many there are then.
///
/// # Errors
/// When the change cannot be made, or the folder not be used.
pub async fn change_users(folder: &Path, change: UserChange, by: &str) -> Result<usize, UserError> {
    match change {
        UserChange::Add { name, role, password } => {
            let password_hash = hashed(&password)?;
            let mut accounts = Accounts::open(folder, by.to_owned()).await?;
            let user = User { name: name.clone(), role };
            let account = Account { user, password_hash, changed: clock::now().wall };
            if !accounts.add(&account).await? {
                return Err(UserError::Exists(name));
            }
            Ok(accounts.all().await?.len())
        }
        UserChange::Password { name, password } => {
            let password_hash = hashed(&password)?;
            let mut accounts = existing(folder, by).await?;
            if !accounts.change_password(&name, &password_hash, clock::now().wall).await? {
                return Err(UserError::Unknown(name));
            }
            Ok(accounts.all().await?.len())
        }
        UserChange::Remove { name } => {
            let mut accounts = existing(folder, by).await?;
            if !accounts.remove(&name, clock::now().wall).await? {
                return Err(UserError::Unknown(name));
            }
            Ok(accounts.all().await?.len())
        }
    }
}

/// All users of the data folder `folder`, by name.
///
/// # Errors
/// When the folder cannot be used.
pub async fn list_users(folder: &Path) -> Result<Vec<User>, UserError> {
    let accounts = existing(folder, "").await?.all().await?;
    Ok(accounts.into_iter().map(|account| account.user).collect())
}

/// The accounts of a folder that is there: only a new user is a reason to make one.
async fn existing(folder: &Path, by: &str) -> Result<Accounts, UserError> {
    if !folder.is_dir() {
        return Err(UserError::NoFolder(folder.to_owned()));
    }
    Ok(Accounts::open(folder, by.to_owned()).await?)
}

fn hashed(password: &SecretString) -> Result<String, UserError> {
    let text = password.expose_secret();
    if text.chars().count() < LEAST {
        return Err(UserError::Short);
    }
    if text.len() > MOST {
        return Err(UserError::Long);
    }
    password::hash(password).map_err(|_error| UserError::NotHashed)
}
