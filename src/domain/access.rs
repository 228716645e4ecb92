//! How a server is reached: its address, the login there, and the rules that bind one to the other.

use secrecy::{ExposeSecret, SecretString};

use super::{
    Credentials, Fault, Faults, Field, FoundSecret, HttpUrl, MASK, Name, Origin, Protected, Recipient,
    SecretEntry, SecretId, TextError,
};

/// The longest secret, in characters: room for a signed token used as a client secret.
pub const SECRET_LIMIT: usize = 4_096;

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

/// What a request said of the members of an access, before any rule was applied.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "each is the member of the same name")]
pub struct AccessDraft {
    pub endpoint: Field<String>,
    pub user_name: Field<String>,
    pub password: Field<SecretString>,
    pub client_id: Field<String>,
    pub client_secret: Field<SecretString>,
    pub token_endpoint: Field<String>,
    pub validate_certificate: Field<bool>,
}

impl AccessDraft {
    /// This draft with everything it leaves out taken from `stored`; a kept secret becomes the mask.
    pub(super) fn over(self, stored: &Access) -> Self {
        let (mut user, mut password, mut client, mut secret) = (None, None, None, None);
        match stored.credentials() {
            Some(Credentials::Basic { user: name, .. }) => {
                (user, password) = (Some(name.to_string()), Some(MASK.into()))
            }
            Some(Credentials::Client { id, .. }) => {
                (client, secret) = (Some(id.to_string()), Some(MASK.into()))
            }
            None => {}
        }
        Self {
            endpoint: self.endpoint.or(Some(stored.endpoint().to_string())),
            user_name: self.user_name.or(user),
            password: self.password.or(password),
            client_id: self.client_id.or(client),
            client_secret: self.client_secret.or(secret),
            token_endpoint: self.token_endpoint.or(stored.token_endpoint().map(ToString::to_string)),
            validate_certificate: self.validate_certificate.or(Some(stored.validate_certificate())),
        }
    }

    /// The access that this asks for, in the place of `stored`. `what` says what Endpoint is, `example`
    /// is one.
    pub(super) fn check(
        self,
        faults: &mut Faults,
        stored: Option<&Access>,
        what: &str,
        example: &str,
    ) -> Option<Access> {
        let endpoint = required(faults, "Endpoint", self.endpoint, what)
            .and_then(|text| faults.take(address("Endpoint", &text, example)));
        let token_endpoint =
            self.token_endpoint.value().map(|text| faults.take(address("TokenEndpoint", &text, example)));
        let validate_certificate = self.validate_certificate.value().unwrap_or(true);

        let pairs = Pairs {
            user_name: self.user_name.value(),
            password: self.password.value(),
            client_id: self.client_id.value(),
            client_secret: self.client_secret.value(),
        };
        // Whether a kept secret would change hands can only be judged when both addresses can be read.
        let rebinds = match (&endpoint, &token_endpoint) {
            (Some(endpoint), None | Some(Some(_))) => stored.is_some_and(|stored| {
                let token = token_endpoint.as_ref().and_then(Option::as_ref);
                let recipient = Recipient {
                    endpoint: endpoint.origin(),
                    token_endpoint: token.map(HttpUrl::origin),
                    checked: validate_certificate,
                };
                stored.recipient() != recipient
            }),
            _ => false,
        };
        let needs_login = endpoint.as_ref().is_some_and(HttpUrl::is_https);
        let credentials = pairs.check(faults, stored, rebinds, needs_login);
        let token_endpoint = token_endpoint.flatten();
        endpoint.map(|endpoint| Access { endpoint, credentials, token_endpoint, validate_certificate })
    }
}

pub(super) fn required(
    faults: &mut Faults,
    member: &str,
    field: Field<String>,
    resolution: &str,
) -> Option<String> {
    let value = field.value();
    if value.is_none() {
        faults.push(Fault::new(member, "is required but missing", resolution));
    }
    value
}

pub(super) fn checked<T>(
    member: &str,
    text: String,
    new: fn(String) -> Result<T, TextError>,
) -> Result<T, Fault> {
    let limits = if member == "Description" { "up to 1,024" } else { "1 to 256" };
    new(text).map_err(|error| {
        let resolution = match error {
            TextError::Dots => format!("{member} is neither \".\" nor \"..\"."),
            TextError::Empty | TextError::TooLong { .. } | TextError::Control => {
                format!("{member} has {limits} characters, none of them a control character.")
            }
        };
        Fault::new(member, error.to_string(), resolution)
    })
}

fn address(member: &'static str, text: &str, example: &str) -> Result<HttpUrl, Fault> {
    HttpUrl::parse(text).map_err(|error| {
        let resolution = format!(
            "{member} is an absolute http or https URL with a host, such as \
             {example}, without user name, password and fragment."
        );
        Fault::new(member, error.to_string(), resolution)
    })
}

/// The four credential members of a request.
struct Pairs {
    user_name: Option<String>,
    password: Option<SecretString>,
    client_id: Option<String>,
    client_secret: Option<SecretString>,
}

const WHICH_PAIR: &str =
    "Give UserName with Password (Basic), or ClientId with ClientSecret (bearer token), not parts of both.";

impl Pairs {
    fn check(
        self,
        faults: &mut Faults,
        stored: Option<&Access>,
        rebinds: bool,
        needs_login: bool,
    ) -> Option<Credentials> {
        let basic = self.user_name.is_some() || self.password.is_some();
        let client = self.client_id.is_some() || self.client_secret.is_some();
        if basic && client {
            faults.push(Fault::new(
                "UserName and ClientId",
                "are two kinds of credentials at once",
                WHICH_PAIR,
            ));
            return None;
        }
        if !basic && !client {
            if needs_login {
                let reason = "is an https URL, for which credentials are missing";
                faults.push(Fault::new("Endpoint", reason, WHICH_PAIR));
            }
            return None;
        }
        let (names, name, secret) = if basic {
            (["UserName", "Password"], self.user_name, self.password)
        } else {
            (["ClientId", "ClientSecret"], self.client_id, self.client_secret)
        };
        for (index, missing) in [name.is_none(), secret.is_none()].into_iter().enumerate() {
            if missing {
                let reason = format!("is missing beside {}", names[1 - index]);
                faults.push(Fault::new(names[index], reason, WHICH_PAIR));
            }
        }
        let secret = secret.and_then(|given| faults.take(secret_value(names[1], given, stored, rebinds)));
        let name = name.and_then(|name| faults.take(checked(names[0], name, Name::new)));
        let name = name.and_then(|name| {
            if basic && name.as_str().contains(':') {
                let reason = "contains a colon, which Basic authentication cannot carry";
                faults.push(Fault::new("UserName", reason, "UserName has no colon."));
                return None;
            }
            Some(name)
        });
        match (name?, secret?) {
            (user, password) if basic => Some(Credentials::Basic { user, password }),
            (id, secret) => Some(Credentials::Client { id, secret }),
        }
    }
}

/// What `given` means: a secret, a reference to one, or what is stored behind the mask.
fn secret_value(
    member: &'static str,
    given: SecretString,
    stored: Option<&Access>,
    rebinds: bool,
) -> Result<Protected, Fault> {
    let text = given.expose_secret();
    if text == MASK {
        let kept = stored.and_then(Access::credentials).filter(|held| held.secret_member() == member);
        let Some(kept) = kept.map(Credentials::secret) else {
            return Err(Fault::new(
                member,
                "is the mask, but no secret is stored",
                format!("Give {member} its value."),
            ));
        };
        // What a reference may be used for is a matter of the secret that it names.
        if rebinds && matches!(kept, Protected::Value(_)) {
            let reason =
                "was given for another endpoint, token endpoint or certificate check, and is not passed on";
            return Err(Fault::new(
                member,
                reason,
                format!("Give {member} again in the request that changes them."),
            ));
        }
        return Ok(kept.clone());
    }
    if text.chars().count() > SECRET_LIMIT {
        return Err(Fault::new(
            member,
            "is longer than 4,096 characters",
            format!("Give a shorter {member}."),
        ));
    }
    if member == "Password" && text.chars().any(char::is_control) {
        let reason = "contains a control character, which Basic authentication cannot carry";
        return Err(Fault::new(member, reason, "Password has no control character."));
    }
    Protected::read(given).map_err(|error| {
        let reason = format!("is wrapped in {{{{ }}}}, as a reference to a secret is, whose Id {error}");
        Fault::new(
            member,
            reason,
            format!("Give {member} itself, or {{{{Id}}}} of a secret in the secret store."),
        )
    })
}
