//! Basic authentication (RFC 7617): a name and a password in a header, in UTF-8.

use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::{SecretString, zeroize::Zeroizing};

use super::password::MOST;
use crate::domain::UserName;

/// What a header claims.
#[derive(Debug)]
pub struct Claim {
    /// Whose login it says it is.
    pub name: UserName,
    /// The password that was sent.
    pub password: SecretString,
}

/// Reads an `Authorization` header; `None` where it can be nobody's login.
#[must_use]
pub fn read(header: &[u8]) -> Option<Claim> {
    let text = std::str::from_utf8(header).ok()?;
    let (scheme, encoded) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let decoded = Zeroizing::new(STANDARD.decode(encoded.trim()).ok()?);
    let pair = std::str::from_utf8(&decoded).ok()?;
    let (name, password) = pair.split_once(':')?;
    if password.len() > MOST {
        return None;
    }
    Some(Claim { name: UserName::new(name).ok()?, password: SecretString::from(password) })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn of(pair: &[u8]) -> Option<(String, String)> {
        read(format!("Basic {}", STANDARD.encode(pair)).as_bytes())
            .map(|claim| (claim.name.to_string(), claim.password.expose_secret().to_owned()))
    }

    #[test]
    fn the_first_colon_ends_the_name() {
        let claim = |name: &str, password: &str| Some((name.to_owned(), password.to_owned()));
        assert_eq!(of(b"a:b"), claim("a", "b"));
        assert_eq!(of(b"a:b:c:"), claim("a", "b:c:"));
        assert_eq!(of("Öl\\AG:pässwörd".as_bytes()), claim("Öl\\AG", "pässwörd"));
        assert_eq!(of(b"a:"), claim("a", ""));
        assert_eq!(of(b"a:b\0c"), claim("a", "b\0c"));
    }

    #[test]
    fn what_is_no_login_is_nobodys() {
        let long = [b"a:".as_slice(), &[b'x'; MOST + 1]].concat();
        for pair in [b"".as_slice(), b":", b"a", b":b", b"a\0:b", b"\xff:b", b"a:\xff", &long] {
            assert_eq!(of(pair), None, "{:?}", pair.get(..4));
        }
        for header in ["", "Basic", "Basic ", "Basic !", "Bearer YTpi", "Basic YTpi YTpi", "BasicYTpi"] {
            assert!(read(header.as_bytes()).is_none(), "{header}");
        }
        assert!(read(b"bAsIc  YTpi").is_some(), "schemes compare in any case");
    }
}
