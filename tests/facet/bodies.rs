//! What a body may be, and that every fault in it is reported at once.

use serde_json::json;

use crate::table::{basic, by_id, get, hold, patch, plain, post, put, with, without};

#[tokio::test]
async fn a_body_is_one_object_or_an_array_of_one() {
    let other = with(plain(), json!({ "Id": "D" }));
    let mut cases = vec![get("GET gives back what a PUT of it accepts").on(plain()).shows(plain())];
    for (method, request) in [("PUT", put as fn(String, String) -> _), ("POST", post), ("PATCH", patch)] {
        let of =
            |what: &str, body: serde_json::Value| request(format!("{method} of {what}"), body.to_string());
        cases.push(of("an object", plain()).shows(plain()));
        cases.push(of("an array of one", json!([plain()])).shows(plain()));
        if method != "POST" {
            cases.push(
                of("a replacement as an array of one", json!([other])).on(plain()).shows(other.clone()),
            );
        }
        for (what, body, reason) in [
            ("none", json!([]), "The body is an empty array"),
            ("two", json!([plain(), plain()]), "The body is an array of 2"),
            ("three", json!([plain(), plain(), {}]), "The body is an array of 3"),
            ("an array in an array", json!([[plain()]]), "The body is an array of an array"),
            ("an array of null", json!([null]), "The body is an array of null"),
            ("null", json!(null), "The body is null"),
            ("a number", json!(1), "The body is a number"),
            ("a string", json!("x"), "The body is a string"),
            ("a truth value", json!(true), "The body is a truth value"),
        ] {
            cases.push(of(what, body).faults(&[reason]));
        }
    }
    hold(cases).await;
}

#[tokio::test]
async fn null_in_a_whole_configuration_is_as_if_left_out() {
    let nulls = json!({
        "Id": null, "Name": null, "Description": null, "FailoverTimeout": null, "UserName": null,
        "Password": null, "ClientId": null, "ClientSecret": null, "TokenEndpoint": null,
        "ValidateEndpointCertificate": null,
    });
    let rich = with(
        basic(),
        json!({
            "Name": "n", "Description": "d", "FailoverTimeout": "00:00:05",
            "TokenEndpoint": "http://localhost:2", "ValidateEndpointCertificate": false,
        }),
    );
    let defaults = json!({
        "Name": null, "Description": null, "FailoverTimeout": "00:01:00", "UserName": null, "Password": null,
        "ClientId": null, "ClientSecret": null, "TokenEndpoint": null, "ValidateEndpointCertificate": true,
    });
    let body = with(plain(), nulls);
    let required = ["FailoverGroupId", "Mode", "Endpoint"];
    let mut cases = vec![
        post("POST with nulls has the defaults", &body).shows(defaults.clone()),
        put("PUT with nulls has the defaults", &body).shows(defaults.clone()),
        put("a member left out of a PUT goes back to its default", plain())
            .on(rich.clone())
            .shows(defaults.clone()),
        put("a null in a PUT goes back to its default", &body)
            .on(rich)
            .shows(with(defaults, json!({ "Id": "C" }))),
    ];
    for member in required {
        let fault = format!("{member} is required but missing");
        cases.push(put(format!("{member} null"), with(plain(), json!({ member: null }))).faults(&[&fault]));
        cases.push(put(format!("{member} left out"), without(plain(), member)).faults(&[&fault]));
        cases.push(post(format!("{member} left out of POST"), without(plain(), member)).faults(&[&fault]));
    }
    hold(cases).await;
}

#[tokio::test]
async fn a_patch_is_a_merge_patch() {
    let rich = with(
        basic(),
        json!({
            "Name": "n", "Description": "d", "FailoverTimeout": "00:00:05", "TokenEndpoint": "http://localhost:2",
        }),
    );
    let on_rich = |rule: &'static str, body: serde_json::Value| patch(rule, body).on(rich.clone());
    let kept = with(without(rich.clone(), "Password"), json!({ "Password": "***************" }));
    let mut cases = vec![
        on_rich("an empty patch changes nothing", json!({})).shows(kept.clone()),
        on_rich("a patch changes what it names alone", json!({ "Name": "other" }))
            .shows(with(kept, json!({ "Name": "other" }))),
        on_rich("null resets Name", json!({ "Name": null }))
            .shows(json!({ "Name": null, "Description": "d" })),
        on_rich("null resets Description", json!({ "Description": null }))
            .shows(json!({ "Description": null })),
        on_rich("null resets FailoverTimeout", json!({ "FailoverTimeout": null }))
            .shows(json!({ "FailoverTimeout": "00:01:00" })),
        on_rich("null removes both credentials", json!({ "UserName": null, "Password": null }))
            .shows(json!({ "UserName": null, "Password": null })),
        on_rich("null for one credential leaves a half", json!({ "Password": null }))
            .faults(&["Password is missing beside UserName"]),
        on_rich(
            "null for a required member is refused, with the other faults",
            json!({
                "Mode": null, "Endpoint": null, "FailoverGroupId": null, "Name": "", "X": 1,
            }),
        )
        .faults(&[
            "Mode is required",
            "Endpoint is required",
            "FailoverGroupId is required",
            "Name is empty",
            "\"X\"",
        ]),
        patch("null resets ValidateEndpointCertificate", r#"{"ValidateEndpointCertificate":null}"#)
            .on(with(plain(), json!({ "ValidateEndpointCertificate": false })))
            .shows(json!({ "ValidateEndpointCertificate": true })),
        patch("null resets TokenEndpoint", r#"{"TokenEndpoint":null}"#)
            .on(with(plain(), json!({ "TokenEndpoint": "http://t" })))
            .shows(json!({ "TokenEndpoint": null })),
        patch("members in any case", r#"{"nAME":"x","MODE":"None"}"#).shows(json!({ "Name": "x" })),
        patch("one fault refuses all of it", r#"{"Name":"x","Mode":"x"}"#).faults(&["Mode is not"]),
    ];
    for member in ["FailoverGroupId", "Mode", "Endpoint"] {
        let fault = format!("{member} is required and cannot be reset by null");
        cases.push(patch(format!("null for {member}"), json!({ member: null })).faults(&[&fault]));
        cases.push(
            patch(format!("null for {member} by Id"), json!({ member: null }))
                .at(by_id("C"))
                .faults(&[&fault]),
        );
    }
    hold(cases).await;
}

#[tokio::test]
async fn every_fault_is_reported_at_once() {
    let everything = json!({
        "Id": "", "FailoverGroupId": 1, "Name": "a\nb", "Description": [], "FailoverTimeout": "soon", "Mode": "Tepid",
        "Endpoint": "ftp://h", "UserName": "u", "ClientId": "i", "TokenEndpoint": "t",
        "ValidateEndpointCertificate": "yes", "Extra": 1, "More": 2,
    });
    let faults = [
        "Id is empty.",
        "FailoverGroupId is a number, not a string.",
        "Name contains a control character.",
        "Description is an array, not a string.",
        "FailoverTimeout is not a time span.",
        "Mode is not one of the modes.",
        "Endpoint is neither an http nor an https URL.",
        "UserName and ClientId are two kinds of credentials at once.",
        "TokenEndpoint is not a well-formed absolute URL.",
        "ValidateEndpointCertificate is a string, not true or false.",
        "\"Extra\" is not a member that is known here.",
        "\"More\" is not a member that is known here.",
    ];
    let mut patched = everything.clone();
    patched["Mode"] = json!(null);
    let mut faults_of_patch = faults;
    faults_of_patch[5] = "Mode is required and cannot be reset by null.";
    hold(vec![
        put("PUT", &everything).faults(&faults),
        post("POST", json!([everything])).faults(&faults),
        put("PUT over another", &everything).on(plain()).faults(&faults),
        patch("PATCH", patched).faults(&faults_of_patch),
        put("nothing at all", "{}").faults(&["FailoverGroupId is", "Mode is", "Endpoint is"]),
        put("a fault of the secret beside others", r#"{"Password":"***************","Mode":"x"}"#).faults(&[
            "FailoverGroupId is",
            "Mode is not",
            "Endpoint is required",
            "UserName is missing beside Password",
            "Password is the mask, but no secret is stored",
        ]),
    ])
    .await;
}

#[tokio::test]
async fn unknown_doubled_and_wrongly_typed_members_are_refused() {
    let raw = |more: &str| {
        let text = plain().to_string();
        format!("{},{more}}}", text.strip_suffix('}').unwrap())
    };
    let mut cases = vec![
        put("unknown", raw(r#""Colour":"red""#)).faults(&["\"Colour\" is not a member that is known here"]),
        put("unknown and null", raw(r#""Colour":null"#)).faults(&["\"Colour\""]),
        put("each unknown one", raw(r#""A":1,"B":{}"#)).faults(&["\"A\"", "\"B\""]),
        put("an empty name", raw(r#""":1"#)).faults(&["\"\" is not a member"]),
        patch("unknown in a patch", r#"{"Colour":1}"#).faults(&["\"Colour\""]),
        put("doubled", raw(r#""Mode":"Hot""#)).faults(&["Mode is there 2 times (Mode, Mode)"]),
        put("doubled after ignoring case", raw(r#""mode":"Hot""#)).faults(&["Mode is there 2 times"]),
        put("doubled with null", raw(r#""MODE":null"#)).faults(&["Mode is there 2 times"]),
        put("three times", raw(r#""name":"a","Name":"a","NAME":"a""#)).faults(&["Name is there 3 times"]),
        put("a similar letter is another member", raw("\"\u{212a}\":1")).faults(&["\"\u{212a}\""]),
        put(
            "in any case",
            plain().to_string().to_lowercase().replace(":\"c\"", ":\"C\"").replace(":\"g\"", ":\"G\""),
        )
        .shows(plain()),
    ];
    for member in [
        "Id",
        "FailoverGroupId",
        "Name",
        "Description",
        "FailoverTimeout",
        "Mode",
        "Endpoint",
        "TokenEndpoint",
    ] {
        for (value, kind) in [
            (json!(1), "a number"),
            (json!(1.5), "a number"),
            (json!(true), "a truth value"),
            (json!(["x"]), "an array"),
            (json!({ "x": 1 }), "an object"),
            // A JSON library may give this name a meaning of its own.
            (json!({ "$serde_json::private::RawValue": "\"None\"" }), "an object"),
            (json!({ "$serde_json::private::Number": "1" }), "an object"),
        ] {
            let fault = format!("{member} is {kind}, not a string.");
            cases.push(
                put(format!("{member} {value}"), with(plain(), json!({ member: value }))).faults(&[&fault]),
            );
        }
    }
    for member in ["UserName", "Password"] {
        let fault = format!("{member} is a number, not a string.");
        cases.push(put(format!("{member} 1"), with(basic(), json!({ member: 1 }))).faults(&[&fault]));
    }
    for (value, kind) in [(json!("true"), "a string"), (json!(1), "a number"), (json!([true]), "an array")] {
        let fault = format!("ValidateEndpointCertificate is {kind}, not true or false.");
        let body = with(plain(), json!({ "ValidateEndpointCertificate": value }));
        cases.push(put(format!("ValidateEndpointCertificate {value}"), body).faults(&[&fault]));
    }
    hold(cases).await;
}
