//! What a path of the failover endpoint names, and the paths that its answers name.

use std::collections::HashMap;

use axum::{extract::FromRequestParts, http::request::Parts};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    domain::{Fault, GroupId, GroupKey, Name, Place, SessionId, TextError},
    http::kit::{Failure, Path},
};

/// Whose groups the path is about.
pub(in crate::http) struct Base(pub(in crate::http) Place);

/// The group that the path names.
pub(in crate::http) struct OfGroup(pub(in crate::http) GroupKey);

/// The session that the path names.
pub(in crate::http) struct OfSession(pub(in crate::http) GroupKey, pub(in crate::http) SessionId);

type Segments = HashMap<String, String>;

async fn segments<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<Segments, Failure> {
    Path::<Segments>::from_request_parts(parts, state).await.map(|Path(segments)| segments)
}

fn segment<T>(
    segments: &mut Segments,
    name: &str,
    read: impl FnOnce(String) -> Result<T, TextError>,
) -> Result<T, Failure> {
    read(segments.remove(name).unwrap_or_default()).map_err(|error| {
        let what = format!("The {name} in the path");
        let right = "An identifier has 1 to 256 characters, and no control characters.";
        Fault::new(what, error.to_string(), right).into()
    })
}

fn place(segments: &mut Segments) -> Result<Place, Failure> {
    if !segments.contains_key("tenant") {
        return Ok(Place::OnPremises);
    }
    let tenant = segment(segments, "tenant", Name::new)?;
    Ok(Place::Cloud { tenant, namespace: segment(segments, "namespace", Name::new)? })
}

impl<S: Send + Sync> FromRequestParts<S> for Base {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        place(&mut segments(parts, state).await?).map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OfGroup {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let mut segments = segments(parts, state).await?;
        let place = place(&mut segments)?;
        Ok(Self(GroupKey { place, id: segment(&mut segments, "group", GroupId::new)? }))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OfSession {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let mut segments = segments(parts, state).await?;
        let place = place(&mut segments)?;
        let key = GroupKey { place, id: segment(&mut segments, "group", GroupId::new)? };
        Ok(Self(key, segment(&mut segments, "session", SessionId::new)?))
    }
}

/// An Id as a segment of a path.
pub(super) fn escaped(id: &str) -> impl std::fmt::Display {
    utf8_percent_encode(id, NON_ALPHANUMERIC)
}

/// The path of a group, on premises or in the cloud.
pub(super) fn group_path(key: &GroupKey) -> String {
    let group = escaped(key.id.as_str());
    match &key.place {
        Place::OnPremises => format!("/api/v1/clientfailover/groups/{group}"),
        Place::Cloud { tenant, namespace } => {
            let (tenant, namespace) = (escaped(tenant.as_str()), escaped(namespace.as_str()));
            format!("/api/v1/Tenants/{tenant}/Namespaces/{namespace}/ClientFailover/groups/{group}")
        }
    }
}
