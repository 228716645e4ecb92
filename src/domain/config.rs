//! The client failover configuration: the proof that it obeys every rule.

use super::{Access, ConfigurationId, Description, FailoverTimeout, GroupId, HttpUrl, Mode, Name, Protected};

/// What is shown in place of a secret: exactly 15 asterisks. Written back, it keeps what is stored.
pub const MASK: &str = "***************";

/// How the adapter proves to the endpoint who it is. `S` is its secret: as it is configured, or (in an
/// [`OpenAccess`](super::OpenAccess)) itself.
#[derive(Debug, Clone)]
pub enum Credentials<S = Protected> {
    /// HTTP Basic (PI Web API and on-premises endpoints).
    Basic {
        /// UserName.
        user: Name,
        /// Password.
        password: S,
    },
    /// A bearer token by the client-credentials grant (cloud endpoints).
    Client {
        /// ClientId.
        id: Name,
        /// ClientSecret.
        secret: S,
    },
}

impl<S> Credentials<S> {
    /// The member that holds the secret, as the documents spell it.
    #[must_use]
    pub const fn secret_member(&self) -> &'static str {
        match self {
            Self::Basic { .. } => "Password",
            Self::Client { .. } => "ClientSecret",
        }
    }

    pub(super) const fn secret(&self) -> &S {
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
    pub(super) access: Access,
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

    /// How the failover endpoint is reached.
    #[must_use]
    pub const fn access(&self) -> &Access {
        &self.access
    }

    /// Endpoint: the base address of the failover endpoint.
    #[must_use]
    pub const fn endpoint(&self) -> &HttpUrl {
        self.access.endpoint()
    }

    /// UserName with Password, or ClientId with ClientSecret.
    #[must_use]
    pub const fn credentials(&self) -> Option<&Credentials> {
        self.access.credentials()
    }

    /// TokenEndpoint.
    #[must_use]
    pub const fn token_endpoint(&self) -> Option<&HttpUrl> {
        self.access.token_endpoint()
    }

    /// ValidateEndpointCertificate.
    #[must_use]
    pub const fn validate_certificate(&self) -> bool {
        self.access.validate_certificate()
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
        self.access.warnings()
    }

    /// What a change from `old` to `new` changed, in the documents' order. Secrets are masked.
    #[must_use]
    pub fn changes(old: Option<&Self>, new: Option<&Self>) -> Vec<MemberChange> {
        let access = (old.map(Self::access), new.map(Self::access));
        differences(&MEMBERS, old.map(Self::shown), new.map(Self::shown), access)
    }

    /// Every member as text, in the order of [`MEMBERS`].
    fn shown(&self) -> Vec<Option<String>> {
        let mut shown = vec![
            Some(self.id.to_string()),
            Some(self.group.to_string()),
            self.name.as_ref().map(ToString::to_string),
            self.description.as_ref().map(ToString::to_string),
            Some(self.timeout.to_string()),
            Some(self.mode.to_string()),
        ];
        shown.extend(self.access.shown());
        shown
    }
}

/// What lies between two lists of what `members` are, as they are shown; a secret that changed behind its
/// mask counts.
pub(super) fn differences(
    members: &[&'static str],
    old: Option<Vec<Option<String>>>,
    new: Option<Vec<Option<String>>>,
    access: (Option<&Access>, Option<&Access>),
) -> Vec<MemberChange> {
    let at = |list: &Option<Vec<Option<String>>>, index: usize| {
        list.as_ref().and_then(|members| members.get(index).cloned().flatten())
    };
    let mut changes = Vec::new();
    for (index, &member) in members.iter().enumerate() {
        let (from, to) = (at(&old, index), at(&new, index));
        if from != to || Access::secret_differs(access.0, access.1, member) {
            changes.push(MemberChange { member, from, to });
        }
    }
    changes
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
