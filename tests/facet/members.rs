//! What each member may be.

use serde_json::{Value, json};

use crate::case::{Case, check, least, rule, with};

fn accepts(name: &'static str, members: Value, stored: Value) -> Case {
    rule(name).put(with(least(), members)).stores(stored)
}

fn refuses(name: &'static str, members: Value, says: &[&'static str]) -> Case {
    rule(name).put(with(least(), members)).refused(400, says)
}

#[tokio::test]
async fn names_and_groups_have_limits() {
    let (full, over) = ("ä".repeat(256), "ä".repeat(257));
    let (text, long) = ("x".repeat(1_024), "x".repeat(1_025));
    check(vec![
        accepts(
            "256 characters",
            json!({ "Id": full, "FailoverGroupId": full, "Name": full }),
            json!({ "Name": full }),
        ),
        accepts(
            "1,024 characters of description",
            json!({ "Description": text }),
            json!({ "Description": text }),
        ),
        accepts("an empty description", json!({ "Description": "" }), json!({ "Description": "" })),
        refuses(
            "one more",
            json!({ "Id": over, "FailoverGroupId": over, "Name": over, "Description": long }),
            &["4 faults", "257 characters", "1025 characters"],
        ),
        refuses(
            "empty ones",
            json!({ "FailoverGroupId": "", "Name": "" }),
            &["FailoverGroupId is empty", "Name is empty"],
        ),
        refuses(
            "control characters",
            json!({ "FailoverGroupId": "a\nb", "Name": "a\u{0}b", "Description": "a\tb" }),
            &["3 faults", "control character"],
        ),
    ])
    .await;
}

#[tokio::test]
async fn timeouts_are_time_spans_within_limits() {
    let stored = |text| json!({ "FailoverTimeout": text });
    let mut cases = vec![
        accepts("the default", json!({}), stored("00:01:00")),
        accepts("a fraction only where needed", stored("00:00:01.5000000"), stored("00:00:01.5000000")),
        accepts("one digit of hours", stored("1:02:03"), stored("01:02:03")),
        accepts("the smallest", stored("00:00:00.25"), stored("00:00:00.2500000")),
        accepts("the largest", stored("1.00:00:00"), stored("1.00:00:00")),
        refuses("smaller", stored("00:00:00.2499999"), &["FailoverTimeout is not between"]),
        refuses("larger", stored("1.00:00:00.0000001"), &["FailoverTimeout"]),
        refuses("a number", json!({ "FailoverTimeout": 60 }), &["FailoverTimeout is a number"]),
    ];
    for text in ["60", "00:60:00", "24:00:00", "00:00", "-00:01:00", "", "00:01:00 ", "00:00:01.12345678"] {
        cases.push(refuses("no time span", stored(text), &["FailoverTimeout is not a time span"]));
    }
    check(cases).await;
}

#[tokio::test]
async fn modes_are_read_in_any_case_and_warn_is_warm() {
    let mode = |text| json!({ "Mode": text });
    check(vec![
        accepts("lower case", mode("hot"), mode("Hot")),
        accepts("the documents' spelling", mode("Warn"), mode("Warm")),
        accepts("the usual spelling", mode("WARM"), mode("Warm")),
        accepts("cold", mode("cold"), mode("Cold")),
        accepts("none", mode("None"), mode("None")),
        refuses("another", mode("Tepid"), &["Mode is not one of the modes", "Hot, Warm, Cold or None"]),
        refuses("empty", mode(""), &["Mode"]),
        rule("it is required")
            .put(with(least(), json!({ "Mode": null })))
            .refused(400, &["Mode is required"]),
    ])
    .await;
}

#[tokio::test]
async fn addresses_are_absolute_http_or_https_urls() {
    let mut cases = vec![
        accepts(
            "as it was written",
            json!({ "Endpoint": "HTTP://Host:81/a/?b" }),
            json!({ "Endpoint": "HTTP://Host:81/a/?b" }),
        ),
        accepts(
            "a token endpoint",
            json!({ "TokenEndpoint": "http://t" }),
            json!({ "TokenEndpoint": "http://t" }),
        ),
        rule("an endpoint is required")
            .put(with(least(), json!({ "Endpoint": null })))
            .refused(400, &["Endpoint is required"]),
    ];
    for (text, says) in [
        ("/relative", "not a well-formed"),
        ("", "not a well-formed"),
        ("http://", "not a well-formed"),
        ("http://a b", "not a well-formed"),
        ("ftp://h", "neither an http nor"),
        ("http://u:p@h", "user name or password"),
        ("http://h#f", "fragment"),
    ] {
        cases.push(refuses("Endpoint", json!({ "Endpoint": text }), &["Endpoint", says]));
        cases.push(refuses("TokenEndpoint", json!({ "TokenEndpoint": text }), &["TokenEndpoint", says]));
    }
    check(cases).await;
}
