//! The mask, and what a stored secret is bound to.

use serde_json::{Value, json};

use crate::{
    support::{Server, ear::Ear, until},
    table::{Case, basic, by_id, cloud, hold, patch, plain, put, with},
};

const MASK: &str = "***************";

fn masked(base: Value) -> Value {
    let secret = if base.get("Password").is_some() { "Password" } else { "ClientSecret" };
    with(base, json!({ secret: MASK }))
}

const BOUND: &str = "was given for another endpoint, token endpoint or certificate check";

#[tokio::test]
async fn the_mask_is_exactly_15_asterisks_and_keeps_what_is_stored() {
    let none = "is the mask, but no secret is stored";
    let password = |text: &str| with(basic(), json!({ "Password": text }));
    hold(vec![
        put("the mask keeps a password", masked(basic())).on(basic()).shows(masked(basic())),
        put("the mask keeps a client secret", masked(cloud())).on(cloud()).shows(masked(cloud())),
        put("the mask by Id", masked(basic())).on(basic()).at(by_id("C")).shows(masked(basic())),
        put("the mask beside other changes", with(masked(basic()), json!({ "Name": "n" })))
            .on(basic())
            .shows(json!({ "Name": "n", "Password": MASK })),
        put("the mask for another user", with(masked(basic()), json!({ "UserName": "other" })))
            .on(basic())
            .shows(json!({ "UserName": "other" })),
        put("the mask where nothing is stored", masked(basic())).faults(&[&format!("Password {none}")]),
        put("the mask where no secret is stored", masked(basic()))
            .on(plain())
            .faults(&[&format!("Password {none}")]),
        put("the mask for the other kind of secret", masked(cloud()))
            .on(with(
                basic(),
                json!({ "Endpoint": "https://cloud.test", "TokenEndpoint": "https://login.test" }),
            ))
            .faults(&[&format!("ClientSecret {none}")]),
        put("14 asterisks are a password", password(&"*".repeat(14))),
        put("16 asterisks are a password", password(&"*".repeat(16))),
        put("asterisks after a blank are a password", password(&format!(" {MASK}"))),
        put("a whole configuration without credentials drops them", plain())
            .on(basic())
            .shows(json!({ "UserName": null, "Password": null })),
    ])
    .await;
}

/// What a stored secret is bound to: a change of any, and whether it is one.
fn changes() -> Vec<(&'static str, Value, bool)> {
    vec![
        ("nothing", json!({}), false),
        ("the endpoint's path", json!({ "Endpoint": "https://cloud.test/other?x=y" }), false),
        (
            "the endpoint's default port, written out",
            json!({ "Endpoint": "https://CLOUD.test:443/api" }),
            false,
        ),
        ("the endpoint's host", json!({ "Endpoint": "https://other.test/api" }), true),
        ("the endpoint's host, a part more", json!({ "Endpoint": "https://cloud.test.other/api" }), true),
        ("the endpoint's port", json!({ "Endpoint": "https://cloud.test:444/api" }), true),
        ("the endpoint's scheme", json!({ "Endpoint": "http://cloud.test/api" }), true),
        ("the endpoint's scheme on the same port", json!({ "Endpoint": "http://cloud.test:443/api" }), true),
        ("the token endpoint's path", json!({ "TokenEndpoint": "https://login.test/other" }), false),
        ("the token endpoint's host", json!({ "TokenEndpoint": "https://other.test/token" }), true),
        ("the token endpoint's port", json!({ "TokenEndpoint": "https://login.test:1/token" }), true),
        ("the token endpoint's scheme", json!({ "TokenEndpoint": "http://login.test/token" }), true),
        ("the token endpoint away", json!({ "TokenEndpoint": null }), true),
        ("certificate checking", json!({ "ValidateEndpointCertificate": false }), true),
        ("the user", json!({ "ClientId": "other" }), false),
        (
            "group, name, timeout and mode",
            json!({
                "FailoverGroupId": "H", "Name": "n", "FailoverTimeout": "00:00:09", "Mode": "none",
            }),
            false,
        ),
    ]
}

#[tokio::test]
async fn a_stored_secret_is_bound_to_origins_and_certificate_checking() {
    let mut cases: Vec<Case> = Vec::new();
    for (what, change, binds) in changes() {
        let fault = format!("ClientSecret {BOUND}");
        let put_it = |rule: &str, body: Value| put(format!("{rule}, {what}"), body).on(cloud());
        let patch_it = |rule: &str, body: Value| patch(format!("{rule}, {what}"), body).on(cloud());
        let requests = [
            put_it("PUT with the mask", with(masked(cloud()), change.clone())),
            put_it("PUT with the mask under the same Id", with(masked(cloud()), change.clone()))
                .at(by_id("C")),
            patch_it("PATCH by omission", change.clone()),
            patch_it("PATCH by omission, by Id", change.clone()).at(by_id("C")),
            patch_it("PATCH with the mask", with(change.clone(), json!({ "ClientSecret": MASK }))),
        ];
        cases.extend(requests.into_iter().map(|case| {
            if binds { case.faults(&[&fault]) } else { case.shows(json!({ "ClientSecret": MASK })) }
        }));
        // With the secret in the same request, everything may change.
        let again = json!({ "ClientSecret": "again" });
        cases.push(put_it("PUT with the secret", with(with(cloud(), change.clone()), again.clone())));
        cases.push(patch_it("PATCH with the secret", with(change, again)));
    }
    let validated = with(basic(), json!({ "ValidateEndpointCertificate": false }));
    cases.push(
        put("certificate checking back to its default by leaving it out", masked(basic()))
            .on(validated.clone())
            .faults(&[&format!("Password {BOUND}")]),
    );
    cases.push(
        patch("certificate checking back to its default by null", r#"{"ValidateEndpointCertificate":null}"#)
            .on(validated)
            .faults(&[&format!("Password {BOUND}")]),
    );
    cases.push(
        patch("a token endpoint that was not there", r#"{"TokenEndpoint":"http://t"}"#)
            .on(basic())
            .faults(&[&format!("Password {BOUND}")]),
    );
    cases.push(
        put(
            "another Id does not loosen it",
            with(masked(basic()), json!({ "Id": "D", "Endpoint": "http://other" })),
        )
        .on(basic())
        .faults(&[&format!("Password {BOUND}")]),
    );
    cases.push(
        patch("no secret, nothing bound", r#"{"Endpoint":"http://other","TokenEndpoint":"http://t"}"#)
            .shows(json!({ "Endpoint": "http://other" })),
    );
    hold(cases).await;
}

#[tokio::test]
async fn the_secret_behind_the_mask_is_the_one_that_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    let ear = Ear::listen();
    let configuration = json!({
        "Id": "C", "FailoverGroupId": "G", "Mode": "Hot", "Endpoint": ear.url, "UserName": "one",
        "Password": "Pässword 1", "FailoverTimeout": "00:00:01",
    });
    let heard = async |user: &str, password: &str| {
        let wanted = Ear::basic(user, password);
        until(&format!("{user}:{password} is sent"), async || ear.heard().contains(&wanted)).await;
    };
    server.configure(&configuration).await;
    heard("one", "Pässword 1").await;
    server.configure(&with(masked(configuration.clone()), json!({ "UserName": "two" }))).await;
    heard("two", "Pässword 1").await;
    let patched = server.send(reqwest::Method::PATCH, &by_id("C"), Some(r#"{"UserName":"three"}"#)).await;
    assert_eq!(patched.status, 204, "{}", patched.body);
    heard("three", "Pässword 1").await;
    server.configure(&with(configuration, json!({ "Password": "**************" }))).await;
    heard("one", "**************").await;
    assert!(!ear.heard().contains(&Ear::basic("one", MASK)), "the mask is never sent");
}
