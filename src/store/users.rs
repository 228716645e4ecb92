//! Accounts of users, and whose a session of the failover endpoint is.

use std::path::Path;

use sqlx::{Connection, Sqlite, SqliteConnection, Transaction};

use super::{
    DATABASE, DataFolder, FolderError, KeyPlace, Store, StoreError, Write, audit::insert_audit,
    endpoint_rows::columns, options,
};
use crate::domain::{
    AuditAction, AuditKind, AuditRow, Deed, GroupKey, SessionId, User, UserName, UserRole, Wall,
};

/// A user's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Who it is, and what he may do.
    pub user: User,
    /// What it takes to check the password: argon2id, as PHC text.
    pub password_hash: String,
    /// When it was last changed.
    pub changed: Wall,
}

/// Why accounts cannot be changed from outside the server.
#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    /// The data folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The store refused.
    #[error("the store cannot do this")]
    Store(#[from] StoreError),
}

/// The accounts of a data folder, whether a server uses it now or not.
#[derive(Debug)]
pub struct Accounts {
    connection: SqliteConnection,
    /// Who changes them, as the audit trail names him.
    by: String,
    /// Held where no server runs, so that none begins meanwhile.
    _store: Option<Store>,
}

impl Accounts {
    /// Opens the accounts in `folder` for `by`; it is made where it is not there.
    ///
    /// # Errors
    /// When the folder or its database cannot be used.
    pub async fn open(folder: &Path, by: String) -> Result<Self, AccountsError> {
        let store = match DataFolder::hold_as_owner(folder) {
            Ok(held) => Some(Store::open(held.with_key(KeyPlace::Unneeded)).await?),
            // A server has opened, and so brought to this schema, what is in it.
            Err(FolderError::InUse(_)) => None,
            Err(error) => return Err(error.into()),
        };
        let options = options(&folder.join(DATABASE)).create_if_missing(false);
        let connection = SqliteConnection::connect_with(&options).await.map_err(StoreError::from)?;
        Ok(Self { connection, by, _store: store })
    }

    /// All accounts, by name.
    ///
    /// # Errors
    /// When the store cannot.
    pub async fn all(&mut self) -> Result<Vec<Account>, AccountsError> {
        Ok(accounts(&mut self.connection).await?)
    }

    /// Keeps a new account; false where there is one of this name.
    ///
    /// # Errors
    /// When the store cannot.
    pub async fn add(&mut self, account: &Account) -> Result<bool, AccountsError> {
        let (name, role) = (account.user.name.as_str(), account.user.role.as_str());
        let at = account.changed.micros();
        let added = sqlx::query!(
            "insert into user_account (name, role, password_hash, created_us, changed_us)
             values (?, ?, ?, ?, ?) on conflict (name) do nothing",
            name,
            role,
            account.password_hash,
            at,
            at
        );
        let mut transaction =
            self.connection.begin_with("begin immediate").await.map_err(StoreError::from)?;
        let added = added.execute(&mut *transaction).await.map_err(StoreError::from)?.rows_affected() > 0;
        end(transaction, added, AuditAction::Created, name, (account.changed, &self.by)).await
    }

    /// Changes a password; false where there is no such account.
    ///
    /// # Errors
    /// When the store cannot.
    pub async fn change_password(
        &mut self,
        name: &UserName,
        password_hash: &str,
        at: Wall,
    ) -> Result<bool, AccountsError> {
        let (name, at_us) = (name.as_str(), at.micros());
        let changed = sqlx::query!(
            "update user_account set password_hash = ?, changed_us = ? where name = ?",
            password_hash,
            at_us,
            name
        );
        let mut transaction =
            self.connection.begin_with("begin immediate").await.map_err(StoreError::from)?;
        let changed = changed.execute(&mut *transaction).await.map_err(StoreError::from)?.rows_affected() > 0;
        end(transaction, changed, AuditAction::PasswordChanged, name, (at, &self.by)).await
    }

    /// Removes an account; false where there is none.
    ///
    /// # Errors
    /// When the store cannot.
    pub async fn remove(&mut self, name: &UserName, at: Wall) -> Result<bool, AccountsError> {
        let name = name.as_str();
        let removed = sqlx::query!("delete from user_account where name = ?", name);
        let mut transaction =
            self.connection.begin_with("begin immediate").await.map_err(StoreError::from)?;
        let removed = removed.execute(&mut *transaction).await.map_err(StoreError::from)?.rows_affected() > 0;
        end(transaction, removed, AuditAction::Deleted, name, (at, &self.by)).await
    }
}

impl Store {
    /// How often accounts were changed.
    ///
    /// # Errors
    /// When the store cannot.
    pub async fn account_revision(&self) -> Result<i64, StoreError> {
        let revision = sqlx::query_scalar!("select revision from user_revision");
        Ok(revision.fetch_one(self.readers()).await?)
    }

    /// All accounts.
    ///
    /// # Errors
    /// When the store cannot.
    pub async fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        accounts(&mut *self.readers().acquire().await?).await
    }

    /// Whose sessions are, of those that belong to somebody.
    ///
    /// # Errors
    /// When the store cannot.
    pub async fn session_owners(&self) -> Result<Vec<(GroupKey, SessionId, UserName)>, StoreError> {
        let rows = sqlx::query!(
            "select tenant, namespace, group_id, session_id, user_name from endpoint_session_owner"
        );
        let rows = rows.fetch_all(self.readers()).await?;
        rows.into_iter()
            .map(|row| {
                let key = super::endpoint_rows::key(row.tenant, row.namespace, row.group_id)?;
                let session = SessionId::new(row.session_id)
                    .map_err(|error| StoreError::Unreadable(format!("a session's id {error}")))?;
                Ok((key, session, user_name(&row.user_name)?))
            })
            .collect()
    }

    /// Keeps whose a session is.
    ///
    /// # Errors
    /// When the store cannot.
    pub async fn own_session(
        &self,
        group: &GroupKey,
        session: &SessionId,
        owner: &UserName,
    ) -> Result<(), StoreError> {
        let mut writer = self.writer().await;
        let mut transaction = writer.begin().await?;
        let (tenant, namespace) = columns(&group.place);
        let group = (tenant, namespace, group.id.as_str());
        keep_owner(&mut transaction, group, session.as_str(), Some(owner)).await?;
        transaction.commit().await
    }
}

/// Keeps whose a session of a group is, or that it is nobody's. One that is not there any more belongs to nobody.
pub(super) async fn keep_owner(
    transaction: &mut Write<'_>,
    (tenant, namespace, group): (&str, &str, &str),
    session: &str,
    owner: Option<&UserName>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "delete from endpoint_session_owner
         where tenant = ? and namespace = ? and group_id = ? and session_id = ?",
        tenant,
        namespace,
        group,
        session
    )
    .execute(&mut **transaction)
    .await?;
    let Some(owner) = owner.map(UserName::as_str) else { return Ok(()) };
    sqlx::query!(
        "insert into endpoint_session_owner (tenant, namespace, group_id, session_id, user_name)
         select tenant, namespace, group_id, id, ? from endpoint_session
         where tenant = ? and namespace = ? and group_id = ? and id = ?",
        owner,
        tenant,
        namespace,
        group,
        session
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Ends a change of an account, with its row of the audit trail if it changed one; gives whether it did.
async fn end(
    mut transaction: Transaction<'_, Sqlite>,
    done: bool,
    action: AuditAction,
    name: &str,
    (at, by): (Wall, &str),
) -> Result<bool, AccountsError> {
    if done {
        let deed = Deed { kind: AuditKind::User, action, subject: name.to_owned() };
        insert_audit(&mut transaction, &AuditRow::of_deed(deed, at, by.to_owned(), None)).await?;
    }
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(done)
}

async fn accounts(connection: &mut SqliteConnection) -> Result<Vec<Account>, StoreError> {
    let rows = sqlx::query!("select name, role, password_hash, changed_us from user_account order by name");
    let rows = rows.fetch_all(connection).await?;
    rows.into_iter()
        .map(|row| {
            let role = UserRole::parse(&row.role)
                .ok_or_else(|| StoreError::Unreadable(format!("a user's role {:?}", row.role)))?;
            Ok(Account {
                user: User { name: user_name(&row.name)?, role },
                password_hash: row.password_hash,
                changed: Wall::from_micros(row.changed_us),
            })
        })
        .collect()
}

fn user_name(name: &str) -> Result<UserName, StoreError> {
    UserName::written(name).map_err(|error| StoreError::Unreadable(format!("a user's name {error}")))
}
