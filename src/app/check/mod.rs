//! Looks at a half's surroundings before it runs, or while it does, and says what to do about what is wrong.
//!
//! Nothing is made or changed, apart from calls to the endpoint that change nothing there.

mod certificate;
mod clocks;
mod destinations;
mod place;
mod reach;
mod work;

use std::{fmt, net::SocketAddr, path::Path};

use super::entrance::refuse_exposure;
use crate::{
    domain::chain,
    settings::{EndpointSettings, KeyFile, Listening, ServeSettings},
    tls::Authorities,
};
use place::Database;

/// What to do about a stored configuration that cannot be read: it is not overwritten either.
const UNREADABLE: &str = "restore a backup (client-failover restore), or start with an empty data folder";

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// As it should be.
    Good,
    /// It works, and somebody should look at it.
    Doubtful,
    /// It does not work.
    Bad,
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Good => "ok",
            Self::Doubtful => "WARNING",
            Self::Bad => "FAULT",
        })
    }
}

/// What was looked at, and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at, in a word or two.
    pub subject: &'static str,
    /// How bad it is.
    pub grade: Grade,
    /// What was found.
    pub found: String,
    /// What to do; empty where nothing is.
    pub remedy: String,
}

impl Finding {
    fn good(subject: &'static str, found: impl Into<String>) -> Self {
        Self { subject, grade: Grade::Good, found: found.into(), remedy: String::new() }
    }

    fn doubtful(subject: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { subject, grade: Grade::Doubtful, found: found.into(), remedy: remedy.into() }
    }

    fn bad(subject: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { subject, grade: Grade::Bad, found: found.into(), remedy: remedy.into() }
    }
}

/// Looks at what `serve` with these settings needs.
pub async fn serve(settings: &ServeSettings) -> Vec<Finding> {
    let folder = (settings.data_dir.as_path(), settings.key_file.as_ref());
    let (mut findings, database) = surroundings(folder, settings.listen, &settings.listening).await;
    match authorities(&settings.listening) {
        Ok(authorities) => {
            findings.extend(work::all(settings, &authorities).await);
            findings.push(reach::endpoint(&database, &authorities).await);
            findings.extend(destinations::all(&database).await);
        }
        Err(finding) => findings.push(finding),
    }
    findings
}

/// Looks at what `endpoint` with these settings needs.
pub async fn endpoint(settings: &EndpointSettings) -> Vec<Finding> {
    let folder = (settings.data_dir.as_path(), settings.key_file.as_ref());
    surroundings(folder, settings.listen, &settings.listening).await.0
}

/// What both halves need, and the database.
async fn surroundings(
    (folder, key): (&Path, Option<&KeyFile>),
    listen: SocketAddr,
    listening: &Listening,
) -> (Vec<Finding>, Database) {
    let (mut findings, looked) = place::all(folder, key).await;
    findings.extend(clocks::all(looked.newest).await);
    findings.push(reach::listener(listen, looked.in_use));
    findings.extend(certificate::all(folder, listen, listening).await);
    let users = match &looked.database {
        Database::Read(store) => Some(store.accounts().await.map_or(0, |accounts| accounts.len())),
        Database::NotMade => Some(0),
        Database::NotRead => None,
    };
    findings.push(entrance(listen, listening, users));
    (findings, looked.database)
}

fn authorities(listening: &Listening) -> Result<Authorities, Finding> {
    let read = listening.ca_file.as_deref().map(Authorities::read).transpose();
    read.map(Option::unwrap_or_default)
        .map_err(|error| Finding::bad("authorities", chain(&error), "mend the file of --ca-file"))
}

/// Who is let in.
fn entrance(listen: SocketAddr, listening: &Listening, users: Option<usize>) -> Finding {
    let Some(users) = users else {
        return Finding::doubtful(
            "login",
            "who may log in is not known: the database was not read",
            "mend that first",
        );
    };
    let login = users > 0 || listening.oidc.is_some();
    let who = match (users, &listening.oidc) {
        (0, None) => "everybody on this machine is let in; there is no user".to_owned(),
        (users, oidc) => {
            let tokens = oidc.as_ref().map(|oidc| format!(", and tokens of {}", oidc.issuer));
            let noun = if users == 1 { "user" } else { "users" };
            format!("{users} {noun} may log in{}", tokens.unwrap_or_default())
        }
    };
    if listen.ip().to_canonical().is_loopback() {
        return Finding::good("login", who);
    }
    match refuse_exposure(listen, listening.certificate.is_some(), login) {
        Ok(()) => Finding::good("login", who),
        Err(error) if listening.insecure => {
            Finding::doubtful("login", error.to_string(), "see docs/security.md")
        }
        Err(error) => Finding::bad("login", error.to_string(), "see docs/security.md"),
    }
}
