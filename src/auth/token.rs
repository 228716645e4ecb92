//! Tokens of an OpenID provider (RFC 9068 and what providers made before it): pure.
//!
//! A token is somebody's if a key of the issuer signed it, it is for this audience, and now lies within its
//! time. Only signatures by a private key are known: what a public key could forge (`none`, HMAC) is not.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, DecodingKey, Header, Validation, decode, decode_header,
    jwk::{AlgorithmParameters, Jwk, JwkSet, PublicKeyUse},
};
use serde_json::Value;
use url::{Host, Url};

use super::Login;
use crate::domain::{User, UserName, UserRole, Wall};

/// How far the provider's clock and ours may be apart.
const LEEWAY: Duration = Duration::from_secs(60);

/// The longest token that is looked at.
const LONGEST: usize = 16 * 1024;

/// The most keys of an issuer that are kept.
const KEYS: usize = 64;

/// The most keys that a token is tried with which does not name one: a provider that names none has few, and each costs
/// time that anybody can ask for.
const UNNAMED_KEYS: usize = 4;

/// What signs tokens: never a secret that both sides know.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// What a token must say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Who issues it, exactly.
    pub issuer: String,
    /// Whom it is for.
    pub audience: String,
    /// The claim that has the roles; dots lead into objects.
    pub role_claim: String,
}

/// Why a token is nobody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bad {
    /// No key that is known signed it: another may be fetched.
    UnknownKey,
    /// Its signature is not that of the key that it names.
    Forged,
    /// It is another's, over, or forged.
    Refused(&'static str),
}

/// Keys of an issuer that can check signatures.
pub type Keys = Vec<Jwk>;

/// What a token says, whenever that is: a key of the issuer signed it, for this audience.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    user: User,
    begins: Option<Wall>,
    ends: Wall,
}

impl Claims {
    /// The login that it is at `now`.
    ///
    /// # Errors
    /// When it has not begun, or has ended.
    pub fn login(&self, now: Wall) -> Result<Login, Bad> {
        if self.is_over(now) {
            return Err(Bad::Refused("it has ended"));
        }
        if self.begins.is_some_and(|begins| begins > now.plus(LEEWAY)) {
            return Err(Bad::Refused("it has not begun"));
        }
        let ends_in = Duration::from_micros(self.ends.plus(LEEWAY).micros().abs_diff(now.micros()));
        Ok(Login { user: self.user.clone(), since: None, ends_in: Some(ends_in) })
    }

    /// Whether it has ended at `now`.
    #[must_use]
    pub fn is_over(&self, now: Wall) -> bool {
        self.ends.plus(LEEWAY) <= now
    }
}

/// Where an issuer's keys are, by its discovery document.
///
/// # Errors
/// When it is of another issuer, or names no address that can be asked safely.
pub fn read_discovery(body: &[u8], issuer: &str) -> Result<Url, String> {
    let found: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let said = |member: &str| found.get(member).and_then(Value::as_str).unwrap_or_default();
    if said("issuer") != issuer {
        return Err(format!("its discovery document is of the issuer {:?}", said("issuer")));
    }
    let keys = Url::parse(said("jwks_uri")).ok().filter(is_safe);
    keys.ok_or_else(|| "its jwks_uri is no https address".to_owned())
}

/// Keys come over TLS, or from this machine.
pub(super) fn is_safe(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && loopback)
}

/// The keys in a JWK set that sign, no more than are kept; none where it has none. Nothing where it is no such set.
#[must_use]
pub fn read_keys(body: &[u8]) -> Option<Keys> {
    let value: Value = serde_json::from_slice(body).ok()?;
    // One key of a kind that is not known must not hide the others.
    let keys = value.get("keys")?.as_array()?.iter();
    let keys = keys.filter_map(|key| serde_json::from_value::<Jwk>(key.clone()).ok());
    let signs = |key: &Jwk| !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption));
    let keys = JwkSet { keys: keys.filter(signs).take(KEYS).collect() };
    Some(keys.keys)
}

/// Whose login a token says it is. Nobody has vouched for it yet.
#[must_use]
pub fn claimed(token: &str) -> Option<UserName> {
    let claims = token.split('.').nth(1).filter(|claims| claims.len() <= LONGEST)?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    UserName::of_token(claims.get("sub")?.as_str()?).ok()
}

/// Whose login `token` is at `now`.
///
/// # Errors
/// When it is nobody's.
pub fn check(token: &str, keys: &Keys, expected: &Expected, now: Wall) -> Result<Login, Bad> {
    verify(token, keys, expected)?.login(now)
}

/// Whether one of `keys` may have signed `token`; no signature is checked yet.
///
/// # Errors
/// When none can have.
pub fn fits(token: &str, keys: &Keys) -> Result<(), Bad> {
    let header = header(token)?;
    if keys.iter().any(|key| may_sign(key, &header)) { Ok(()) } else { Err(Bad::UnknownKey) }
}

/// What `token` says, if one of `keys` signed it and it is as `expected`.
///
/// # Errors
/// When it is nobody's.
pub fn verify(token: &str, keys: &Keys, expected: &Expected) -> Result<Claims, Bad> {
    let header = header(token)?;
    let fitting = keys.iter().filter(|key| may_sign(key, &header));
    let mut validation = Validation::new(header.alg);
    validation.set_audience(&[&expected.audience]);
    validation.set_issuer(&[&expected.issuer]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    // Time is judged apart, by a clock that is handed in.
    (validation.validate_exp, validation.validate_nbf) = (false, false);
    let mut refused = Bad::UnknownKey;
    let claims = fitting.take(UNNAMED_KEYS).find_map(|key| {
        let key = DecodingKey::from_jwk(key).ok()?;
        match decode::<Value>(token, &key, &validation) {
            Ok(token) => Some(token.claims),
            Err(error) => {
                refused = meaning(&error);
                None
            }
        }
    });
    let claims = claims.ok_or(refused)?;
    let (begins, ends) = times(&claims)?;
    Ok(Claims { user: user(&claims, expected)?, begins, ends })
}

/// The header of a token that a private key may have signed.
fn header(token: &str) -> Result<Header, Bad> {
    if token.len() > LONGEST {
        return Err(Bad::Refused("it is too long"));
    }
    let header = decode_header(token).map_err(|_error| Bad::Refused("it is no token"))?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err(Bad::Refused("it is not signed by a private key"));
    }
    Ok(header)
}

/// Whether a token with this header says that `key` signed it, or does not say which key did.
fn may_sign(key: &Jwk, header: &Header) -> bool {
    match &header.kid {
        Some(kid) => key.common.key_id.as_ref() == Some(kid),
        None => signs(key, header.alg),
    }
}

/// Whether a key is of the kind that `algorithm` signs with.
const fn signs(key: &Jwk, algorithm: Algorithm) -> bool {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    matches!(
        (&key.algorithm, algorithm),
        (AlgorithmParameters::RSA(_), RS256 | RS384 | RS512 | PS256 | PS384 | PS512)
            | (AlgorithmParameters::EllipticCurve(_), ES256 | ES384)
            | (AlgorithmParameters::OctetKeyPair(_), EdDSA)
    )
}

fn meaning(error: &jsonwebtoken::errors::Error) -> Bad {
    use jsonwebtoken::errors::ErrorKind;
    #[expect(clippy::wildcard_enum_match_arm, reason = "every other fault means the same to its reader")]
    Bad::Refused(match error.kind() {
        ErrorKind::InvalidSignature => return Bad::Forged,
        ErrorKind::InvalidIssuer => "it is of another issuer",
        ErrorKind::InvalidAudience => "it is for another audience",
        ErrorKind::MissingRequiredClaim(_) => "it lacks exp, iss, aud or sub",
        _ => "it cannot be read",
    })
}

/// When a token begins, if it says so, and when it ends.
fn times(claims: &Value) -> Result<(Option<Wall>, Wall), Bad> {
    let at = |claim: &str| {
        let seconds = claims.get(claim).filter(|value| !value.is_null());
        let seconds = seconds.map(|value| value.as_f64().ok_or(Bad::Refused("a time in it is no number")));
        // Beyond what a clock can show is as far away as it can be.
        seconds.transpose().map(|seconds| seconds.map(|seconds| Wall::from_micros(micros(seconds))))
    };
    let ends = at("exp")?.ok_or(Bad::Refused("it has no end"))?;
    Ok((at("nbf")?, ends))
}

#[expect(clippy::cast_possible_truncation, reason = "floats saturate, and Wall keeps within its years")]
fn micros(seconds: f64) -> i64 {
    (seconds * 1_000_000.0) as i64
}

fn user(claims: &Value, expected: &Expected) -> Result<User, Bad> {
    let subject = claims.get("sub").and_then(Value::as_str).ok_or(Bad::Refused("its sub is no text"))?;
    let name = UserName::of_token(subject).map_err(|_error| Bad::Refused("its sub can be no name"))?;
    let mut claim = claims.get(&expected.role_claim);
    if claim.is_none() {
        claim = expected.role_claim.split('.').try_fold(claims, |value, part| value.get(part));
    }
    let words: Vec<&str> = match claim {
        Some(Value::String(text)) => text.split_whitespace().collect(),
        Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let role = words.iter().filter_map(|word| UserRole::parse(word)).max();
    role.map(|role| User { name, role })
        .ok_or(Bad::Refused("it has neither of the roles user and administrator"))
}

#[cfg(test)]
pub(in crate::auth) mod tests {
    use jsonwebtoken::{EncodingKey, encode};
    use serde_json::json;

    use super::*;

    /// A provider with one key.
    pub(in crate::auth) struct Provider {
        key: rcgen::KeyPair,
        pub(in crate::auth) keys: Keys,
    }

    impl Provider {
        pub(in crate::auth) fn new(kid: &str) -> Self {
            let key = rcgen::KeyPair::generate().unwrap();
            let point = rcgen::PublicKeyData::der_bytes(&key);
            let (x, y) = point[1..].split_at(32);
            let text = |bytes| URL_SAFE_NO_PAD.encode(bytes);
            let jwk = json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "kid": kid, "x": text(x), "y": text(y) });
            let odd = json!({ "kty": "AKP", "alg": "ML-DSA-44", "kid": "new" });
            let keys = read_keys(json!({ "keys": [odd, jwk] }).to_string().as_bytes()).unwrap();
            Self { key, keys }
        }

        pub(in crate::auth) fn sign(&self, kid: Option<&str>, claims: &Value) -> String {
            let header = Header { kid: kid.map(str::to_owned), ..Header::new(Algorithm::ES256) };
            encode(&header, claims, &EncodingKey::from_ec_der(&self.key.serialize_der())).unwrap()
        }

        fn check(&self, token: &str) -> Result<(String, UserRole), Bad> {
            let expected = Expected {
                issuer: "https://id.example".to_owned(),
                audience: "failover".to_owned(),
                role_claim: "realm.roles".to_owned(),
            };
            check(token, &self.keys, &expected, Wall::from_micros(NOW * 1_000_000))
                .map(|Login { user, .. }| (user.name.to_string(), user.role))
        }
    }

    const NOW: i64 = 1_800_000_000;

    fn claims() -> Value {
        json!({
            "iss": "https://id.example", "aud": ["other", "failover"], "sub": "plc-a", "exp": NOW + 60,
            "realm": { "roles": ["user", "else"] },
        })
    }

    fn with(name: &str, value: Value) -> Value {
        let mut claims = claims();
        claims[name] = value;
        claims
    }

    #[test]
    fn a_token_of_the_issuer_is_its_subjects() {
        let provider = Provider::new("k");
        let token = |claims: &Value| provider.check(&provider.sign(Some("k"), claims));
        assert_eq!(token(&claims()), Ok(("oidc:plc-a".to_owned(), UserRole::User)));
        assert_eq!(provider.check(&provider.sign(None, &claims())).map(|user| user.1), Ok(UserRole::User));
        let boss = with("realm", json!({ "roles": "user administrator" }));
        assert_eq!(token(&boss).map(|user| user.1), Ok(UserRole::Administrator));
        let flat = with("realm.roles", json!(["administrator"]));
        assert_eq!(
            token(&flat).map(|user| user.1),
            Ok(UserRole::Administrator),
            "a claim's own name may have dots"
        );
        for (ends, begins) in [(NOW - 59, NOW), (NOW + 1, NOW + 59)] {
            let mut claims = with("exp", json!(ends));
            claims["nbf"] = json!(begins);
            assert!(token(&claims).is_ok(), "clocks may be a minute apart");
        }
    }

    #[test]
    fn what_is_anothers_or_over_or_forged_is_nobodys() {
        let provider = Provider::new("k");
        for (claims, why) in [
            (with("iss", json!("https://id.example/")), "it is of another issuer"),
            (with("aud", json!("other")), "it is for another audience"),
            (with("exp", json!(NOW - 60)), "it has ended"),
            (with("nbf", json!("yesterday")), "a time in it is no number"),
            (with("nbf", json!(NOW + 61)), "it has not begun"),
            (
                with("realm", json!({ "roles": ["boss"] })),
                "it has neither of the roles user and administrator",
            ),
            (with("realm", json!(null)), "it has neither of the roles user and administrator"),
            (with("sub", json!("a\nb")), "its sub can be no name"),
        ] {
            let refused = provider.check(&provider.sign(Some("k"), &claims));
            assert_eq!(refused, Err(Bad::Refused(why)), "{claims}");
        }
        let endless = provider.sign(Some("k"), &with("exp", json!("tomorrow")));
        assert_eq!(provider.check(&endless), Err(Bad::Refused("it lacks exp, iss, aud or sub")));
        for claim in ["exp", "iss", "aud", "sub"] {
            let mut claims = claims();
            claims.as_object_mut().unwrap().remove(claim);
            assert!(
                matches!(provider.check(&provider.sign(Some("k"), &claims)), Err(Bad::Refused(_))),
                "{claim}"
            );
        }
        let forger = Provider::new("k");
        let forged = forger.sign(Some("k"), &claims());
        assert_eq!(provider.check(&forged), Err(Bad::Forged));
        assert_eq!(provider.check(&forger.sign(Some("other"), &claims())), Err(Bad::UnknownKey));
        for text in ["", "a", "a.b.c", "..", &"a".repeat(LONGEST + 1)] {
            assert!(matches!(provider.check(text), Err(Bad::Refused(_))));
        }
    }

    #[test]
    fn a_token_of_which_anything_was_changed_is_nobodys() {
        let provider = Provider::new("k");
        let token = provider.sign(Some("k"), &claims());
        // The last characters of header, claims and signature have bits that mean nothing.
        let spare: Vec<usize> =
            token.match_indices('.').map(|(at, _)| at - 1).chain([token.len() - 1]).collect();
        for at in (0..token.len()).filter(|at| !spare.contains(at)) {
            for other in ["A", "9", "_", ".", "", "=", " "] {
                let mut changed = token.clone();
                changed.replace_range(at..=at, other);
                if changed != token {
                    assert!(provider.check(&changed).is_err(), "{at}: {other}");
                }
            }
        }
    }

    #[test]
    fn nothing_that_a_public_key_can_make_is_a_signature() {
        let provider = Provider::new("k");
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        for none in ["none", "None", "NONE", ""] {
            let token = format!("{}.{}.", part(json!({ "alg": none, "kid": "k" })), part(claims()));
            assert!(matches!(provider.check(&token), Err(Bad::Refused(_))), "{none}");
        }
        let public = rcgen::PublicKeyData::der_bytes(&provider.key).to_vec();
        for secret in [public, serde_json::to_vec(&provider.keys[0]).unwrap()] {
            let header = Header { kid: Some("k".to_owned()), ..Header::new(Algorithm::HS256) };
            let token = encode(&header, &claims(), &EncodingKey::from_secret(&secret)).unwrap();
            assert_eq!(provider.check(&token), Err(Bad::Refused("it is not signed by a private key")));
        }
        // A key that the token brings itself is not asked.
        let forger = Provider::new("k");
        let header = Header { jwk: Some(forger.keys[0].clone()), ..Header::new(Algorithm::ES256) };
        let key = EncodingKey::from_ec_der(&forger.key.serialize_der());
        let token = encode(&header, &claims(), &key).unwrap();
        assert_eq!(provider.check(&token), Err(Bad::Forged));
    }
}
