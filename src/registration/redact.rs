//! Takes our own secrets out of what an endpoint says about itself, before anybody writes it down.
//!
//! Debugging proxies and web frameworks say back what they were sent, login included.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret, SecretString};

use crate::domain::{Credentials, MASK};

/// Shorter secrets are left alone: they are parts of ordinary words, and a masked word would give them away.
const SHORTEST: usize = 4;

/// Knows the secrets of one configuration, in the forms in which they are sent.
#[derive(Debug, Clone)]
pub(super) struct Redactor(Arc<[SecretString]>);

impl Redactor {
    pub(super) fn new(credentials: Option<&Credentials<SecretString>>) -> Self {
        let (plain, sent) = match credentials {
            None => return Self(Arc::new([])),
            Some(Credentials::Basic { user, password }) => {
                let pair = format!("{}:{}", user.as_str(), password.expose_secret());
                (password, STANDARD.encode(pair))
            }
            Some(Credentials::Client { secret, .. }) => {
                (secret, url::form_urlencoded::byte_serialize(secret.expose_secret().as_bytes()).collect())
            }
        };
        // The longer form first, for it may contain the other.
        Self(Arc::new([sent.into(), plain.clone()]))
    }

    /// `text` without the secrets and without `token`.
    pub(super) fn redact(&self, text: &str, token: Option<&SecretString>) -> String {
        let secrets = self.0.iter().chain(token).map(ExposeSecret::expose_secret);
        secrets
            .filter(|secret| secret.chars().count() >= SHORTEST)
            .fold(text.to_owned(), |text, secret| text.replace(secret, MASK))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Name;

    #[test]
    fn what_an_endpoint_says_back_is_masked() {
        let user = Name::new("user").unwrap();
        let basic = |password: &str| {
            Redactor::new(Some(&Credentials::Basic { user: user.clone(), password: password.into() }))
        };
        let said = format!("no: sécret, Basic {}", STANDARD.encode("user:sécret"));
        assert_eq!(basic("sécret").redact(&said, None), format!("no: {MASK}, Basic {MASK}"));
        assert_eq!(basic("no").redact(&said, None), said);

        let client = Credentials::Client { id: user, secret: "a b&c".into() };
        let redacted = Redactor::new(Some(&client)).redact("a b&c a+b%26c token", Some(&"token".into()));
        assert_eq!(redacted, format!("{MASK} {MASK} {MASK}"));
        assert_eq!(Redactor::new(None).redact("as it is", None), "as it is");
    }
}
