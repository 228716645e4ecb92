//! Credentials: pairs, masks, and whom a stored secret may go to.

use serde_json::json;

use crate::case::{basic, check, least, rule, with};

const MASK: &str = "***************";

#[tokio::test]
async fn credentials_come_in_one_pair() {
    let https = json!({ "Endpoint": "https://h" });
    let client = json!({ "ClientId": "i", "ClientSecret": "s" });
    check(vec![
        rule("http needs none").put(least()).stores(json!({ "UserName": null, "Password": null })),
        rule("Basic").put(basic()).stores(json!({ "UserName": "u", "Password": MASK, "ClientSecret": null })),
        rule("a bearer token")
            .put(with(least(), client.clone()))
            .stores(json!({ "ClientId": "i", "ClientSecret": MASK })),
        rule("a backslash")
            .put(with(basic(), json!({ "UserName": "OilCompany\\TestUser" })))
            .stores(json!({ "UserName": "OilCompany\\TestUser" })),
        rule("TokenEndpoint beside Basic is accepted")
            .put(with(basic(), json!({ "TokenEndpoint": "http://token.com" })))
            .stores(json!({ "TokenEndpoint": "http://token.com" })),
        rule("https needs a pair")
            .put(with(least(), https.clone()))
            .refused(400, &["Endpoint is an https URL", "credentials"]),
        rule("https with Basic").put(with(basic(), https.clone())).stores(json!({ "UserName": "u" })),
        rule("https with a token")
            .put(with(with(least(), https), client.clone()))
            .stores(json!({ "ClientId": "i" })),
        rule("half of Basic")
            .put(with(least(), json!({ "UserName": "u" })))
            .refused(400, &["Password is missing beside UserName"]),
        rule("the other half")
            .put(with(least(), json!({ "Password": "p" })))
            .refused(400, &["UserName is missing beside Password"]),
        rule("half of a client")
            .put(with(least(), json!({ "ClientId": "i" })))
            .refused(400, &["ClientSecret is missing beside ClientId"]),
        rule("both").put(with(basic(), client.clone())).refused(400, &["two kinds of credentials"]),
        rule("parts of both")
            .put(with(basic(), json!({ "ClientId": "i" })))
            .refused(400, &["two kinds of credentials"]),
        rule("PATCH from one kind to the other")
            .given(basic())
            .patch(
                json!({ "UserName": null, "Password": null, "ClientId": "i", "ClientSecret": "s" })
                    .to_string(),
            )
            .stores(json!({ "UserName": null, "Password": null, "ClientId": "i", "ClientSecret": MASK })),
        rule("PATCH that would leave both")
            .given(basic())
            .patch(client)
            .refused(400, &["two kinds of credentials"]),
        rule("a colon in a user name")
            .put(with(basic(), json!({ "UserName": "a:b" })))
            .refused(400, &["UserName contains a colon"]),
        rule("a control character in a password")
            .put(with(basic(), json!({ "Password": "a\u{0}b" })))
            .refused(400, &["Password contains a control"]),
        rule("a reference to a secret store")
            .put(with(basic(), json!({ "Password": "{{id}}" })))
            .refused(400, &["Password is wrapped"]),
        rule("a password that is too long")
            .put(with(basic(), json!({ "Password": "x".repeat(4_097) })))
            .refused(400, &["Password is longer"]),
    ])
    .await;
}

#[tokio::test]
async fn the_mask_keeps_what_is_stored_and_nothing_else() {
    let masked = with(basic(), json!({ "Password": MASK }));
    let near = |length| with(basic(), json!({ "Password": "*".repeat(length) }));
    check(vec![
        rule("where nothing is stored")
            .put(&masked)
            .refused(400, &["Password is the mask, but no secret is stored"]),
        rule("where another kind is stored")
            .given(with(least(), json!({ "ClientId": "i", "ClientSecret": "s" })))
            .put(&masked)
            .refused(400, &["Password is the mask"]),
        rule("PUT keeps it")
            .given(basic())
            .put(with(masked.clone(), json!({ "Mode": "Cold" })))
            .stores(json!({ "Mode": "Cold", "Password": MASK })),
        rule("PATCH keeps it")
            .given(basic())
            .patch(json!({ "Password": MASK }))
            .stores(json!({ "Password": MASK })),
        rule("the user may change")
            .given(basic())
            .put(with(masked.clone(), json!({ "UserName": "v" })))
            .stores(json!({ "UserName": "v" })),
        rule("14 asterisks are a password").put(near(14)).stores(json!({ "UserName": "u" })),
        rule("16 asterisks are a password").put(near(16)).stores(json!({ "UserName": "u" })),
    ])
    .await;
}

#[tokio::test]
async fn a_stored_secret_goes_only_where_it_was_given_for() {
    let given = || with(basic(), json!({ "TokenEndpoint": "http://t" }));
    let mut cases = Vec::new();
    for changed in [
        json!({ "Endpoint": "http://127.0.0.1:10" }),
        json!({ "Endpoint": "https://127.0.0.1:9" }),
        json!({ "Endpoint": "http://127.0.0.2:9" }),
        json!({ "TokenEndpoint": "http://other" }),
        json!({ "ValidateEndpointCertificate": false }),
    ] {
        let refusal = &["Password was given for another endpoint", "Give Password again"];
        cases.push(rule("PATCH by omission").given(given()).patch(&changed).refused(400, refusal));
        let masked = with(with(given(), json!({ "Password": MASK })), changed.clone());
        cases.push(rule("PUT by mask").given(given()).put(&masked).refused(400, refusal));
        cases.push(
            rule("PUT under another Id")
                .given(given())
                .put(with(masked, json!({ "Id": "d" })))
                .refused(400, refusal),
        );
        let again = with(changed.clone(), json!({ "Password": "new" }));
        cases.push(rule("PATCH with the secret").given(given()).patch(again).stores(changed));
    }
    cases.push(
        rule("a token endpoint that is taken away")
            .given(given())
            .patch(r#"{"TokenEndpoint": null}"#)
            .refused(400, &["Password was given for another"]),
    );
    cases.push(
        rule("another path of the same origin")
            .given(given())
            .patch(json!({ "Endpoint": "http://127.0.0.1:9/base" }))
            .stores(json!({ "Endpoint": "http://127.0.0.1:9/base", "Password": MASK })),
    );
    check(cases).await;
}
