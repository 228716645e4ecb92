//! What waits at the egress gate: a database of its own beside the store.
//!
//! Not the store's: requests come by the thousand, and neither a role nor a row of history may wait for them.

use std::{collections::HashMap, fs, io, path::Path, time::Duration};

use sqlx::{
    Connection, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{BUSY_TIMEOUT, StoreError, Writes};
use crate::{
    clock,
    domain::{Arrival, Block, BootId, GroupId, Membership, Now, Tally, Uptime, Waiting, Wall},
};

/// The buffer's name in the data folder.
pub(super) const BUFFER: &str = "egress.db";

/// One change of the buffer.
#[derive(Debug, Clone)]
pub enum BufferChange {
    /// A new block of a destination, with its content; its `id` is given by the buffer.
    Append(String, Block, Vec<u8>),
    /// So many requests of a block are settled.
    Settled(i64, u32),
    /// A block is over.
    Remove(i64),
    /// When something arrived last for a destination.
    Arrived(String, Arrival),
    /// What is kept from now on is of this group.
    Joined(Membership),
}

/// The buffer, opened.
#[derive(Debug)]
pub struct Opened {
    /// It.
    pub buffer: Buffer,
    /// What waits in it.
    pub waiting: Vec<Waiting>,
    /// The group that it was kept in last; empty before the first.
    pub membership: Option<Membership>,
    /// The one that was there before, if it could not be used.
    pub put_aside: Option<PutAside>,
}

/// A buffer that could not be used.
#[derive(Debug)]
pub struct PutAside {
    /// Its name in the data folder from now on.
    pub name: String,
    /// Why it could not be used.
    pub error: StoreError,
}

/// The open buffer.
#[derive(Debug)]
pub struct Buffer {
    writer: SqliteConnection,
    options: SqliteConnectOptions,
    reader: SqlitePool,
    writes: Writes,
}

impl Buffer {
    /// Opens the buffer in the data folder, which this process holds, and tells what waits in it. One that is damaged
    /// is put aside under a name that says so, and a new one is begun: collecting goes on.
    ///
    /// # Errors
    /// When it cannot be opened or read for another reason, or cannot be put aside.
    pub async fn open(folder: &Path, now: Wall) -> Result<Opened, StoreError> {
        match Self::open_here(folder).await {
            Ok(opened) => Ok(opened),
            Err(error) if error.is_damage() => {
                let name = put_aside(folder, now).map_err(StoreError::NotMade)?;
                let opened = Self::open_here(folder).await?;
                Ok(Opened { put_aside: Some(PutAside { name, error }), ..opened })
            }
            Err(error) => Err(error),
        }
    }

    async fn open_here(folder: &Path) -> Result<Opened, StoreError> {
        super::folder::make_private(&folder.join(BUFFER))?;
        let options = SqliteConnectOptions::new()
            .filename(folder.join(BUFFER))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let mut writer = SqliteConnection::connect_with(&options).await?;
        sqlx::migrate!("./migrations-egress").run(&mut writer).await?;
        let (waiting, membership) = (waiting(&mut writer).await?, membership(&mut writer).await?);
        let reader = SqlitePoolOptions::new()
            .max_connections(2)
            .connect_lazy_with(options.clone().create_if_missing(false).read_only(true));
        let buffer = Self { writer, options, reader, writes: Writes::default() };
        Ok(Opened { buffer, waiting, membership, put_aside: None })
    }

    /// Reads what blocks carry, beside whoever writes.
    #[must_use]
    pub fn reader(&self) -> BufferReader {
        BufferReader(self.reader.clone())
    }

    /// How its writes do.
    #[must_use]
    pub fn writes(&self) -> &Writes {
        &self.writes
    }

    /// Makes all `changes`, and writes the counts of each destination of `tallies`, in one transaction that is on
    /// disk before this returns. Gives the ids of the blocks that were appended, in their order.
    ///
    /// # Errors
    /// When the buffer cannot; then nothing was changed.
    pub async fn write(
        &mut self,
        changes: &[BufferChange],
        tallies: &[(String, Tally)],
    ) -> Result<Vec<i64>, StoreError> {
        let asked = clock::now().uptime;
        let mut written = self.write_at_once(changes, tallies).await;
        if matches!(written, Err(StoreError::DiskFull(_))) && self.begin_log_anew().await {
            written = self.write_at_once(changes, tallies).await;
        }
        self.writes.ended(asked, &written);
        written
    }

    /// Folds the write-ahead log in, so that it is written over from its beginning: on a full disk that takes no room
    /// where what is removed makes it. Whether it was tried; a reader may have kept it from being done.
    async fn begin_log_anew(&mut self) -> bool {
        sqlx::raw_sql("pragma wal_checkpoint(restart)").execute(&mut self.writer).await.is_ok()
    }

    async fn write_at_once(
        &mut self,
        changes: &[BufferChange],
        tallies: &[(String, Tally)],
    ) -> Result<Vec<i64>, StoreError> {
        if self.writer.is_in_transaction() {
            // On a full disk SQLite itself ends the transaction, which sqlx would count as open for ever.
            self.writer = SqliteConnection::connect_with(&self.options).await?;
        }
        let mut transaction = self.writer.begin_with("begin immediate").await?;
        for (destination, tally) in tallies {
            count_up(&mut transaction, destination, tally).await?;
        }
        let mut appended = Vec::new();
        for change in changes {
            match change {
                BufferChange::Append(destination, block, content) => {
                    let (sequence, entries) = (integer(block.first_sequence), i64::from(block.entries));
                    let boot = block.boot.as_str();
                    let (first_uptime, last_uptime) =
                        (uptime_us(block.first.uptime), uptime_us(block.last.uptime));
                    let (first, last) = (block.first.wall.micros(), block.last.wall.micros());
                    let done = sqlx::query!(
                        "insert into block (destination, first_sequence, entries, boot_id, first_uptime_us,
                                            last_uptime_us, first_us, last_us, content)
                         values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        destination,
                        sequence,
                        entries,
                        boot,
                        first_uptime,
                        last_uptime,
                        first,
                        last,
                        content
                    )
                    .execute(&mut *transaction)
                    .await?;
                    appended.push(done.last_insert_rowid());
                }
                BufferChange::Settled(id, settled) => {
                    sqlx::query!("update block set settled = ? where id = ?", settled, id)
                        .execute(&mut *transaction)
                        .await?;
                }
                BufferChange::Remove(id) => {
                    sqlx::query!("delete from block where id = ?", id).execute(&mut *transaction).await?;
                }
                BufferChange::Arrived(destination, arrival) => {
                    arrive(&mut transaction, destination, arrival).await?;
                }
                BufferChange::Joined(membership) => join(&mut transaction, membership).await?,
            }
        }
        transaction.commit().await?;
        Ok(appended)
    }

    /// Closes the database so that its WAL is folded in.
    pub async fn close(mut self) {
        self.reader.close().await;
        if let Err(error) = sqlx::raw_sql("pragma wal_checkpoint(truncate)").execute(&mut self.writer).await {
            tracing::warn!(%error, "the buffer's write-ahead log could not be folded in; the next start does it");
        }
    }
}

/// Reads from the buffer while another writes. Clones share it.
#[derive(Debug, Clone)]
pub struct BufferReader(SqlitePool);

impl BufferReader {
    /// What `blocks` of `destination` carry, by their rows; those that are over are missing.
    ///
    /// # Errors
    /// When the buffer cannot be read.
    pub async fn contents(
        &self,
        destination: &str,
        blocks: &[Block],
    ) -> Result<HashMap<i64, Vec<u8>>, StoreError> {
        let ids = || blocks.iter().map(|block| block.id);
        let (first, last) = (ids().min().unwrap_or(0), ids().max().unwrap_or(0));
        let rows = sqlx::query!(
            "select id, content from block where id between ? and ? and destination = ?",
            first,
            last,
            destination
        )
        .fetch_all(&self.0)
        .await?;
        Ok(rows.into_iter().map(|row| (row.id, row.content)).collect())
    }
}

/// Gives the buffer, and what SQLite keeps beside it, another name.
fn put_aside(folder: &Path, now: Wall) -> io::Result<String> {
    let name = format!("egress-damaged-{}.db", now.to_string().replace(':', "-"));
    for suffix in ["-wal", "-shm", ""] {
        let from = folder.join(format!("{BUFFER}{suffix}"));
        if from.exists() {
            fs::rename(from, folder.join(format!("{name}{suffix}")))?;
        }
    }
    Ok(name)
}

async fn waiting(connection: &mut SqliteConnection) -> Result<Vec<Waiting>, StoreError> {
    let destinations = sqlx::query!(
        "select id, last_sequence, acknowledged, refused, dropped, proved, dropped_told, last_boot_id, since_uptime_us,
                last_uptime_us
         from destination order by id"
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut found: Vec<Waiting> = destinations
        .into_iter()
        .map(|row| Waiting {
            destination: row.id,
            tally: Tally {
                last_sequence: count(row.last_sequence),
                acknowledged: count(row.acknowledged),
                refused: count(row.refused),
                dropped: count(row.dropped),
                proved: count(row.proved),
                dropped_told: count(row.dropped_told),
            },
            blocks: Vec::new(),
            arrival: arrival(row.last_boot_id.as_deref(), row.since_uptime_us, row.last_uptime_us),
        })
        .collect();
    let blocks = sqlx::query!(
        r#"select id, destination, first_sequence, entries, settled, boot_id, first_uptime_us, last_uptime_us,
                  first_us, last_us, length(content) as "bytes!: i64"
           from block order by id"#
    )
    .fetch_all(connection)
    .await?;
    for row in blocks {
        let Some(of) = found.iter_mut().find(|waiting| waiting.destination == row.destination) else {
            continue;
        };
        of.blocks.push(Block {
            id: row.id,
            first_sequence: count(row.first_sequence),
            entries: u32::try_from(row.entries).unwrap_or(1),
            settled: u32::try_from(row.settled).unwrap_or(0),
            bytes: count(row.bytes),
            boot: BootId::new(&row.boot_id),
            first: Now { uptime: uptime(row.first_uptime_us), wall: Wall::from_micros(row.first_us) },
            last: Now { uptime: uptime(row.last_uptime_us), wall: Wall::from_micros(row.last_us) },
        });
    }
    Ok(found)
}

async fn count_up(
    connection: &mut SqliteConnection,
    destination: &str,
    tally: &Tally,
) -> Result<(), StoreError> {
    let [last, acknowledged, refused, proved] =
        [tally.last_sequence, tally.acknowledged, tally.refused, tally.proved].map(integer);
    let [dropped, told] = [tally.dropped, tally.dropped_told].map(integer);
    sqlx::query!(
        "insert into destination (id, last_sequence, acknowledged, refused, dropped, proved, dropped_told)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 on conflict (id) do update set last_sequence = ?2, acknowledged = ?3, refused = ?4, dropped = ?5,
                    proved = ?6, dropped_told = ?7",
        destination,
        last,
        acknowledged,
        refused,
        dropped,
        proved,
        told
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn arrive(
    connection: &mut SqliteConnection,
    destination: &str,
    arrival: &Arrival,
) -> Result<(), StoreError> {
    let (boot, since, last) = (arrival.boot.as_str(), uptime_us(arrival.since), uptime_us(arrival.last));
    sqlx::query!(
        "update destination set last_boot_id = ?, since_uptime_us = ?, last_uptime_us = ? where id = ?",
        boot,
        since,
        last,
        destination
    )
    .execute(connection)
    .await?;
    Ok(())
}

fn arrival(boot: Option<&str>, since: Option<i64>, last: Option<i64>) -> Option<Arrival> {
    Some(Arrival { boot: BootId::new(boot?), since: uptime(since?), last: uptime(last?) })
}

async fn join(connection: &mut SqliteConnection, membership: &Membership) -> Result<(), StoreError> {
    let (group, boot) = (membership.group.as_str(), membership.boot.as_str());
    let moved = membership.moved.map(uptime_us);
    sqlx::query!(
        "insert into membership (id, group_id, boot_id, moved_uptime_us) values (1, ?1, ?2, ?3)
                         on conflict (id) do update set group_id = ?1, boot_id = ?2, moved_uptime_us = ?3",
        group,
        boot,
        moved
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn membership(connection: &mut SqliteConnection) -> Result<Option<Membership>, StoreError> {
    let found = sqlx::query!("select group_id, boot_id, moved_uptime_us from membership")
        .fetch_optional(connection)
        .await?;
    Ok(found.and_then(|row| {
        let (group, boot) = (GroupId::new(row.group_id).ok()?, BootId::new(&row.boot_id));
        Some(Membership { group, boot, moved: row.moved_uptime_us.map(uptime) })
    }))
}

fn integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn count(integer: i64) -> u64 {
    u64::try_from(integer).unwrap_or(0)
}

fn uptime_us(uptime: Uptime) -> i64 {
    i64::try_from(uptime.since_boot().as_micros()).unwrap_or(i64::MAX)
}

fn uptime(us: i64) -> Uptime {
    Uptime::new(Duration::from_micros(count(us)))
}
