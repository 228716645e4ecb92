//! The client failover configuration: the proof that it obeys every rule.

use secrecy::{ExposeSecret, SecretString};

use super::{ConfigurationId, Description, FailoverTimeout, GroupId, HttpUrl, Mode, Name};

/// What is shown in place of a secret: exactly 15 asterisks. Written back, it keeps what is stored.
pub const MASK: &str = "***************";

/// How the adapter proves to the endpoint who it is.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// HTTP Basic (PI Web API and on-premises endpoints).
    Basic {
        /// UserName.
        user: Name,
        /// Password.
        password: SecretString,
    },
    /// A bearer token by the client-credentials grant (cloud endpoints).
    Client {
        /// ClientId.
        id: Name,
        /// ClientSecret.
        secret: SecretString,
    },
}

impl Credentials {
    /// The member that holds the secret, as the documents spell it.
    #[must_use]
    pub const fn secret_member(&self) -> &'static str {
        match self {
            Self::Basic { .. } => "Password",
            Self::Client { .. } => "ClientSecret",
        }
    }

    const fn secret(&self) -> &SecretString {
        match self {
            Self::Basic { password: secret, .. } | Self::Client { secret, .. } => secret,
        }
    }
}

/// A client failover configuration that can be used as it is.
#[derive(Debug, Clone)]
pub struct FailoverConfig {
    pub(super) id: ConfigurationId,
    pub(super) group: GroupId,
    pub(super) name: Option<Name>,
    pub(super) description: Option<Description>,
    pub(super) timeout: FailoverTimeout,
    pub(super) mode: Mode,
    pub(super) endpoint: HttpUrl,
    pub(super) credentials: Option<Credentials>,
    pub(super) token_endpoint: Option<HttpUrl>,
    pub(super) validate_certificate: bool,
}

/// One member that a change of the configuration changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberChange {
    /// The member, as the documents spell it.
    pub member: &'static str,
    /// What it was; empty when it was not there; the mask for a secret.
    pub from: Option<String>,
    /// What it is; empty when it is not there; the mask for a secret.
    pub to: Option<String>,
}

impl FailoverConfig {
    /// Id: names the configuration, never the session.
    #[must_use]
    pub const fn id(&self) -> &ConfigurationId {
        &self.id
    }

    /// FailoverGroupId.
    #[must_use]
    pub const fn group(&self) -> &GroupId {
        &self.group
    }

    /// Name.
    #[must_use]
    pub const fn name(&self) -> Option<&Name> {
        self.name.as_ref()
    }

    /// Description.
    #[must_use]
    pub const fn description(&self) -> Option<&Description> {
        self.description.as_ref()
    }

    /// FailoverTimeout: how long to wait for the endpoint. The group's own may differ.
    #[must_use]
    pub const fn timeout(&self) -> FailoverTimeout {
        self.timeout
    }

    /// Mode.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Endpoint: the base address of the failover endpoint.
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

    /// Whether calls to the endpoint are made in the same way as those of `other`: address, login,
    /// certificate check and timeout.
    #[must_use]
    pub fn is_reached_like(&self, other: &Self) -> bool {
        let of_people = ["Id", "FailoverGroupId", "Name", "Description", "Mode"];
        Self::changes(Some(other), Some(self)).iter().all(|change| of_people.contains(&change.member))
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
        let uses_tls =
            self.endpoint.is_https() || self.token_endpoint.as_ref().is_some_and(HttpUrl::is_https);
        if !self.validate_certificate && uses_tls {
            warnings.push(
                "ValidateEndpointCertificate is false: the endpoint's identity is not checked. \
                 Use this only for testing with self-signed certificates."
                    .to_owned(),
            );
        }
        warnings
    }

    /// What a change from `old` to `new` changed, in the documents' order. Secrets are masked.
    #[must_use]
    pub fn changes(old: Option<&Self>, new: Option<&Self>) -> Vec<MemberChange> {
        let (old_members, new_members) = (old.map(Self::shown), new.map(Self::shown));
        let secret_changed = |member| match (secret_of(old, member), secret_of(new, member)) {
            (Some(old), Some(new)) => old.expose_secret() != new.expose_secret(),
            (old, new) => old.is_some() != new.is_some(),
        };
        let mut changes = Vec::new();
        for index in 0..MEMBERS.len() {
            let member = MEMBERS[index];
            let from = old_members.as_ref().and_then(|members| members[index].clone());
            let to = new_members.as_ref().and_then(|members| members[index].clone());
            let is_secret = matches!(member, "Password" | "ClientSecret");
            if from != to || (is_secret && secret_changed(member)) {
                changes.push(MemberChange { member, from, to });
            }
        }
        changes
    }

    /// Every member as text, in the order of [`MEMBERS`].
    fn shown(&self) -> [Option<String>; MEMBERS.len()] {
        let (mut user, mut password, mut client, mut secret) = (None, None, None, None);
        match &self.credentials {
            Some(Credentials::Basic { user: name, .. }) => {
                (user, password) = (Some(name.to_string()), Some(MASK.to_owned()));
            }
            Some(Credentials::Client { id, .. }) => {
                (client, secret) = (Some(id.to_string()), Some(MASK.to_owned()));
            }
            None => {}
        }
        [
            Some(self.id.to_string()),
            Some(self.group.to_string()),
            self.name.as_ref().map(ToString::to_string),
            self.description.as_ref().map(ToString::to_string),
            Some(self.timeout.to_string()),
            Some(self.mode.to_string()),
            Some(self.endpoint.to_string()),
            user,
            password,
            client,
            secret,
            self.token_endpoint.as_ref().map(ToString::to_string),
            Some(self.validate_certificate.to_string()),
        ]
    }
}

/// The secret that `config` has in `member`.
fn secret_of<'a>(config: Option<&'a FailoverConfig>, member: &str) -> Option<&'a SecretString> {
    config
        .and_then(FailoverConfig::credentials)
        .filter(|held| held.secret_member() == member)
        .map(Credentials::secret)
}

/// The members of the configuration, in the documents' order.
pub const MEMBERS: [&str; 13] = [
    "Id",
    "FailoverGroupId",
    "Name",
    "Description",
    "FailoverTimeout",
    "Mode",
    "Endpoint",
    "UserName",
    "Password",
    "ClientId",
    "ClientSecret",
    "TokenEndpoint",
    "ValidateEndpointCertificate",
];
