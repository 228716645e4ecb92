//! A table of rules: what is stored before, what is asked, what is answered, what is stored after.

use std::fmt::Write as _;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, FACET, Server};

/// A configuration without credentials. Mode None, so that no endpoint is called.
pub fn plain() -> Value {
    json!({ "Id": "C", "FailoverGroupId": "G", "Mode": "None", "Endpoint": "http://localhost:1/api" })
}

/// The same with Basic credentials.
pub fn basic() -> Value {
    with(plain(), json!({ "UserName": "user", "Password": "first" }))
}

/// A configuration for a cloud endpoint.
pub fn cloud() -> Value {
    let login =
        json!({ "ClientId": "id", "ClientSecret": "first", "TokenEndpoint": "https://login.test/token" });
    with(with(plain(), json!({ "Endpoint": "https://cloud.test/api" })), login)
}

/// `base` with the members of `more` set.
pub fn with(mut base: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("{more} is no object") };
    base.as_object_mut().unwrap().extend(more);
    base
}

/// `base` without `member`.
pub fn without(mut base: Value, member: &str) -> Value {
    base.as_object_mut().unwrap().remove(member).unwrap();
    base
}

/// The path of the configuration with this Id, which needs no escaping.
pub fn by_id(id: &str) -> String {
    format!("{FACET}/{id}")
}

/// One row of a table.
pub struct Case {
    rule: String,
    before: Option<Value>,
    method: Method,
    path: String,
    body: Option<String>,
    status: u16,
    reasons: Vec<String>,
    counted: bool,
    after: After,
}

enum After {
    /// As before.
    Unchanged,
    /// These members have these values.
    Shows(Value),
    Nothing,
    Unasked,
}

fn case(rule: impl Into<String>, method: Method, body: Option<String>) -> Case {
    Case {
        rule: rule.into(),
        before: None,
        method,
        path: FACET.to_owned(),
        body,
        status: 204,
        reasons: Vec::new(),
        counted: false,
        after: After::Unasked,
    }
}

/// PUT of `body` to the collection where nothing is stored; answered 204 unless it says otherwise.
pub fn put(rule: impl Into<String>, body: impl ToString) -> Case {
    case(rule, Method::PUT, Some(body.to_string()))
}

/// POST of `body` to the collection where nothing is stored; answered 201.
pub fn post(rule: impl Into<String>, body: impl ToString) -> Case {
    case(rule, Method::POST, Some(body.to_string())).answers(201)
}

/// PATCH of the collection, which holds [`plain`].
pub fn patch(rule: impl Into<String>, body: impl ToString) -> Case {
    case(rule, Method::PATCH, Some(body.to_string())).on(plain())
}

/// DELETE of the collection where nothing is stored.
pub fn delete(rule: impl Into<String>) -> Case {
    case(rule, Method::DELETE, None)
}

/// GET of the collection where nothing is stored; answered 200.
pub fn get(rule: impl Into<String>) -> Case {
    case(rule, Method::GET, None).answers(200)
}

impl Case {
    /// What is stored before.
    pub fn on(mut self, before: Value) -> Self {
        self.before = Some(before);
        self
    }

    /// Where the request goes.
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// The status.
    pub fn answers(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The status of a refusal that changes nothing, and parts of its Reason.
    pub fn refused(mut self, status: u16, reasons: &[&str]) -> Self {
        self.status = status;
        self.reasons = reasons.iter().map(ToString::to_string).collect();
        self.after = After::Unchanged;
        self
    }

    /// 400, with exactly these faults: the beginnings of the sentences of Reason, in any order.
    pub fn faults(self, faults: &[&str]) -> Self {
        Self { counted: true, ..self.refused(400, faults) }
    }

    /// Members that GET shows afterwards.
    pub fn shows(mut self, members: Value) -> Self {
        self.after = After::Shows(members);
        self
    }

    /// Nothing is stored afterwards.
    pub fn leaves_nothing(mut self) -> Self {
        self.after = After::Nothing;
        self
    }

    async fn check(&self, server: &Server) -> Result<(), String> {
        server.send(Method::DELETE, FACET, None).await;
        if let Some(before) = &self.before {
            let put = server.send(Method::PUT, FACET, Some(&before.to_string())).await;
            equal("the PUT of what is stored before", put.status.as_u16(), 204)?;
        }
        let before = server.get(FACET).await;
        let answer = server.send(self.method.clone(), &self.path, self.body.as_deref()).await;
        if answer.status != self.status {
            return Err(format!("answered {}, not {}: {}", answer.status, self.status, answer.body));
        }
        if self.status >= 400 {
            self.check_refusal(&answer)?;
        } else if self.status == 204 {
            equal("the body of a 204", answer.body.as_str(), "")?;
        }
        let after = server.get(FACET).await;
        match &self.after {
            After::Unasked => Ok(()),
            After::Unchanged => equal("what is stored after a refusal", after.body, before.body),
            After::Nothing => equal("what is stored", after.body.as_str(), "[]"),
            After::Shows(members) => shows(&after.json()[0], members),
        }
    }

    fn check_refusal(&self, answer: &Answer) -> Result<(), String> {
        let [error, reason, _] = refusal(answer)?;
        if self.counted {
            let count = self.reasons.len();
            let summary = if count == 1 {
                "1 fault was found in the request.".to_owned()
            } else {
                format!("{count} faults were found in the request.")
            };
            equal("Error", error, summary)?;
        }
        for part in &self.reasons {
            if !reason.contains(part.as_str()) {
                return Err(format!("Reason does not say {part:?}: {reason}"));
            }
        }
        Ok(())
    }
}

/// The texts of a refusal, which has exactly these three members, in this order, none of them empty.
pub fn refusal(answer: &Answer) -> Result<[String; 3], String> {
    let body = answer.json();
    equal("the content type", answer.headers["content-type"].to_str().unwrap(), "application/json")?;
    let texts = ["Error", "Reason", "Resolution"].map(|member| body[member].as_str().unwrap_or_default());
    if body.as_object().is_none_or(|members| members.len() != 3) || texts.contains(&"") {
        return Err(format!("a refusal is Error, Reason, Resolution, not {}", answer.body));
    }
    let places = ["\"Error\"", "\"Reason\"", "\"Resolution\""].map(|member| answer.body.find(member));
    if !places.is_sorted() {
        return Err(format!("the order is Error, Reason, Resolution, not {}", answer.body));
    }
    Ok(texts.map(str::to_owned))
}

fn shows(shown: &Value, members: &Value) -> Result<(), String> {
    for (member, value) in members.as_object().unwrap() {
        if shown.get(member) != Some(value) {
            return Err(format!("GET shows {member} as {:?}, not {value}", shown.get(member)));
        }
    }
    Ok(())
}

fn equal<T: PartialEq<U> + std::fmt::Debug, U: std::fmt::Debug>(
    what: &str,
    found: T,
    expected: U,
) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what} is {found:?}, not {expected:?}")) }
}

/// Tries every row, and fails with all that do not hold.
pub async fn hold(cases: Vec<Case>) {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    let mut broken = String::new();
    for case in &cases {
        if let Err(why) = case.check(&server).await {
            let body = case.body.as_deref().unwrap_or_default();
            writeln!(broken, "- {}: {why}\n  ({} {} {body})", case.rule, case.method, case.path).unwrap();
        }
    }
    assert!(broken.is_empty(), "rules that do not hold:\n{broken}");
}
