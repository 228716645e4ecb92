//! What each route demands of who calls it, on one page. A route that is not here is an administrator's.

use axum::http::Method;

/// Who may call a route, once logins are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Anybody, without a login.
    Nobody,
    /// Any user. Where the route is about a session that belongs to somebody, it must be his.
    User,
    /// An administrator.
    Administrator,
}

use Need::{Administrator, Nobody, User};

/// The methods of a route, and what they need.
type Row = (&'static str, &'static [(&'static str, Need)]);

/// The adapter's interface, and what both halves have.
const ROUTES: &[Row] = &[
    ("/healthz", &[("GET", Nobody)]),
    ("/readyz", &[("GET", Nobody)]),
    ("/metrics", &[("GET", User)]),
    // The page: what it shows, it asks the interfaces for.
    ("/", &[("GET", Nobody)]),
    ("/api", &[("GET", Nobody)]),
    // The document that the page of the interfaces shows: what is served is no secret of those who may ask.
    ("/api/openapi.json", &[("GET", User)]),
    (
        "/api/v1/configuration/system/clientfailover",
        &[
            ("GET", User),
            ("POST", Administrator),
            ("PUT", Administrator),
            ("PATCH", Administrator),
            ("DELETE", Administrator),
        ],
    ),
    (
        "/api/v1/configuration/system/clientfailover/{id}",
        &[("GET", User), ("PUT", Administrator), ("PATCH", Administrator), ("DELETE", Administrator)],
    ),
    ("/api/v1/diagnostics/failoverstate", &[("GET", User)]),
    ("/api/v1/diagnostics/failover", &[("GET", User)]),
    ("/api/v1/diagnostics/failover/events", &[("GET", User)]),
    ("/api/v1/diagnostics/failoverhistory", &[("GET", User)]),
    ("/api/v1/diagnostics/egress", &[("GET", User)]),
    (
        "/api/v1/configuration/egress/dataendpoints",
        &[("GET", User), ("POST", Administrator), ("PUT", Administrator), ("DELETE", Administrator)],
    ),
    (
        "/api/v1/configuration/egress/dataendpoints/{id}",
        &[("GET", User), ("PUT", Administrator), ("PATCH", Administrator), ("DELETE", Administrator)],
    ),
    (
        "/api/v1/tenants/{tenant}/namespaces/{namespace}/accesscontrol/clientfailover/groups",
        &[("GET", User), ("PUT", Administrator)],
    ),
    ("/api/v1/management/audit", &[("GET", Administrator)]),
    (
        "/api/v1/management/secrets",
        &[("GET", Administrator), ("PUT", Administrator), ("DELETE", Administrator)],
    ),
    (
        "/api/v1/management/secrets/{id}",
        &[("GET", Administrator), ("PUT", Administrator), ("DELETE", Administrator)],
    ),
    ("/api/v1/diagnostics/order", &[("GET", User)]),
    ("/api/v1/diagnostics/order/events", &[("GET", User)]),
    // What a collector reports of itself.
    ("/api/v1/diagnostics/components", &[("GET", User)]),
    ("/api/v1/diagnostics/components/{id}", &[("GET", User), ("PUT", User), ("DELETE", User)]),
];

/// What the page is made of: files of the program, which anybody may have.
const PAGE_FILES: &str = "/page/";
const OF_PAGE_FILES: &[(&str, Need)] = &[("GET", Nobody)];

/// The bases of the failover endpoint's interface.
const BASES: [&str; 2] =
    ["/api/v1/clientfailover", "/api/v1/tenants/{tenant}/namespaces/{namespace}/clientfailover"];

/// The failover endpoint's interface, below each of its bases.
const BELOW_BASES: &[Row] = &[
    ("", &[("GET", User)]),
    ("/overview", &[("GET", User)]),
    ("/overview/events", &[("GET", User)]),
    ("/groups", &[("GET", User), ("POST", User)]),
    ("/groups/{group}", &[("GET", User), ("DELETE", Administrator)]),
    ("/groups/{group}/accesscontrol", &[("GET", User), ("PUT", Administrator)]),
    ("/groups/{group}/status", &[("GET", User)]),
    ("/groups/{group}/status/events", &[("GET", User)]),
    ("/groups/{group}/history", &[("GET", User)]),
    ("/groups/{group}/events", &[("GET", User)]),
    ("/groups/{group}/clientsessions", &[("GET", User), ("POST", User)]),
    ("/groups/{group}/clientsessions/{session}", &[("GET", User), ("DELETE", User)]),
    ("/groups/{group}/clientsessions/{session}/heartbeat", &[("POST", User)]),
    ("/groups/{group}/clientsessions/{session}/roleoverride", &[("POST", Administrator)]),
];

/// What `method` needs on the route `pattern`, if that is written here.
#[must_use]
pub fn row(method: &Method, pattern: &str) -> Option<Need> {
    let below = BASES.iter().find_map(|base| pattern.strip_prefix(base));
    let (routes, pattern) = below.map_or((ROUTES, pattern), |below| (BELOW_BASES, below));
    let row = routes.iter().find(|(route, _)| *route == pattern).map(|(_, methods)| *methods);
    let methods = row.or_else(|| pattern.starts_with(PAGE_FILES).then_some(OF_PAGE_FILES))?;
    // Whoever may read a resource may ask how large it is.
    let method = if *method == Method::HEAD { "GET" } else { method.as_str() };
    methods.iter().find(|(of, _)| *of == method).map(|(_, need)| *need)
}

/// What `method` needs on the route `pattern`. What has no pattern is the gate's, below `/egress`, or is not there.
pub(super) fn need(method: &Method, pattern: Option<&str>) -> Need {
    pattern.map_or(User, |pattern| row(method, pattern).unwrap_or(Administrator))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_written_is_an_administrators() {
        assert_eq!(need(&Method::HEAD, Some("/healthz")), Nobody);
        assert_eq!(need(&Method::GET, Some("/api/v1/diagnostics/new")), Administrator);
        assert_eq!(need(&Method::PUT, Some("/healthz")), Administrator);
        assert_eq!(need(&Method::GET, None), User);
        for base in BASES {
            assert_eq!(need(&Method::DELETE, Some(&format!("{base}/groups/{{group}}"))), Administrator);
            assert_eq!(need(&Method::GET, Some(base)), User);
        }
    }
}
