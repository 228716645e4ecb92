//! How a server is reached: its address, the login there, and when the secret of that is at hand.

use secrecy::{ExposeSecret, SecretString};

use super::{Credentials, Fault, FoundSecret, HttpUrl, Origin, Protected, Recipient, SecretEntry, SecretId};

/// A server that requests are sent to: the proof that its members obey every rule.
#[derive(Debug, Clone)]
pub struct Access {
    pub(super) endpoint: HttpUrl,
    pub(super) credentials: Option<Credentials>,
    pub(super) token_endpoint: Option<HttpUrl>,
    pub(super) validate_certificate: bool,
}

impl Access {
    /// The members of an access, in the documents' order.
    pub const MEMBERS: [&str; 7] = [
        "Endpoint",
        "UserName",
        "Password",
        "ClientId",
        "ClientSecret",
        "TokenEndpoint",
        "ValidateEndpointCertificate",
    ];

    /// Endpoint: the base address.
    #[must_use]
    pub const fn endpoint(&self) -> &HttpUrl {
        &self.endpoint
    }

    /// UserName with Password, or ClientId with ClientSecret.
    #[must_use]
    pub const fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// TokenEndpoint.
    #[must_use]
    pub const fn token_endpoint(&self) -> Option<&HttpUrl> {
        self.token_endpoint.as_ref()
    }

    /// ValidateEndpointCertificate.
    #[must_use]
    pub const fn validate_certificate(&self) -> bool {
        self.validate_certificate
    }

    /// Whether a connection of it may be encrypted.
    #[must_use]
    pub fn uses_tls(&self) -> bool {
        self.endpoint.is_https() || self.token_endpoint.as_ref().is_some_and(HttpUrl::is_https)
    }

    /// Whom its secret is sent to.
    #[must_use]
    pub fn recipient(&self) -> Recipient {
        Recipient {
            endpoint: self.endpoint.origin(),
            token_endpoint: self.token_endpoint.as_ref().map(HttpUrl::origin),
            checked: self.validate_certificate,
        }
    }

    /// The secret it refers to, if it does.
    #[must_use]
    pub fn reference(&self) -> Option<&SecretId> {
        match self.credentials.as_ref().map(Credentials::secret) {
            Some(Protected::Reference(id)) => Some(id),
            Some(Protected::Value(_)) | None => None,
        }
    }

    /// Why the secret it refers to, if it does, would not be at hand with these.
    #[must_use]
    pub fn closed_by(&self, secrets: &[SecretEntry]) -> Option<Closed> {
        let id = self.reference()?.clone();
        let member = self.credentials.as_ref()?.secret_member();
        match secrets.iter().find(|entry| entry.id == id) {
            None => Some(Closed::Unknown { member, id }),
            Some(entry) if entry.audience.admits(&self.recipient()) => None,
            Some(entry) => Some(Closed::Elsewhere { member, id, bound: entry.audience.origins() }),
        }
    }

    /// The same with its secret at hand: `found` is what it refers to, where it refers to one and that is there.
    ///
    /// # Errors
    /// When it refers to a secret that is not there, or was given for others.
    pub fn open(&self, found: Option<FoundSecret>) -> Result<OpenAccess, Closed> {
        let given = self.reference().and(found.as_ref()).map(|found| found.given);
        let open = |member: &'static str, held: &Protected| match held {
            Protected::Value(secret) => Ok(secret.clone()),
            Protected::Reference(id) => match found {
                None => Err(Closed::Unknown { member, id: id.clone() }),
                Some(found) if found.audience.admits(&self.recipient()) => Ok(found.value),
                Some(found) => {
                    Err(Closed::Elsewhere { member, id: id.clone(), bound: found.audience.origins() })
                }
            },
        };
        let credentials = match &self.credentials {
            None => None,
            Some(Credentials::Basic { user, password }) => {
                Some(Credentials::Basic { user: user.clone(), password: open("Password", password)? })
            }
            Some(Credentials::Client { id, secret }) => {
                Some(Credentials::Client { id: id.clone(), secret: open("ClientSecret", secret)? })
            }
        };
        Ok(OpenAccess { access: self.clone(), credentials, given })
    }

    /// What is allowed but should be known: each a sentence.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(credentials) = &self.credentials {
            let sends_secret_to = match credentials {
                Credentials::Basic { .. } => &self.endpoint,
                Credentials::Client { .. } => self.token_endpoint.as_ref().unwrap_or(&self.endpoint),
            };
            if !sends_secret_to.is_https() && !sends_secret_to.is_loopback() {
                warnings.push(format!(
                    "{} is sent over http to another host, where anybody on the way can read it.",
                    credentials.secret_member()
                ));
            }
        }
        if !self.validate_certificate && self.uses_tls() {
            warnings.push(
                "ValidateEndpointCertificate is false: the endpoint's identity is not checked. \
                 Use this only for testing with self-signed certificates."
                    .to_owned(),
            );
        }
        warnings
    }

    /// Every member as text, in the order of [`Access::MEMBERS`]; secrets are masked.
    pub(super) fn shown(&self) -> [Option<String>; Self::MEMBERS.len()] {
        let (mut user, mut password, mut client, mut secret) = (None, None, None, None);
        match &self.credentials {
            Some(Credentials::Basic { user: name, password: held }) => {
                (user, password) = (Some(name.to_string()), Some(held.shown()));
            }
            Some(Credentials::Client { id, secret: held }) => {
                (client, secret) = (Some(id.to_string()), Some(held.shown()));
            }
            None => {}
        }
        [
            Some(self.endpoint.to_string()),
            user,
            password,
            client,
            secret,
            self.token_endpoint.as_ref().map(ToString::to_string),
            Some(self.validate_certificate.to_string()),
        ]
    }

    /// Whether `member` is one that holds a secret, and holds another one in `new` than in `old`.
    pub(super) fn secret_differs(old: Option<&Self>, new: Option<&Self>, member: &str) -> bool {
        match (secret_of(old, member), secret_of(new, member)) {
            (Some(old), Some(new)) => old.text().expose_secret() != new.text().expose_secret(),
            (old, new) => old.is_some() != new.is_some(),
        }
    }
}

/// An access with its secret at hand: what requests are made by.
#[derive(Debug, Clone)]
pub struct OpenAccess {
    access: Access,
    credentials: Option<Credentials<SecretString>>,
    given: Option<i64>,
}

impl OpenAccess {
    /// The access as it is configured.
    #[must_use]
    pub const fn access(&self) -> &Access {
        &self.access
    }

    /// The credentials, with their secret.
    #[must_use]
    pub const fn credentials(&self) -> Option<&Credentials<SecretString>> {
        self.credentials.as_ref()
    }

    /// Which giving of the secret that it refers to this is: another number, another login.
    #[must_use]
    pub const fn given(&self) -> Option<i64> {
        self.given
    }
}

/// Why the secret of an access is not at hand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// It refers to one that is not there.
    #[error("{member} refers to the secret {:?}, which is not in the secret store; PUT it at management/secrets", .id.as_str())]
    Unknown {
        /// Password or ClientSecret.
        member: &'static str,
        /// What it refers to.
        id: SecretId,
    },
    /// It refers to one that may not be sent there.
    #[error("{member} refers to the secret {:?}, which was given for {}", .id.as_str(), listed(.bound))]
    Elsewhere {
        /// Password or ClientSecret.
        member: &'static str,
        /// What it refers to.
        id: SecretId,
        /// Where it may be sent.
        bound: Vec<Origin>,
    },
}

impl Closed {
    /// The same as a fault of a request.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Unknown { member, id } => Fault::new(
                *member,
                format!("refers to the secret {:?}, which is not in the secret store", id.as_str()),
                format!("PUT management/secrets/{id} first."),
            ),
            Self::Elsewhere { member, id, bound } => Fault::new(
                *member,
                format!(
                    "refers to the secret {:?}, which was given for {} with certificate checks as they were",
                    id.as_str(),
                    listed(bound)
                ),
                format!(
                    "Whoever knows the secret gives it again: PUT management/secrets/{id} with Value, and with Origins \
                     that name every origin it may be sent to."
                ),
            ),
        }
    }
}

fn listed(origins: &[Origin]) -> String {
    origins.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The secret that `access` has in `member`.
fn secret_of<'a>(access: Option<&'a Access>, member: &str) -> Option<&'a Protected> {
    access
        .and_then(Access::credentials)
        .filter(|held| held.secret_member() == member)
        .map(Credentials::secret)
}
