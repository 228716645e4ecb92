//! What the audit trail tells: who changed what, from where, and what was refused.

use std::net::IpAddr;

use super::Wall;

words! {
    /// What a row of the audit trail is about.
    AuditKind {
        /// The client failover configuration, or a data endpoint.
        Configuration,
        /// A secret of the secret store.
        Secret,
        /// Who may log in.
        User,
        /// The key that seals secrets.
        Key,
        /// All that the server keeps.
        Database,
        /// A role override.
        Override,
        /// A failover group.
        Group,
        /// A session that was not its remover's own.
        Session,
        /// Something that was refused.
        Refusal,
    }
}

words! {
    /// What was done, or what was wrong with what was refused.
    AuditAction {
        /// It was not there before.
        Created,
        /// It was put in the place of what was there.
        Replaced,
        /// Some of it was changed.
        Updated,
        /// It was removed.
        Deleted,
        /// Another password.
        PasswordChanged,
        /// Another key.
        Rotated,
        /// It was copied to a file.
        BackedUp,
        /// It was put back from such a file.
        Restored,
        /// It holds from now on.
        Began,
        /// It holds no longer.
        Ended,
        /// Name or password were wrong.
        WrongLogin,
        /// Too many logins from there failed.
        TooManyLogins,
        /// The token was nobody's.
        WrongToken,
        /// The request called the server by another name.
        WrongHost,
        /// Another's page sent the request.
        WrongOrigin,
        /// It needs an administrator.
        NotAllowed,
        /// It was about somebody else's session.
        NotTheOwner,
        /// The change itself was none that can be made.
        BadChange,
    }
}

/// What somebody did that the audit trail tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// What it is about.
    pub kind: AuditKind,
    /// What was done.
    pub action: AuditAction,
    /// What it was done to.
    pub subject: String,
}

/// Something that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What was wrong with it.
    pub action: AuditAction,
    /// What was asked for: method and route.
    pub subject: String,
    /// Who asked, or says that he is.
    pub by: String,
    /// From where.
    pub from: IpAddr,
    /// What was answered.
    pub status: u16,
}

/// A row of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// When.
    pub at: Wall,
    /// What it is about.
    pub kind: AuditKind,
    /// What was done, or refused.
    pub action: AuditAction,
    /// What it was done to; of a refusal, what was asked for.
    pub subject: String,
    /// Who did it.
    pub by: String,
    /// From which address; empty for a command on the server's machine.
    pub from: Option<String>,
    /// Of a refusal: what was answered.
    pub status: Option<u16>,
    /// How many alike it stands for.
    pub times: u32,
    /// Of a change of the configuration: a JSON array of what it changed.
    pub changes: Option<String>,
}

impl AuditRow {
    /// What `by` did, from the address `from`.
    #[must_use]
    pub fn of_deed(deed: Deed, at: Wall, by: String, from: Option<String>) -> Self {
        let Deed { kind, action, subject } = deed;
        Self { at, kind, action, subject, by, from, status: None, times: 1, changes: None }
    }
}

/// What one who acts from many addresses has at his disposal: an IPv4 address, an IPv6 network, all of this machine.
#[must_use]
pub fn network(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V4(address) if address.is_loopback() => IpAddr::from([127, 0, 0, 1]),
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}
