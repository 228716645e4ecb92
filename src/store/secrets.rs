//! The secrets that configurations refer to, and whom each may be sent to.

use secrecy::SecretString;
use sqlx::SqliteConnection;

use super::{
    Requester, Store, StoreError, Write,
    audit::insert_audit,
    configuration::{MadeChange, row_of_change},
    history::insert_transition,
};
use crate::domain::{
    Access, Audience, AuditAction, AuditKind, AuditRow, Deed, Description, FoundSecret, GivenSecret, HttpUrl,
    MASK, MemberChange, Now, Origin, Recipient, SecretEntry, SecretId, Standing,
};

/// Where a secret stands, for its seal.
pub(super) fn place(folded: &str) -> String {
    format!("secret.value/{folded}")
}

/// A change of the stored secrets.
#[derive(Debug, Clone)]
pub struct SecretsChange {
    /// Those that are given, or kept under another description.
    pub given: Vec<GivenSecret>,
    /// Those that are removed.
    pub removed: Vec<SecretId>,
}

impl Store {
    /// The secrets without their values, by Id.
    ///
    /// # Errors
    /// When the database cannot be read, or holds what this version would not write.
    pub async fn secrets(&self) -> Result<Vec<SecretEntry>, StoreError> {
        entries(&mut *self.readers().acquire().await?).await
    }

    /// Which secrets are referred to, and by which members, such as `ClientFailover.Password`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn references(&self) -> Result<Vec<(SecretId, String)>, StoreError> {
        let accesses = self.accesses(&mut *self.readers().acquire().await?).await?;
        let reference = |(of, access): (String, Access)| {
            let member = access.credentials()?.secret_member();
            Some((access.reference()?.clone(), format!("{of}.{member}")))
        };
        Ok(accesses.into_iter().filter_map(reference).collect())
    }

    /// Changes the secrets as `decide` says, with rows of history, in one transaction that is on disk before this
    /// returns. A value that is given without origins is bound to what refers to it now.
    ///
    /// # Errors
    /// The outer error when the store cannot do it (nothing was changed), the inner one when `decide` refuses.
    pub async fn change_secrets<E>(
        &self,
        by: &Requester,
        now: Now,
        observed: &Standing,
        decide: impl FnOnce(&[SecretEntry]) -> Result<SecretsChange, E>,
    ) -> Result<Result<SecretsChange, E>, StoreError> {
        let mut writer = self.writer().await;
        let mut transaction = writer.begin().await?;
        // What cannot be read is never deleted or overwritten: the right key may still come back.
        self.sealer().usable()?;
        let stored = entries(&mut transaction).await?;
        let change = match decide(&stored) {
            Ok(change) => change,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let accesses = self.accesses(&mut transaction).await?;
        for id in &change.removed {
            let folded = id.folded();
            sqlx::query!("delete from secret where folded = ?", folded).execute(&mut *transaction).await?;
            note(&mut transaction, (by, now, observed), id, AuditAction::Deleted, &[masked("Value")]).await?;
        }
        for given in &change.given {
            let known = stored.iter().find(|entry| entry.id == given.id);
            let changes = changes(known, given);
            match &given.value {
                Some(value) => {
                    let users = accesses.iter().map(|(_, access)| access);
                    let users =
                        users.filter(|access| access.reference() == Some(&given.id)).map(Access::recipient);
                    self.give(&mut transaction, now, given, value, users.collect()).await?;
                    let action = if known.is_some() { AuditAction::Replaced } else { AuditAction::Created };
                    note(&mut transaction, (by, now, observed), &given.id, action, &changes).await?;
                }
                // The mask keeps the value; where nothing else differs, nothing happens.
                None if changes.is_empty() => {}
                None => {
                    describe(&mut transaction, given).await?;
                    let action = AuditAction::Updated;
                    note(&mut transaction, (by, now, observed), &given.id, action, &changes).await?;
                }
            }
        }
        transaction.commit().await?;
        Ok(Ok(change))
    }

    async fn give(
        &self,
        transaction: &mut Write<'_>,
        now: Now,
        given: &GivenSecret,
        value: &SecretString,
        users: Vec<Recipient>,
    ) -> Result<(), StoreError> {
        let (id, folded) = (given.id.as_str(), given.id.folded());
        let sealed = self.sealer().seal(&place(&folded), value)?;
        let description = given.description.as_ref().map(Description::as_str);
        let (named, at) = (!given.origins.is_empty(), now.wall.micros());
        sqlx::query!("delete from secret where folded = ?", folded).execute(&mut **transaction).await?;
        sqlx::query!(
            "insert into secret (id, folded, description, expiration_date, value, named, given_us)
             values (?, ?, ?, ?, ?, ?, ?)",
            id,
            folded,
            description,
            given.expiration_date,
            sealed,
            named,
            at
        )
        .execute(&mut **transaction)
        .await?;
        let origins = given.origins.iter().cloned();
        let origins = origins.map(|endpoint| Recipient { endpoint, token_endpoint: None, checked: true });
        let recipients = if named { origins.collect() } else { users };
        for recipient in &recipients {
            bind(transaction, &folded, recipient).await?;
        }
        Ok(())
    }

    /// Binds the secret that `access` refers to, if it is there and nobody's yet.
    pub(super) async fn bind_reference(
        &self,
        transaction: &mut Write<'_>,
        access: &Access,
    ) -> Result<(), StoreError> {
        let Some(id) = access.reference() else { return Ok(()) };
        let folded = id.folded();
        let open = sqlx::query_scalar!(
            "select count(*) from secret where folded = ?1 and named = 0
             and not exists (select 1 from secret_recipient where secret = ?1)",
            folded
        );
        if open.fetch_one(&mut **transaction).await? > 0 {
            bind(transaction, &folded, &access.recipient()).await?;
        }
        Ok(())
    }

    /// The secret that `access` refers to, if it is there and can be read.
    pub(super) async fn find_secret(
        &self,
        connection: &mut SqliteConnection,
        access: &Access,
    ) -> Result<Option<FoundSecret>, StoreError> {
        let Some(id) = access.reference() else { return Ok(None) };
        let folded = id.folded();
        let row = sqlx::query!("select given, value, named from secret where folded = ?", folded);
        let Some(row) = row.fetch_optional(&mut *connection).await? else { return Ok(None) };
        let value = self.sealer().open_sealed(&place(&folded), &row.value)?;
        let audience = audience(connection, &folded, row.named != 0).await?;
        Ok(Some(FoundSecret { value, given: row.given, audience }))
    }
}

/// Who made a change, when, and what was observed then.
type Made<'a> = (&'a Requester, Now, &'a Standing);

/// Writes into the one timeline, and into the audit trail, that a secret changed.
async fn note(
    transaction: &mut Write<'_>,
    (by, now, observed): Made<'_>,
    id: &SecretId,
    action: AuditAction,
    changes: &[MemberChange],
) -> Result<(), StoreError> {
    let what = format!("the secret {:?}", id.as_str());
    let (action_name, id_text) = (action.as_str(), id.as_str());
    let made = MadeChange { facet: "Secrets", what, id: id_text, action: action_name, changes };
    insert_transition(transaction, &row_of_change(by, now, observed, &made)).await?;
    let (by, from) = (by.user.clone(), by.from.map(|from| from.to_string()));
    let deed = Deed { kind: AuditKind::Secret, action, subject: id.to_string() };
    insert_audit(transaction, &AuditRow::of_deed(deed, now.wall, by, from)).await
}

/// Which members of a secret become others, as who may not read secrets may see it.
fn changes(stored: Option<&SecretEntry>, given: &GivenSecret) -> Vec<MemberChange> {
    let mut changes = Vec::new();
    if let Some(stored) = stored.filter(|stored| stored.id.as_str() != given.id.as_str()) {
        let (from, to) = (stored.id.to_string(), given.id.to_string());
        changes.push(MemberChange { member: "Id", from: Some(from), to: Some(to) });
    }
    if stored.and_then(|stored| stored.description.as_ref()) != given.description.as_ref() {
        changes.push(masked("Description"));
    }
    if stored.and_then(|stored| stored.expiration_date.as_ref()) != given.expiration_date.as_ref() {
        changes.push(masked("ExpirationDate"));
    }
    if given.value.is_some() {
        changes.push(masked("Value"));
    }
    changes
}

fn masked(member: &'static str) -> MemberChange {
    let mask = || Some(MASK.to_owned());
    MemberChange { member, from: mask(), to: mask() }
}

async fn describe(transaction: &mut Write<'_>, given: &GivenSecret) -> Result<(), StoreError> {
    let (id, folded) = (given.id.as_str(), given.id.folded());
    let description = given.description.as_ref().map(Description::as_str);
    sqlx::query!(
        "update secret set id = ?, description = ?, expiration_date = ? where folded = ?",
        id,
        description,
        given.expiration_date,
        folded
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

async fn bind(transaction: &mut Write<'_>, folded: &str, recipient: &Recipient) -> Result<(), StoreError> {
    let (endpoint, token) =
        (recipient.endpoint.to_string(), recipient.token_endpoint.as_ref().map(ToString::to_string));
    sqlx::query!(
        "insert into secret_recipient (secret, endpoint, token_endpoint, certificate_checked) values (?, ?, ?, ?)",
        folded,
        endpoint,
        token,
        recipient.checked
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// All secrets, without their values.
pub(super) async fn entries(connection: &mut SqliteConnection) -> Result<Vec<SecretEntry>, StoreError> {
    let rows =
        sqlx::query!("select id, folded, description, expiration_date, named from secret order by folded")
            .fetch_all(&mut *connection)
            .await?;
    let mut entries = Vec::new();
    for row in rows {
        let damaged = |what: String| StoreError::Unreadable(format!("the secret {:?}: {what}", row.folded));
        let description = row.description.map(Description::new).transpose();
        entries.push(SecretEntry {
            id: SecretId::new(row.id).map_err(|error| damaged(format!("its Id {error}")))?,
            description: description.map_err(|error| damaged(format!("its description {error}")))?,
            expiration_date: row.expiration_date,
            audience: audience(connection, &row.folded, row.named != 0).await?,
        });
    }
    Ok(entries)
}

async fn audience(
    connection: &mut SqliteConnection,
    folded: &str,
    named: bool,
) -> Result<Audience, StoreError> {
    let rows = sqlx::query!(
        "select endpoint, token_endpoint, certificate_checked from secret_recipient where secret = ? order by rowid",
        folded
    );
    let origin = |text: &str| -> Result<Origin, StoreError> {
        let url =
            HttpUrl::parse(text).map_err(|error| StoreError::Unreadable(format!("an origin {error}")))?;
        Ok(url.origin())
    };
    let mut recipients = Vec::new();
    for row in rows.fetch_all(connection).await? {
        recipients.push(Recipient {
            endpoint: origin(&row.endpoint)?,
            token_endpoint: row.token_endpoint.as_deref().map(origin).transpose()?,
            checked: row.certificate_checked != 0,
        });
    }
    Ok(if named {
        Audience::Named(recipients.into_iter().map(|one| one.endpoint).collect())
    } else {
        Audience::Used(recipients)
    })
}
