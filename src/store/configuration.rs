//! The one configuration, and who changed it.

use std::net::SocketAddr;

use sqlx::SqliteConnection;

use super::{
    Store, StoreError, Write,
    access::{Places, StoredAccess, field},
    history::insert_transition,
    secrets::entries,
};
use crate::domain::{
    ConfigurationId, Draft, FailoverConfig, Field, MemberChange, Now, OpenAccess, Reason, SecretEntry,
    Standing, Transition as Row, TransitionKind, format_span,
};

/// What history calls the end of a configuration.
pub(super) const DELETED: &str = "Deleted";

/// The configuration as it is stored.
#[derive(Debug, Clone)]
pub struct StoredConfiguration {
    /// The configuration; its secret is empty where it could not be opened.
    pub config: FailoverConfig,
    /// Rises with every change.
    pub revision: i64,
    /// Why the secret could not be opened, if so.
    pub unreadable: Option<String>,
    /// How its endpoint is reached, with the secret that it refers to; or why that is not known.
    pub access: Result<OpenAccess, String>,
}

/// Who asked for a change.
#[derive(Debug, Clone)]
pub struct Requester {
    /// The user, or `anonymous` where no login is asked for.
    pub user: String,
    /// From where.
    pub from: Option<SocketAddr>,
}

/// What a change does to the stored configuration.
#[derive(Debug, Clone)]
pub enum Change {
    /// Writes this as the configuration that was not there.
    Create(FailoverConfig),
    /// Writes this in the place of another.
    Replace(FailoverConfig),
    /// Writes this, which differs in some members.
    Update(FailoverConfig),
    /// Removes what is there.
    Delete,
    /// Leaves everything as it is, without a trace.
    Nothing,
}

impl Change {
    const fn action(&self) -> &'static str {
        match self {
            Self::Create(_) => "Created",
            Self::Replace(_) => "Replaced",
            Self::Update(_) => "Updated",
            Self::Delete => DELETED,
            Self::Nothing => "",
        }
    }

    /// The configuration that there is then.
    #[must_use]
    pub const fn outcome(&self) -> Option<&FailoverConfig> {
        match self {
            Self::Create(config) | Self::Replace(config) | Self::Update(config) => Some(config),
            Self::Delete | Self::Nothing => None,
        }
    }
}

struct ConfigurationRow {
    id: String,
    failover_group_id: String,
    name: Option<String>,
    description: Option<String>,
    failover_timeout_us: i64,
    mode: String,
    endpoint: String,
    user_name: Option<String>,
    password: Option<Vec<u8>>,
    client_id: Option<String>,
    client_secret: Option<Vec<u8>>,
    token_endpoint: Option<String>,
    validate_endpoint_certificate: i64,
    revision: i64,
}

impl Store {
    /// The stored configuration, if there is one.
    ///
    /// # Errors
    /// When the database cannot be read, or holds what this version would not write.
    pub async fn configuration(&self) -> Result<Option<StoredConfiguration>, StoreError> {
        self.stored(&mut *self.readers().acquire().await?).await
    }

    pub(super) async fn stored(
        &self,
        connection: &mut SqliteConnection,
    ) -> Result<Option<StoredConfiguration>, StoreError> {
        let row = sqlx::query_as!(
            ConfigurationRow,
            "select id, failover_group_id, name, description, failover_timeout_us, mode, endpoint, user_name,
                    password, client_id, client_secret, token_endpoint, validate_endpoint_certificate, revision
             from client_failover_configuration"
        )
        .fetch_optional(&mut *connection)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let (config, revision, unreadable) = self.read_row(row)?;
        let access = self.open_access(connection, config.access(), unreadable.as_deref()).await?;
        Ok(Some(StoredConfiguration { config, revision, unreadable, access }))
    }

    /// Changes the configuration as `decide` says, with its rows of history, in one transaction that is
    /// on disk before this returns. `decide` sees what is stored, and which secrets there are, while nobody else can
    /// change it.
    ///
    /// # Errors
    /// The outer error when the store cannot do it (nothing was changed), the inner one when `decide`
    /// refuses.
    pub async fn change_configuration<E>(
        &self,
        by: &Requester,
        now: Now,
        observed: &Standing,
        decide: impl FnOnce(Option<&StoredConfiguration>, &[SecretEntry]) -> Result<Change, E>,
    ) -> Result<Result<Change, E>, StoreError> {
        let mut writer = self.writer().await;
        let mut transaction = writer.begin().await?;
        let stored = self.stored(&mut transaction).await?;
        // What cannot be read is never deleted or overwritten: the right key may still come back.
        if let Some(why) = stored.as_ref().and_then(|stored| stored.unreadable.clone()) {
            return Err(StoreError::KeyUnusable(why));
        }
        let secrets = entries(&mut transaction).await?;
        let change = match decide(stored.as_ref(), &secrets) {
            Ok(Change::Nothing) => return Ok(Ok(Change::Nothing)),
            Ok(change) => change,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let old = stored.as_ref().map(|stored| &stored.config);
        let changes = FailoverConfig::changes(old, change.outcome());
        let made = MadeChange {
            facet: "ClientFailover",
            what: "the configuration".to_owned(),
            id: change.outcome().or(old).map_or("", |config| config.id().as_str()),
            action: change.action(),
            changes: &changes,
        };
        let revision = made.note(&mut transaction, by, now, observed).await?;
        match change.outcome() {
            Some(config) => {
                self.write_row(&mut transaction, config, revision).await?;
                self.bind_reference(&mut transaction, config.access()).await?;
            }
            None => {
                sqlx::query!("delete from client_failover_configuration").execute(&mut *transaction).await?;
            }
        }
        transaction.commit().await?;
        Ok(Ok(change))
    }

    async fn write_row(
        &self,
        transaction: &mut Write<'_>,
        config: &FailoverConfig,
        revision: i64,
    ) -> Result<(), StoreError> {
        let StoredAccess {
            endpoint,
            user_name,
            password,
            client_id,
            client_secret,
            token_endpoint,
            validate_certificate,
        } = StoredAccess::seal(config.access(), self.sealer(), &Places::client_failover())?;
        let (id, group) = (config.id().as_str(), config.group().as_str());
        let (name, description) =
            (config.name().map(|name| name.as_str()), config.description().map(|text| text.as_str()));
        let timeout_us = i64::try_from(config.timeout().get().as_micros()).unwrap_or(i64::MAX);
        let mode = config.mode().as_str();
        sqlx::query!(
            "insert or replace into client_failover_configuration
                (singleton, id, failover_group_id, name, description, failover_timeout_us, mode, endpoint, user_name, password,
                 client_id, client_secret, token_endpoint, validate_endpoint_certificate, revision)
             values (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            id,
            group,
            name,
            description,
            timeout_us,
            mode,
            endpoint,
            user_name,
            password,
            client_id,
            client_secret,
            token_endpoint,
            validate_certificate,
            revision
        )
        .execute(&mut **transaction)
        .await?;
        Ok(())
    }

    /// The configuration, its revision, and why its secret could not be opened, if so.
    fn read_row(&self, row: ConfigurationRow) -> Result<(FailoverConfig, i64, Option<String>), StoreError> {
        let stored = StoredAccess {
            endpoint: row.endpoint,
            user_name: row.user_name,
            password: row.password,
            client_id: row.client_id,
            client_secret: row.client_secret,
            token_endpoint: row.token_endpoint,
            validate_certificate: row.validate_endpoint_certificate != 0,
        };
        let (access, unreadable) = stored.open(self.sealer(), &Places::client_failover());
        let damaged = |what: String| StoreError::Unreadable(what);
        let timeout = std::time::Duration::from_micros(u64::try_from(row.failover_timeout_us).unwrap_or(0));
        let fresh = ConfigurationId::new(row.id).map_err(|error| damaged(format!("the Id {error}")))?;
        let draft = Draft {
            id: Field::Absent,
            group: Field::Value(row.failover_group_id),
            name: field(row.name),
            description: field(row.description),
            timeout: Field::Value(format_span(timeout)),
            mode: Field::Value(row.mode),
            access,
        };
        let config = draft.complete(None, fresh).map_err(|faults| damaged(faults.to_string()))?;
        Ok((config, row.revision, unreadable))
    }
}

/// One change of one configuration, for both histories.
pub(super) struct MadeChange<'a> {
    pub(super) facet: &'static str,
    /// What was changed, for a sentence.
    pub(super) what: String,
    pub(super) id: &'a str,
    pub(super) action: &'static str,
    pub(super) changes: &'a [MemberChange],
}

impl MadeChange<'_> {
    /// Writes who changed what into both histories; gives back the new revision.
    pub(super) async fn note(
        &self,
        transaction: &mut Write<'_>,
        by: &Requester,
        now: Now,
        observed: &Standing,
    ) -> Result<i64, StoreError> {
        insert_transition(transaction, &row_of_change(by, now, observed, self)).await?;
        insert_history(transaction, by, now, self).await
    }
}

async fn insert_history(
    transaction: &mut Write<'_>,
    by: &Requester,
    now: Now,
    done: &MadeChange<'_>,
) -> Result<i64, StoreError> {
    let at_us = now.wall.micros();
    let from = by.from.map(|address| address.to_string());
    let changes =
        serde_json::Value::from_iter(done.changes.iter().map(
            |change| serde_json::json!({ "Member": change.member, "From": change.from, "To": change.to }),
        ))
        .to_string();
    let inserted = sqlx::query!(
        "insert into configuration_history
            (at_us, facet, action, configuration_id, requested_by, requested_from, changes)
         values (?, ?, ?, ?, ?, ?, ?)",
        at_us,
        done.facet,
        done.action,
        done.id,
        by.user,
        from,
        changes
    )
    .execute(&mut **transaction)
    .await?;
    Ok(inserted.last_insert_rowid())
}

pub(super) fn row_of_change(by: &Requester, now: Now, observed: &Standing, done: &MadeChange<'_>) -> Row {
    let members = done.changes.iter().map(|change| change.member).collect::<Vec<_>>().join(", ");
    let from = by.from.map_or_else(|| "an unknown address".to_owned(), |address| address.to_string());
    let verb = done.action.to_lowercase();
    let which = match done.changes {
        _ if done.action == DELETED => String::new(),
        [] => ", without a change".to_owned(),
        _ => format!(": {members}"),
    };
    let explanation = format!("{} was {verb} by {} from {from}{which}", done.what, by.user);
    let changed = (TransitionKind::ConfigurationChanged, Reason::ConfigurationChanged);
    Row::observed(observed, now, changed.0, changed.1, explanation)
}
