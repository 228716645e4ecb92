//! The values of the members: limits on both sides, spellings, addresses.

use serde_json::{Value, json};

use crate::table::{Case, basic, cloud, hold, plain, put, with, without};

/// PUT of a configuration with this value, which is accepted and shown as given.
fn good(member: &str, value: impl Into<Value>) -> Case {
    let value = json!({ member: value.into() });
    put(format!("{value} is accepted"), with(plain(), value.clone())).shows(value)
}

/// PUT of a configuration with this value, which is refused.
fn bad(member: &str, value: impl Into<Value>, reason: &str) -> Case {
    let value = json!({ member: value.into() });
    put(format!("{value} is refused"), with(plain(), value)).faults(&[&format!("{member} {reason}")])
}

#[tokio::test]
async fn a_whole_configuration_is_shown_as_it_was_given() {
    let whole = json!({
        "Id": "I", "FailoverGroupId": "G", "Name": "N", "Description": "D", "FailoverTimeout": "00:00:30",
        "Mode": "None", "Endpoint": "https://h:1/p?q=r", "UserName": null, "Password": null, "ClientId": "i",
        "ClientSecret": "s", "TokenEndpoint": "http://t", "ValidateEndpointCertificate": false,
    });
    let shown = with(whole.clone(), json!({ "ClientSecret": "***************" }));
    hold(vec![put("all members", whole).shows(shown)]).await;
}

#[tokio::test]
async fn texts_have_limits_that_count_characters() {
    let mut cases = Vec::new();
    for member in ["Id", "FailoverGroupId", "Name"] {
        cases.extend([
            good(member, "x"),
            good(member, " "),
            good(member, "x".repeat(256)),
            good(member, "€".repeat(256)),
            good(member, "\u{1d11e} \\ \" ' <b> %00 ; drop table x"),
            bad(member, "", "is empty"),
            bad(member, "x".repeat(257), "has 257 characters, more than 256"),
            bad(member, "a\nb", "contains a control character"),
            bad(member, "a\0b", "contains a control character"),
            bad(member, "\u{7f}", "contains a control character"),
            bad(member, "\u{85}", "contains a control character"),
        ]);
    }
    for id in [".", ".."] {
        cases.push(bad("Id", id, "is a dot segment"));
        cases.push(bad("FailoverGroupId", id, "is a dot segment"));
        cases.push(good("Name", id));
    }
    cases.extend([
        good("Description", ""),
        good("Description", "x".repeat(1_024)),
        good("Description", "ä".repeat(1_024)),
        bad("Description", "x".repeat(1_025), "has 1025 characters, more than 1024"),
        bad("Description", "a\tb", "contains a control character"),
    ]);
    hold(cases).await;
}

#[tokio::test]
async fn a_timeout_is_a_time_span_from_250_ms_to_24_h() {
    let shown = |given: &str, shown: &str| {
        let value = json!({ "FailoverTimeout": given });
        put(format!("FailoverTimeout {given}"), with(plain(), value))
            .shows(json!({ "FailoverTimeout": shown }))
    };
    let outside = "is not between 00:00:00.25 and 1.00:00:00";
    let unread = "is not a time span";
    let mut cases = vec![
        shown("00:00:00.25", "00:00:00.2500000"),
        shown("00:00:00.2500000", "00:00:00.2500000"),
        shown("0:01:00", "00:01:00"),
        shown("00:00:01", "00:00:01"),
        shown("00:00:01.5", "00:00:01.5000000"),
        shown("00:00:01.0000009", "00:00:01"),
        shown("23:59:59.999999", "23:59:59.9999990"),
        shown("1.00:00:00", "1.00:00:00"),
        shown("0.00:01:00", "00:01:00"),
        put("one minute when nothing is said", plain()).shows(json!({ "FailoverTimeout": "00:01:00" })),
        bad("FailoverTimeout", "00:00:00.249999", outside),
        bad("FailoverTimeout", "00:00:00.2499999", outside),
        bad("FailoverTimeout", "00:00:00", outside),
        bad("FailoverTimeout", "1.00:00:00.0000001", outside),
        bad("FailoverTimeout", "1.00:00:01", outside),
        bad("FailoverTimeout", "36525.00:00:00", outside),
    ];
    for text in [
        "",
        "60",
        "1:00",
        "24:00:00",
        "00:60:00",
        "00:00:60",
        "-00:01:00",
        "+0:01:00",
        "00:01:00 ",
        " 00:01:00",
        "00:01:00.",
        "00:01:00.12345678",
        "00:1:00",
        "000:01:00",
        "00:01:0１",
        "PT1M",
        "1 minute",
        "99999.00:00:00",
        "18446744073709551616.00:00:00",
        "1.1.00:00:00",
        "00:01:00Z",
        "00:00:1e1",
    ] {
        cases.push(bad("FailoverTimeout", text, unread));
    }
    hold(cases).await;
}

#[tokio::test]
async fn a_mode_is_read_in_any_case_and_warn_is_warm() {
    let mut cases = Vec::new();
    for (text, shown) in [
        ("Hot", "Hot"),
        ("hot", "Hot"),
        ("HOT", "Hot"),
        ("Warm", "Warm"),
        ("Warn", "Warm"),
        ("wARN", "Warm"),
        ("Cold", "Cold"),
        ("cold", "Cold"),
        ("None", "None"),
        ("none", "None"),
    ] {
        let body = with(plain(), json!({ "Mode": text }));
        cases.push(put(format!("Mode {text}"), body).shows(json!({ "Mode": shown })));
    }
    for text in ["", "Tepid", " Hot", "Hot ", "0", "Hot,Warm", "ＨＯＴ"] {
        cases.push(bad("Mode", text, "is not one of the modes"));
    }
    hold(cases).await;
}

#[tokio::test]
async fn an_address_is_absolute_http_or_https_with_a_host_and_without_user_and_fragment() {
    let mut cases = Vec::new();
    for member in ["Endpoint", "TokenEndpoint"] {
        for url in [
            "http://h",
            "HTTP://H",
            "http://h/",
            "http://h:8080/a/b%20c?d=e",
            "http://127.0.0.1:1",
            "http://[::1]:1/x",
            "http://h.example.com./",
            "http://ümlaut.example",
            "http://h/@/a:b",
        ] {
            cases.push(good(member, url));
        }
        let filler = "a".repeat(2_048 - "http://h/".len());
        cases.push(good(member, format!("http://h/{filler}")));
        cases.push(bad(member, format!("http://h/{filler}a"), "is longer than 2,048 characters"));
        for url in [
            "",
            "h",
            "/a",
            "//h/a",
            "http:",
            "http:h",
            "http://",
            "http:///",
            "http:///a",
            "http:////h",
            "http:/h",
            "http://?a",
            "http:// h",
            "http://h /",
            " http://h",
            "http://h\t",
            "http:\\\\h",
            "http://h\\a",
            "http://h:x",
            "http://h:65536",
            "http://[::1",
            "http://h%",
            "http://:80",
        ] {
            cases.push(bad(member, url, "is not a well-formed absolute URL"));
        }
        for url in ["ftp://h", "file:///etc/passwd", "ws://h", "mailto:a@b", "javascript:alert(1)"] {
            cases.push(bad(member, url, "is neither an http nor an https URL"));
        }
        for url in ["http://u@h", "http://u:p@h", "http://:p@h", "http://@h", "http://:@h"] {
            cases.push(bad(member, url, "contains a user name or password"));
        }
        for url in ["http://h#", "http://h/a#b"] {
            cases.push(bad(member, url, "contains a fragment"));
        }
    }
    cases.push(put("https TokenEndpoint", with(plain(), json!({ "TokenEndpoint": "https://t" }))));
    hold(cases).await;
}

#[tokio::test]
async fn credentials_are_one_whole_pair_and_https_needs_one() {
    let https = |base: Value| with(base, json!({ "Endpoint": "https://h" }));
    let client = with(plain(), json!({ "ClientId": "i", "ClientSecret": "s" }));
    let two = "UserName and ClientId are two kinds of credentials at once";
    let mut cases = vec![
        put("http needs none", plain()).shows(json!({ "UserName": null, "ClientId": null })),
        put("http takes Basic", basic()).shows(json!({ "UserName": "user", "Password": "***************" })),
        put("http takes a client", &client)
            .shows(json!({ "ClientId": "i", "ClientSecret": "***************" })),
        put("https takes Basic", https(basic())).shows(json!({ "UserName": "user", "ClientId": null })),
        put("https takes a client", https(client.clone()))
            .shows(json!({ "UserName": null, "ClientId": "i" })),
        put("https needs one", https(plain()))
            .faults(&["Endpoint is an https URL, for which credentials are missing"]),
        put("HTTPS in capitals needs one", with(plain(), json!({ "Endpoint": "HTTPS://h" })))
            .faults(&["Endpoint is an https URL"]),
        put("both", with(client.clone(), json!({ "UserName": "u", "Password": "p" }))).faults(&[two]),
        put("halves of both", with(plain(), json!({ "UserName": "u", "ClientSecret": "s" }))).faults(&[two]),
        put("TokenEndpoint beside Basic", with(basic(), json!({ "TokenEndpoint": "http://t" })))
            .shows(json!({ "UserName": "user", "TokenEndpoint": "http://t" })),
        put("TokenEndpoint left out", without(cloud(), "TokenEndpoint"))
            .shows(json!({ "TokenEndpoint": null })),
        put("a backslash in UserName", with(basic(), json!({ "UserName": r"OilCompany\TestUser" })))
            .shows(json!({ "UserName": r"OilCompany\TestUser" })),
        put("a colon in UserName", with(basic(), json!({ "UserName": "a:b" })))
            .faults(&["UserName contains a colon"]),
        put("a colon in ClientId", with(cloud(), json!({ "ClientId": "a:b" })))
            .shows(json!({ "ClientId": "a:b" })),
        put("an empty UserName", with(basic(), json!({ "UserName": "" }))).faults(&["UserName is empty"]),
        put("a long UserName", with(basic(), json!({ "UserName": "u".repeat(257) })))
            .faults(&["UserName has 257"]),
        put("an empty Password is one", with(basic(), json!({ "Password": "" })))
            .shows(json!({ "Password": "***************" })),
        put("a control character in Password", with(basic(), json!({ "Password": "a\nb" })))
            .faults(&["Password contains a control character"]),
        put("a Password of 4,096", with(basic(), json!({ "Password": "ä".repeat(4_096) }))),
        put("a Password of 4,097", with(basic(), json!({ "Password": "a".repeat(4_097) })))
            .faults(&["Password is longer than 4,096 characters"]),
        put("a ClientSecret of 4,097", with(cloud(), json!({ "ClientSecret": "a".repeat(4_097) })))
            .faults(&["ClientSecret is longer"]),
        put("a reference to a secret", with(basic(), json!({ "Password": "{{id}}" })))
            .shows(json!({ "Password": "{{id}}" })),
        put("a reference without its last brace", with(basic(), json!({ "Password": "{{id}" })))
            .faults(&["Password has double braces at one end alone"]),
        put("a reference without its first braces", with(cloud(), json!({ "ClientSecret": "id}}" })))
            .faults(&["ClientSecret has double braces at one end alone"]),
        put("a reference to nothing", with(basic(), json!({ "Password": "{{}}" })))
            .faults(&["Password is wrapped in {{ }}, as a reference to a secret is, whose Id is empty"]),
        put(
            "what is wrapped in more braces is no reference",
            with(basic(), json!({ "Password": "{{{id}}}" })),
        )
        .shows(json!({ "Password": "***************" })),
    ];
    for (half, other) in [
        ("UserName", "Password"),
        ("Password", "UserName"),
        ("ClientId", "ClientSecret"),
        ("ClientSecret", "ClientId"),
    ] {
        let fault = format!("{other} is missing beside {half}");
        cases.push(put(format!("{half} alone"), with(plain(), json!({ half: "x" }))).faults(&[&fault]));
    }
    hold(cases).await;
}
