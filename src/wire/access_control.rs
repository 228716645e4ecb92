//! Who may do what, as the cloud endpoint's access-control calls tell it.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::members::{Members, Reader, Unknown};
use crate::domain::{Fault, Faults, UserRole};

/// A trustee that is a role; entries of users and clients there are none.
const ROLE: u8 = 3;

/// An entry that allows; none denies.
const ALLOWED: u8 = 0;

/// Rights: read 1, write 2, delete 4, manage access 8.
const READ_AND_WRITE: u8 = 1 | 2;
const ALL: u8 = 1 | 2 | 4 | 8;

/// The roles, and what each may do to groups.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "AccessControl")]
pub struct AccessControlBody {
    /// What each role may do; nobody else has rights of his own.
    role_trustee_access_control_entries: Vec<Entry>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "AccessControlEntry")]
struct Entry {
    /// Who.
    trustee: Trustee,
    /// 0: allowed.
    access_type: u8,
    /// The sum of read 1, write 2, delete 4, manage access 8.
    access_rights: u8,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Trustee {
    /// 3: a role.
    r#type: u8,
    /// Which role: `user` or `administrator`.
    object_id: &'static str,
    /// The tenant, where the groups are one's.
    tenant_id: Option<String>,
}

impl AccessControlBody {
    /// What the roles of this server come to, for groups of `tenant`, if they are one's.
    #[must_use]
    pub fn new(tenant: Option<&str>) -> Self {
        let entry = |role: UserRole, access_rights| Entry {
            trustee: Trustee { r#type: ROLE, object_id: role.as_str(), tenant_id: tenant.map(str::to_owned) },
            access_type: ALLOWED,
            access_rights,
        };
        let roles = vec![entry(UserRole::User, READ_AND_WRITE), entry(UserRole::Administrator, ALL)];
        Self { role_trustee_access_control_entries: roles }
    }

    /// Whether the body of a PUT asks for what is so already.
    ///
    /// # Errors
    /// When it is no list of entries, or asks for something else.
    pub fn check(&self, members: Members) -> Result<(), Faults> {
        let mut reader = Reader::new(members);
        let entries = reader.any("RoleTrusteeAccessControlEntries");
        let mut faults = reader.finish(Unknown::Refuse);
        let wanted = serde_json::to_value(&self.role_trustee_access_control_entries).unwrap_or_default();
        let same = entries.value().is_some_and(|entries| alike(&entries, &wanted));
        let resolution =
            "Send what GET shows; `client-failover user` and the provider's tokens say who has which role.";
        let reason =
            "are not those of this server, which grants rights by the roles of its users and no other way";
        if !same {
            faults.push(Fault::new("RoleTrusteeAccessControlEntries", reason, resolution));
        }
        faults.or(())
    }
}

/// Whether two values say the same: members in any case, elements in any order, enums as numbers or words.
fn alike(given: &Value, wanted: &Value) -> bool {
    match (given, wanted) {
        (Value::Array(given), Value::Array(wanted)) => {
            given.len() == wanted.len()
                && wanted.iter().all(|one| given.iter().any(|other| alike(other, one)))
        }
        (Value::Object(given), Value::Object(wanted)) => {
            let member = |name: &str| given.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
            let known = |name: &String| wanted.keys().any(|other| other.eq_ignore_ascii_case(name));
            given.keys().all(known)
                && wanted.iter().all(|(name, one)| match member(name) {
                    Some((_, other)) => alike(other, one) || stands_for(name, other, one),
                    None => one.is_null(),
                })
        }
        _ => given == wanted,
    }
}

/// Whether the word `given` stands for the number `wanted` of the member `name`.
fn stands_for(name: &str, given: &Value, wanted: &Value) -> bool {
    let words: &[(&str, &str, u8)] = &[("Type", "Role", ROLE), ("AccessType", "Allowed", ALLOWED)];
    let fits = |(member, word, number): &(&str, &str, u8)| {
        *member == name
            && given.as_str().is_some_and(|given| given.eq_ignore_ascii_case(word))
            && wanted.as_u64() == Some(u64::from(*number))
    };
    words.iter().any(fits)
}
