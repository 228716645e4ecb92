//! A look at what is in a data folder: nothing is made, brought to another schema, or written.

use std::{fs, path::Path};

use sqlx::{Connection, SqliteConnection, sqlite::SqlitePoolOptions};
use tokio::sync::Mutex;

use super::{
    DATABASE, DataFolder, Inner, READERS, Sealer, Store, StoreError, Told, Writes, buffer::BUFFER,
    copy::check, key, options,
};
use crate::domain::Wall;

/// What is found.
#[derive(Debug)]
pub struct Inspection {
    /// How large the databases are, in bytes.
    pub bytes: u64,
    /// How many changes of the schema the next start makes. While there are any, nothing else is known.
    pub pending: usize,
    /// The newest row of history there is.
    pub newest: Option<Wall>,
    /// How many secrets are sealed.
    pub sealed: usize,
    /// The store, for reading; none while changes of the schema are pending.
    pub store: Option<Store>,
}

/// Looks at the databases in `folder`, also beside its server; gives nothing where there is none.
///
/// # Errors
/// When they cannot be read, are damaged, or a newer version wrote them; or the key file is readable by others.
pub async fn inspect(folder: DataFolder) -> Result<Option<Inspection>, StoreError> {
    let database = folder.path().join(DATABASE);
    if !database.exists() {
        return Ok(None);
    }
    let read_only = options(&database).create_if_missing(false).read_only(true);
    let mut connection = SqliteConnection::connect_with(&read_only).await?;
    check(&mut connection).await?;
    let pending = pending(&mut connection, &sqlx::migrate!()).await?;
    let mut bytes = size(&database);
    let buffer = folder.path().join(BUFFER);
    if buffer.exists() {
        let buffer_options = options(&buffer).create_if_missing(false).read_only(true);
        let mut connection = SqliteConnection::connect_with(&buffer_options).await?;
        check(&mut connection).await?;
        bytes += size(&buffer);
        connection.close().await?;
    }
    if pending > 0 {
        return Ok(Some(Inspection { bytes, pending, newest: None, sealed: 0, store: None }));
    }
    let newest = sqlx::query_scalar!(
        r#"select max(at_us) as "at: i64" from (select max(at_us) as at_us from failover_transition
           union all select max(at_us) from endpoint_change)"#
    )
    .fetch_one(&mut connection)
    .await?;
    let sealed = key::sealed_values(&mut connection).await?;
    let sealer = if sealed.is_empty() {
        Sealer::unneeded()
    } else {
        Sealer::open(folder.key_place(), folder.path(), &sealed)?
    };
    let readers = SqlitePoolOptions::new().max_connections(READERS).connect_lazy_with(read_only.clone());
    let writer = Mutex::new(connection);
    let (writes, told) = (Writes::default(), Told::default());
    let store =
        Store { inner: Inner { writer, options: read_only, readers, sealer, folder, writes, told }.into() };
    let newest = newest.map(Wall::from_micros);
    Ok(Some(Inspection { bytes, pending, newest, sealed: sealed.len(), store: Some(store) }))
}

/// How many changes of the schema are to be made.
async fn pending(
    database: &mut SqliteConnection,
    wanted: &sqlx::migrate::Migrator,
) -> Result<usize, StoreError> {
    let made: Vec<i64> =
        sqlx::query_scalar("select version from _sqlx_migrations where success").fetch_all(database).await?;
    if let Some(newer) = made.iter().find(|made| !wanted.iter().any(|wanted| wanted.version == **made)) {
        return Err(StoreError::Newer(*newer));
    }
    Ok(wanted.iter().filter(|wanted| !made.contains(&wanted.version)).count())
}

fn size(file: &Path) -> u64 {
    fs::metadata(file).map_or(0, |metadata| metadata.len())
}
