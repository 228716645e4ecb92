//! One row of a table: what is stored, what is asked, what is answered, what is stored then.

use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::support::{Answer, FACET, Server};

/// The smallest configuration that is accepted.
pub(crate) fn least() -> Value {
    json!({ "Id": "c", "FailoverGroupId": "g", "Mode": "Hot", "Endpoint": "http://127.0.0.1:9" })
}

/// `base` with members changed; `null` takes a member out.
pub(crate) fn with(base: Value, members: Value) -> Value {
    let (Value::Object(mut base), Value::Object(members)) = (base, members) else { panic!("not objects") };
    for (member, value) in members {
        if value.is_null() {
            base.remove(&member);
        } else {
            base.insert(member, value);
        }
    }
    Value::Object(base)
}

/// The smallest configuration with Basic credentials.
pub(crate) fn basic() -> Value {
    with(least(), json!({ "UserName": "u", "Password": "p" }))
}

pub(crate) struct Case {
    rule: &'static str,
    given: Option<Value>,
    method: Method,
    path: String,
    body: Option<String>,
    status: StatusCode,
    says: Vec<&'static str>,
    then: Option<Map<String, Value>>,
    unchanged: bool,
}

/// A row that proves `rule`.
pub(crate) fn rule(rule: &'static str) -> Case {
    Case {
        rule,
        given: None,
        method: Method::GET,
        path: FACET.to_owned(),
        body: None,
        status: StatusCode::OK,
        says: Vec::new(),
        then: None,
        unchanged: false,
    }
}

impl Case {
    /// What is stored before.
    pub(crate) fn given(mut self, stored: Value) -> Self {
        self.given = Some(stored);
        self
    }

    pub(crate) fn put(self, body: impl ToString) -> Self {
        self.ask(Method::PUT, "", body)
    }

    pub(crate) fn post(self, body: impl ToString) -> Self {
        self.ask(Method::POST, "", body)
    }

    pub(crate) fn patch(self, body: impl ToString) -> Self {
        self.ask(Method::PATCH, "", body)
    }

    /// A request with a body to the facet's path followed by `more`.
    pub(crate) fn ask(mut self, method: Method, more: &str, body: impl ToString) -> Self {
        self.method = method;
        self.path = format!("{FACET}{more}");
        self.body = Some(body.to_string());
        self
    }

    /// A request without a body.
    pub(crate) fn plain(mut self, method: Method, path: &str) -> Self {
        self.method = method;
        self.path = path.to_owned();
        self
    }

    /// Is accepted; the stored configuration then has these members.
    pub(crate) fn stores(mut self, members: Value) -> Self {
        self.status = if self.method == Method::POST { StatusCode::CREATED } else { StatusCode::NO_CONTENT };
        self.then = Some(members.as_object().unwrap().clone());
        self
    }

    /// Is refused, with each of these texts in the body; what is stored stays.
    pub(crate) fn refused(mut self, status: u16, says: &[&'static str]) -> Self {
        self.status = StatusCode::from_u16(status).unwrap();
        self.says = says.to_vec();
        self.unchanged = true;
        self
    }

    /// Is answered with this status.
    pub(crate) fn answered(mut self, status: u16) -> Self {
        self.status = StatusCode::from_u16(status).unwrap();
        self
    }

    async fn check(&self, server: &Server) {
        let rule = self.rule;
        assert_eq!(server.send(Method::DELETE, FACET, None).await.status, StatusCode::NO_CONTENT);
        if let Some(given) = &self.given {
            server.configure(given).await;
        }
        let before = server.get(FACET).await.body;
        let answer = server.send(self.method.clone(), &self.path, self.body.as_deref()).await;
        assert_eq!(answer.status, self.status, "{rule}: {}", answer.body);
        let after = server.get(FACET).await;
        if self.unchanged {
            assert_eq!(after.body, before, "{rule}: what is refused changes nothing");
            explains(rule, &answer);
        }
        for text in &self.says {
            assert!(answer.body.contains(text), "{rule}: {text:?} is not in {}", answer.body);
        }
        for (member, value) in self.then.iter().flatten() {
            assert_eq!(after.json()[0][member], *value, "{rule}: {member}");
        }
    }
}

/// A refusal has exactly the three texts, none of them empty.
pub(crate) fn explains(rule: &str, answer: &Answer) {
    let body = answer.json();
    let members: Vec<_> = body.as_object().unwrap().keys().collect();
    assert_eq!(members, ["Error", "Reason", "Resolution"], "{rule}");
    assert!(body.as_object().unwrap().values().all(|text| !text.as_str().unwrap().is_empty()), "{rule}");
}

/// Checks all rows against one server.
pub(crate) async fn check(cases: Vec<Case>) {
    let data = tempfile::tempdir().unwrap();
    let server = Server::serve(data.path(), &[]);
    for case in cases {
        case.check(&server).await;
    }
    assert!(!server.log().contains("panicked"), "{}", server.log());
}
