//! How a server is reached, as it is stored: its secret sealed for the place where it stands.

use secrecy::SecretString;
use sqlx::SqliteConnection;

use super::{Sealer, Store, StoreError};
use crate::domain::{Access, AccessDraft, Credentials, Field, OpenAccess};

/// Where the two secrets of an access stand, `table.column`, and in which row where there are several: what was
/// moved to another place does not open.
pub(super) struct Places {
    pub(super) password: String,
    pub(super) client_secret: String,
}

impl Places {
    /// In the table of the one client failover configuration.
    pub(super) fn client_failover() -> Self {
        Self {
            password: "client_failover_configuration.password".to_owned(),
            client_secret: "client_failover_configuration.client_secret".to_owned(),
        }
    }

    /// In the row of the destination `id`.
    pub(super) fn data_endpoint(id: &str) -> Self {
        Self {
            password: format!("egress_data_endpoint.password/{id}"),
            client_secret: format!("egress_data_endpoint.client_secret/{id}"),
        }
    }
}

/// The columns of an access.
#[derive(Debug)]
pub(super) struct StoredAccess {
    pub(super) endpoint: String,
    pub(super) user_name: Option<String>,
    pub(super) password: Option<Vec<u8>>,
    pub(super) client_id: Option<String>,
    pub(super) client_secret: Option<Vec<u8>>,
    pub(super) token_endpoint: Option<String>,
    pub(super) validate_certificate: bool,
}

impl StoredAccess {
    pub(super) fn seal(access: &Access, sealer: &Sealer, places: &Places) -> Result<Self, StoreError> {
        let (mut user_name, mut password, mut client_id, mut client_secret) = (None, None, None, None);
        match access.credentials() {
            Some(Credentials::Basic { user, password: secret }) => {
                (user_name, password) =
                    (Some(user.to_string()), Some(sealer.seal(&places.password, &secret.text())?));
            }
            Some(Credentials::Client { id, secret }) => {
                (client_id, client_secret) =
                    (Some(id.to_string()), Some(sealer.seal(&places.client_secret, &secret.text())?));
            }
            None => {}
        }
        Ok(Self {
            endpoint: access.endpoint().to_string(),
            user_name,
            password,
            client_id,
            client_secret,
            token_endpoint: access.token_endpoint().map(ToString::to_string),
            validate_certificate: access.validate_certificate(),
        })
    }

    /// The members, and why a secret among them could not be opened, if so; it is then empty.
    pub(super) fn open(self, sealer: &Sealer, places: &Places) -> (AccessDraft, Option<String>) {
        let mut unreadable = None;
        let mut open = |place: &str, sealed: Option<Vec<u8>>| {
            field(sealed.map(|sealed| {
                sealer.open_sealed(place, &sealed).unwrap_or_else(|error| {
                    unreadable =
                        Some(if let StoreError::KeyUnusable(why) = error { why } else { error.to_string() });
                    SecretString::default()
                })
            }))
        };
        let draft = AccessDraft {
            password: open(&places.password, self.password),
            client_secret: open(&places.client_secret, self.client_secret),
            endpoint: Field::Value(self.endpoint),
            user_name: field(self.user_name),
            client_id: field(self.client_id),
            token_endpoint: field(self.token_endpoint),
            validate_certificate: Field::Value(self.validate_certificate),
        };
        (draft, unreadable)
    }
}

impl Store {
    /// `access` with its secret at hand, or why it is not; `unreadable` says so already where it could not be opened.
    pub(super) async fn open_access(
        &self,
        connection: &mut SqliteConnection,
        access: &Access,
        unreadable: Option<&str>,
    ) -> Result<Result<OpenAccess, String>, StoreError> {
        if let Some(why) = unreadable {
            return Ok(Err(format!("its credentials cannot be read: {why}")));
        }
        match self.find_secret(connection, access).await {
            Ok(found) => Ok(access.open(found).map_err(|closed| closed.to_string())),
            Err(StoreError::KeyUnusable(why)) => Ok(Err(format!("its credentials cannot be read: {why}"))),
            Err(error) => Err(error),
        }
    }

    /// Every access that is configured, by the name of what it is of.
    pub(super) async fn accesses(
        &self,
        connection: &mut SqliteConnection,
    ) -> Result<Vec<(String, Access)>, StoreError> {
        let configuration = self.stored(&mut *connection).await?;
        let destinations = self.read_data_endpoints(connection).await?;
        let configuration =
            configuration.map(|one| ("ClientFailover".to_owned(), one.config.access().clone()));
        let destinations = destinations
            .into_iter()
            .map(|one| (format!("DataEndpoints/{}", one.endpoint.id()), one.endpoint.access().clone()));
        Ok(configuration.into_iter().chain(destinations).collect())
    }
}

pub(super) fn field<T>(value: Option<T>) -> Field<T> {
    value.map_or(Field::Absent, Field::Value)
}
