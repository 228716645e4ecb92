//! The destinations of the egress gate, and who changed them.

use std::collections::HashMap;

use sqlx::SqliteConnection;

use super::{
    Requester, Store, StoreError, Write,
    access::{Places, StoredAccess},
    configuration::{DELETED, MadeChange},
    secrets::entries,
};
use crate::domain::{
    ConfigurationId, DataEndpoint, DataEndpointDraft, Field, MemberChange, Now, OpenAccess, SecretEntry,
    Standing,
};

/// A destination as it is stored.
#[derive(Debug, Clone)]
pub struct StoredDataEndpoint {
    /// The destination; its secret is empty where it could not be opened.
    pub endpoint: DataEndpoint,
    /// Rises with every change of it.
    pub revision: i64,
    /// Why the secret could not be opened, if so.
    pub unreadable: Option<String>,
    /// How it is reached, with the secret that it refers to; or why that is not known.
    pub access: Result<OpenAccess, String>,
}

impl StoredDataEndpoint {
    /// Another whenever it is reached in another way: its revision, and which giving of the secret it refers to.
    #[must_use]
    pub fn version(&self) -> (i64, Option<i64>) {
        (self.revision, self.access.as_ref().ok().and_then(OpenAccess::given))
    }
}

struct DataEndpointRow {
    id: String,
    endpoint: String,
    user_name: Option<String>,
    password: Option<Vec<u8>>,
    client_id: Option<String>,
    client_secret: Option<Vec<u8>>,
    token_endpoint: Option<String>,
    validate_endpoint_certificate: i64,
    read_only_methods: String,
    max_buffer_size_mb: i64,
    max_request_size_mb: i64,
    buffered_answer: i64,
    standby_answer: String,
    revision: i64,
}

impl Store {
    /// The destinations, in the order in which they were added.
    ///
    /// # Errors
    /// When the database cannot be read, or holds what this version would not write.
    pub async fn data_endpoints(&self) -> Result<Vec<StoredDataEndpoint>, StoreError> {
        self.read_data_endpoints(&mut *self.readers().acquire().await?).await
    }

    /// Whether there is a destination.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn has_data_endpoints(&self) -> Result<bool, StoreError> {
        let count = sqlx::query_scalar!("select count(*) from egress_data_endpoint")
            .fetch_one(self.readers())
            .await?;
        Ok(count > 0)
    }

    pub(super) async fn read_data_endpoints(
        &self,
        connection: &mut SqliteConnection,
    ) -> Result<Vec<StoredDataEndpoint>, StoreError> {
        let rows = sqlx::query_as!(
            DataEndpointRow,
            "select id, endpoint, user_name, password, client_id, client_secret, token_endpoint,
                    validate_endpoint_certificate, read_only_methods, max_buffer_size_mb, max_request_size_mb,
                    buffered_answer, standby_answer, revision
             from egress_data_endpoint order by position"
        )
        .fetch_all(&mut *connection)
        .await?;
        let mut read = Vec::new();
        for row in rows {
            let (endpoint, revision, unreadable) = self.read_data_endpoint(row)?;
            let access = self.open_access(connection, endpoint.access(), unreadable.as_deref()).await?;
            read.push(StoredDataEndpoint { endpoint, revision, unreadable, access });
        }
        Ok(read)
    }

    /// Changes the destinations to what `decide` makes of them, with rows of history for each that is another
    /// than before, in one transaction that is on disk before this returns. `decide` sees what is stored while
    /// nobody else can change it, and which secrets there are, and gives each Id once.
    ///
    /// # Errors
    /// The outer error when the store cannot do it (nothing was changed), the inner one when `decide` refuses.
    pub async fn change_data_endpoints<E>(
        &self,
        by: &Requester,
        now: Now,
        observed: &Standing,
        decide: impl FnOnce(&[StoredDataEndpoint], &[SecretEntry]) -> Result<Vec<DataEndpoint>, E>,
    ) -> Result<Result<(), E>, StoreError> {
        let mut writer = self.writer().await;
        let mut transaction = writer.begin().await?;
        let stored = self.read_data_endpoints(&mut transaction).await?;
        // What cannot be read is never deleted or overwritten: the right key may still come back.
        if let Some(why) = stored.iter().find_map(|stored| stored.unreadable.clone()) {
            return Err(StoreError::KeyUnusable(why));
        }
        let secrets = entries(&mut transaction).await?;
        let wanted = match decide(&stored, &secrets) {
            Ok(wanted) => wanted,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let mut old: HashMap<_, _> = stored.iter().map(|one| (one.endpoint.id(), one)).collect();
        // All of them are written anew, so that positions follow what was asked for.
        sqlx::query!("delete from egress_data_endpoint").execute(&mut *transaction).await?;
        for (position, endpoint) in (1_i64..).zip(&wanted) {
            let before = old.remove(endpoint.id());
            let changes = DataEndpoint::changes(before.map(|before| &before.endpoint), Some(endpoint));
            let revision = match before {
                Some(before) if changes.is_empty() => before.revision,
                _ => {
                    let action = if before.is_some() { "Updated" } else { "Created" };
                    made(endpoint.id(), action, &changes).note(&mut transaction, by, now, observed).await?
                }
            };
            self.write_data_endpoint(&mut transaction, endpoint, position, revision).await?;
            self.bind_reference(&mut transaction, endpoint.access()).await?;
        }
        for gone in stored.iter().filter(|stored| old.contains_key(stored.endpoint.id())) {
            let changes = DataEndpoint::changes(Some(&gone.endpoint), None);
            made(gone.endpoint.id(), DELETED, &changes).note(&mut transaction, by, now, observed).await?;
        }
        transaction.commit().await?;
        Ok(Ok(()))
    }

    async fn write_data_endpoint(
        &self,
        transaction: &mut Write<'_>,
        endpoint: &DataEndpoint,
        position: i64,
        revision: i64,
    ) -> Result<(), StoreError> {
        let id = endpoint.id().as_str();
        let access = StoredAccess::seal(endpoint.access(), self.sealer(), &Places::data_endpoint(id))?;
        let methods = serde_json::Value::from(endpoint.read_only_methods()).to_string();
        let (max_buffer, max_request) = (endpoint.max_buffer_mb(), endpoint.max_request_mb());
        let (answer, standby) = (endpoint.buffered_answer(), endpoint.standby_answer().as_str());
        sqlx::query!(
            "insert into egress_data_endpoint
                (id, position, endpoint, user_name, password, client_id, client_secret, token_endpoint,
                 validate_endpoint_certificate, read_only_methods, max_buffer_size_mb, max_request_size_mb,
                 buffered_answer, standby_answer, revision)
             values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            id,
            position,
            access.endpoint,
            access.user_name,
            access.password,
            access.client_id,
            access.client_secret,
            access.token_endpoint,
            access.validate_certificate,
            methods,
            max_buffer,
            max_request,
            answer,
            standby,
            revision
        )
        .execute(&mut **transaction)
        .await?;
        Ok(())
    }

    /// The destination, its revision, and why its secret could not be opened, if so.
    fn read_data_endpoint(
        &self,
        row: DataEndpointRow,
    ) -> Result<(DataEndpoint, i64, Option<String>), StoreError> {
        let damaged =
            |what: String| StoreError::Unreadable(format!("the data endpoint {:?}: {what}", row.id));
        let stored = StoredAccess {
            endpoint: row.endpoint,
            user_name: row.user_name,
            password: row.password,
            client_id: row.client_id,
            client_secret: row.client_secret,
            token_endpoint: row.token_endpoint,
            validate_certificate: row.validate_endpoint_certificate != 0,
        };
        let (access, unreadable) = stored.open(self.sealer(), &Places::data_endpoint(&row.id));
        let fresh =
            ConfigurationId::new(row.id.as_str()).map_err(|error| damaged(format!("the Id {error}")))?;
        let methods = serde_json::from_str(&row.read_only_methods)
            .map_err(|error| damaged(format!("its methods cannot be read ({error})")))?;
        let draft = DataEndpointDraft {
            id: Field::Absent,
            access,
            read_only_methods: Field::Value(methods),
            max_buffer_mb: Field::Value(row.max_buffer_size_mb),
            max_request_mb: Field::Value(row.max_request_size_mb),
            buffered_answer: Field::Value(row.buffered_answer),
            standby_answer: Field::Value(row.standby_answer),
        };
        let endpoint = draft.complete(None, fresh).map_err(|faults| damaged(faults.to_string()))?;
        Ok((endpoint, row.revision, unreadable))
    }
}

/// A change of the destination `id`.
fn made<'a>(id: &'a ConfigurationId, action: &'static str, changes: &'a [MemberChange]) -> MadeChange<'a> {
    let what = format!("the data endpoint {:?}", id.as_str());
    MadeChange { facet: "DataEndpoints", what, id: id.as_str(), action, changes }
}
