//! An access as somebody asked for it, and the rules that bind address and login to each other.

use secrecy::{ExposeSecret, SecretString};

use super::{
    Access, Credentials, Fault, Faults, Field, HttpUrl, MASK, Name, Protected, Recipient, TextError,
};

/// The longest secret, in characters: room for a signed token used as a client secret.
pub const SECRET_LIMIT: usize = 4_096;

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
