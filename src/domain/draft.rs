//! A configuration as somebody asked for it, and the rules that turn it into one that can be used.

use secrecy::{ExposeSecret, SecretString};

use super::{
    ConfigurationId, Credentials, Description, FailoverConfig, FailoverTimeout, Fault, Faults, Field,
    GroupId, HttpUrl, MASK, Mode, Name, parse_span,
};

/// The longest secret, in characters: room for a signed token used as a client secret.
const SECRET_LIMIT: usize = 4_096;

/// What a request said of each member, before any rule was applied.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "each is the member of the same name")]
pub struct Draft {
    pub id: Field<String>,
    pub group: Field<String>,
    pub name: Field<String>,
    pub description: Field<String>,
    pub timeout: Field<String>,
    pub mode: Field<String>,
    pub endpoint: Field<String>,
    pub user_name: Field<String>,
    pub password: Field<SecretString>,
    pub client_id: Field<String>,
    pub client_secret: Field<SecretString>,
    pub token_endpoint: Field<String>,
    pub validate_certificate: Field<bool>,
}

impl Draft {
    /// The whole configuration that a POST or PUT asks for; `null` is as if left out.
    ///
    /// `stored` is what it replaces: a mask keeps its secret. Without an Id it gets the one of
    /// `stored`, or else `fresh`.
    ///
    /// # Errors
    /// When a rule is broken; with every fault.
    pub fn complete(
        self,
        stored: Option<&FailoverConfig>,
        fresh: ConfigurationId,
    ) -> Result<FailoverConfig, Faults> {
        let id = stored.map_or(fresh, |stored| stored.id().clone());
        self.check(stored, id)
    }

    /// `stored` with the members that a PATCH names changed (a JSON merge patch).
    ///
    /// # Errors
    /// When a required member is `null`, or the outcome breaks a rule; with every fault.
    pub fn patch(self, stored: &FailoverConfig) -> Result<FailoverConfig, Faults> {
        let mut faults = Faults::none();
        for (member, is_null) in [
            ("FailoverGroupId", self.group == Field::Null),
            ("Mode", self.mode == Field::Null),
            ("Endpoint", self.endpoint == Field::Null),
        ] {
            if is_null {
                let resolution = format!("Give {member} a value, or leave it out to keep the one it has.");
                faults.push(Fault::new(member, "is required and cannot be reset by null", resolution));
            }
        }
        match self.over(stored).check(Some(stored), stored.id().clone()) {
            Ok(config) => faults.or(config),
            Err(others) => {
                // A required member that was null is missing as well; one report of it is enough.
                faults.merge(others);
                Err(faults)
            }
        }
    }

    /// This draft with everything it leaves out taken from `stored`; a kept secret becomes the mask.
    fn over(self, stored: &FailoverConfig) -> Self {
        fn keep<T>(field: Field<T>, stored: Option<T>) -> Field<T> {
            match (field, stored) {
                (Field::Absent, Some(stored)) => Field::Value(stored),
                (field, _) => field,
            }
        }
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
            id: self.id,
            group: keep(self.group, Some(stored.group().to_string())),
            name: keep(self.name, stored.name().map(ToString::to_string)),
            description: keep(self.description, stored.description().map(ToString::to_string)),
            timeout: keep(self.timeout, Some(stored.timeout().to_string())),
            mode: keep(self.mode, Some(stored.mode().to_string())),
            endpoint: keep(self.endpoint, Some(stored.endpoint().to_string())),
            user_name: keep(self.user_name, user),
            password: keep(self.password, password),
            client_id: keep(self.client_id, client),
            client_secret: keep(self.client_secret, secret),
            token_endpoint: keep(self.token_endpoint, stored.token_endpoint().map(ToString::to_string)),
            validate_certificate: keep(self.validate_certificate, Some(stored.validate_certificate())),
        }
    }

    fn check(
        self,
        stored: Option<&FailoverConfig>,
        default_id: ConfigurationId,
    ) -> Result<FailoverConfig, Faults> {
        let mut faults = Faults::none();
        let id = match self.id.value() {
            Some(id) => faults.take(checked("Id", id, ConfigurationId::new)),
            None => Some(default_id),
        };
        let group = required(&mut faults, "FailoverGroupId", self.group, "Name the failover group.")
            .and_then(|group| faults.take(checked("FailoverGroupId", group, GroupId::new)));
        let name = self.name.value().and_then(|name| faults.take(checked("Name", name, Name::new)));
        let description = self
            .description
            .value()
            .and_then(|text| faults.take(checked("Description", text, Description::new)));
        let timeout =
            self.timeout.value().map_or(Some(FailoverTimeout::DEFAULT), |text| faults.take(timeout(&text)));
        let mode = required(&mut faults, "Mode", self.mode, "Mode is Hot, Warm, Cold or None.")
            .and_then(|text| faults.take(mode(&text)));
        let endpoint =
            required(&mut faults, "Endpoint", self.endpoint, "Endpoint is the failover endpoint's address.")
                .and_then(|text| faults.take(address("Endpoint", &text)));
        let token_endpoint =
            self.token_endpoint.value().map(|text| faults.take(address("TokenEndpoint", &text)));
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
                stored.endpoint().origin() != endpoint.origin()
                    || stored.token_endpoint().map(HttpUrl::origin) != token.map(HttpUrl::origin)
                    || stored.validate_certificate() != validate_certificate
            }),
            _ => false,
        };
        let needs_login = endpoint.as_ref().is_some_and(HttpUrl::is_https);
        let credentials = pairs.check(&mut faults, stored, rebinds, needs_login);

        match (id, group, timeout, mode, endpoint) {
            (Some(id), Some(group), Some(timeout), Some(mode), Some(endpoint)) if faults.is_empty() => {
                let token_endpoint = token_endpoint.flatten();
                Ok(FailoverConfig {
                    id,
                    group,
                    name,
                    description,
                    timeout,
                    mode,
                    endpoint,
                    credentials,
                    token_endpoint,
                    validate_certificate,
                })
            }
            _ => Err(faults),
        }
    }
}

fn required(faults: &mut Faults, member: &str, field: Field<String>, resolution: &str) -> Option<String> {
    let value = field.value();
    if value.is_none() {
        faults.push(Fault::new(member, "is required but missing", resolution));
    }
    value
}

fn checked<T>(
    member: &str,
    text: String,
    new: fn(String) -> Result<T, super::TextError>,
) -> Result<T, Fault> {
    let limits = if member == "Description" { "up to 1,024" } else { "1 to 256" };
    new(text).map_err(|error| {
        let resolution = match error {
            super::TextError::Dots => format!("{member} is neither \".\" nor \"..\"."),
            super::TextError::Empty | super::TextError::TooLong { .. } | super::TextError::Control => {
                format!("{member} has {limits} characters, none of them a control character.")
            }
        };
        Fault::new(member, error.to_string(), resolution)
    })
}

fn timeout(text: &str) -> Result<FailoverTimeout, Fault> {
    let resolution = "FailoverTimeout is written hh:mm:ss, with days before or a fraction after it where needed, \
                      between 00:00:00.25 and 1.00:00:00.";
    let fault = |reason: &str| Fault::new("FailoverTimeout", reason, resolution);
    let span = parse_span(text).ok_or_else(|| fault("is not a time span"))?;
    FailoverTimeout::new(span).map_err(|error| fault(&error.to_string()))
}

fn mode(text: &str) -> Result<Mode, Fault> {
    let fault = || Fault::new("Mode", "is not one of the modes", "Mode is Hot, Warm, Cold or None.");
    Mode::parse(text).ok_or_else(fault)
}

fn address(member: &'static str, text: &str) -> Result<HttpUrl, Fault> {
    HttpUrl::parse(text).map_err(|error| {
        let resolution = format!(
            "{member} is an absolute http or https URL with a host, such as \
             https://host:5591/api/v1/clientfailover, without user name, password and fragment."
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
        stored: Option<&FailoverConfig>,
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

/// The secret that `given` means: itself, or the stored one behind the mask.
fn secret_value(
    member: &'static str,
    given: SecretString,
    stored: Option<&FailoverConfig>,
    rebinds: bool,
) -> Result<SecretString, Fault> {
    let text = given.expose_secret();
    if text == MASK {
        let kept = stored.and_then(FailoverConfig::credentials).filter(|held| held.secret_member() == member);
        let Some(kept) = kept else {
            return Err(Fault::new(
                member,
                "is the mask, but no secret is stored",
                format!("Give {member} its value."),
            ));
        };
        if rebinds {
            let reason =
                "was given for another endpoint, token endpoint or certificate check, and is not passed on";
            return Err(Fault::new(
                member,
                reason,
                format!("Give {member} again in the request that changes them."),
            ));
        }
        return Ok(match kept {
            Credentials::Basic { password: secret, .. } | Credentials::Client { secret, .. } => {
                secret.clone()
            }
        });
    }
    if text.chars().count() > SECRET_LIMIT {
        return Err(Fault::new(
            member,
            "is longer than 4,096 characters",
            format!("Give a shorter {member}."),
        ));
    }
    if text.starts_with("{{") && text.ends_with("}}") {
        let reason = "is wrapped in {{ }}, which would be a reference to a secret store";
        return Err(Fault::new(
            member,
            reason,
            format!("Give {member} itself; references are not known here."),
        ));
    }
    if member == "Password" && text.chars().any(char::is_control) {
        let reason = "contains a control character, which Basic authentication cannot carry";
        return Err(Fault::new(member, reason, "Password has no control character."));
    }
    Ok(given)
}
