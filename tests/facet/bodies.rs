//! Verbs, bodies and Ids.

use reqwest::Method;
use serde_json::json;

use crate::{
    case::{basic, check, least, rule, with},
    support::FACET,
};

#[tokio::test]
async fn each_verb_does_what_the_documents_say() {
    let changed = with(least(), json!({ "Mode": "Cold" }));
    let mode = |mode| json!({ "Id": "c", "Mode": mode });
    check(vec![
        rule("GET of nothing is an empty array").plain(Method::GET, FACET).answered(200),
        rule("GET by id of nothing").plain(Method::GET, &format!("{FACET}/c")).refused(404, &["c"]),
        rule("POST creates").post(least()).stores(mode("Hot")),
        rule("POST fails if one exists").given(least()).post(&changed).refused(409, &["exists", "DELETE"]),
        rule("PUT creates").put(least()).stores(mode("Hot")),
        rule("PUT replaces").given(least()).put(&changed).stores(mode("Cold")),
        rule("PUT replaces all: what is left out goes back to its default")
            .given(with(least(), json!({ "Name": "n", "FailoverTimeout": "00:00:05" })))
            .put(least())
            .stores(json!({ "Name": null, "FailoverTimeout": "00:01:00" })),
        rule("PUT by id replaces").given(least()).ask(Method::PUT, "/c", &changed).stores(mode("Cold")),
        rule("PUT by id fails where nothing is").ask(Method::PUT, "/c", &changed).refused(404, &["c"]),
        rule("PUT by another id")
            .given(least())
            .ask(Method::PUT, "/d", with(least(), json!({ "Id": null })))
            .refused(404, &["d"]),
        rule("PATCH of nothing").patch(json!({ "Mode": "Cold" })).refused(404, &["no configuration"]),
        rule("PATCH by id of nothing").ask(Method::PATCH, "/c", json!({})).refused(404, &["c"]),
        rule("PATCH changes one member").given(basic()).patch(json!({ "Mode": "Cold" })).stores(
            json!({ "Mode": "Cold", "UserName": "u", "Password": "***************", "FailoverGroupId": "g" }),
        ),
        rule("PATCH by id")
            .given(least())
            .ask(Method::PATCH, "/c", json!({ "Name": "n" }))
            .stores(json!({ "Name": "n" })),
        rule("an empty PATCH changes nothing").given(least()).patch(json!({})).stores(mode("Hot")),
        rule("DELETE of the collection is idempotent").plain(Method::DELETE, FACET).answered(204),
        rule("DELETE by id of nothing").plain(Method::DELETE, &format!("{FACET}/c")).refused(404, &["c"]),
        rule("DELETE by another id")
            .given(least())
            .plain(Method::DELETE, &format!("{FACET}/C"))
            .refused(404, &["C"]),
        rule("a verb that is not there")
            .plain(Method::POST, "/api/v1/diagnostics/FailoverState")
            .refused(405, &["Allow"]),
    ])
    .await;
}

#[tokio::test]
async fn a_body_is_one_object_or_an_array_of_exactly_one() {
    let null_body = "null";
    check(vec![
        rule("an object").put(least()).stores(json!({ "Id": "c" })),
        rule("an array of one").put(json!([least()])).stores(json!({ "Id": "c" })),
        rule("PATCH takes an array of one, too")
            .given(least())
            .patch(json!([{ "Name": "n" }]))
            .stores(json!({ "Name": "n" })),
        rule("an array of two").given(least()).put(json!([least(), least()])).refused(400, &["array of 2"]),
        rule("an empty array").put("[]").refused(400, &["empty array"]),
        rule("an array of a text").put(r#"["a"]"#).refused(400, &["array of a text"]),
        rule("null").put(null_body).refused(400, &["is null"]),
        rule("a number").put("1").refused(400, &["is a number"]),
        rule("malformed JSON has a line and a column")
            .put("{\n\"Mode\": oops}")
            .refused(400, &["line 2, column"]),
        rule("an empty body").put("").refused(400, &["line 1"]),
        rule("too deep").put("[".repeat(5_000)).refused(400, &["line 1"]),
        rule("too large").put(format!("{}{}", " ".repeat(1024 * 1024), least())).refused(413, &["1048576"]),
        rule("just not too large")
            .put(format!("{}{}", " ".repeat(1024 * 1024 - least().to_string().len()), least()))
            .stores(json!({ "Id": "c" })),
    ])
    .await;
}

#[tokio::test]
async fn every_fault_is_reported_at_once_with_its_member() {
    check(vec![
        rule("several rules")
            .put(json!({ "FailoverTimeout": "soon", "Mode": "Tepid", "Endpoint": "nowhere", "Name": 7, "Extra": 1 }))
            .refused(
                400,
                &["6 faults", "FailoverGroupId is required", "FailoverTimeout is not", "Mode is not", "Endpoint is not",
                  "Name is a number", r#"\"Extra\" is not a member"#],
            ),
        rule("a wrongly typed member is not reported as missing, too")
            .put(with(least(), json!({ "Mode": 1 })))
            .refused(400, &["1 fault was", "Mode is a number, not a string"]),
        rule("a truth value in quotes")
            .put(with(least(), json!({ "ValidateEndpointCertificate": "false" })))
            .refused(400, &["ValidateEndpointCertificate is a string, not true or false"]),
        rule("members in any case")
            .put(r#"{"FAILOVERGROUPID":"g","mode":"hot","endPoint":"http://h","failovertimeout":"00:00:02"}"#)
            .stores(json!({ "FailoverGroupId": "g", "Mode": "Hot", "FailoverTimeout": "00:00:02" })),
        rule("doubled members")
            .put(r#"{"Mode":"Hot","mode":"Hot","FailoverGroupId":"g","Endpoint":"http://h"}"#)
            .refused(400, &["Mode is there 2 times (Mode, mode)"]),
        rule("null is as if absent in PUT")
            .put(r#"{"FailoverGroupId":"g","Mode":"Hot","Endpoint":"http://h","Name":null,"FailoverTimeout":null,"Password":null}"#)
            .stores(json!({ "Name": null, "FailoverTimeout": "00:01:00" })),
        rule("null is as if absent in POST").post(r#"{"FailoverGroupId":null,"Mode":"Hot","Endpoint":"http://h"}"#)
            .refused(400, &["FailoverGroupId is required"]),
        rule("null resets an optional value in PATCH")
            .given(with(least(), json!({ "Name": "n", "Description": "d", "FailoverTimeout": "00:00:05" })))
            .patch(json!({ "Name": null, "FailoverTimeout": null }))
            .stores(json!({ "Name": null, "FailoverTimeout": "00:01:00", "Description": "d" })),
        rule("null is refused for required members in PATCH")
            .given(least())
            .patch(json!({ "FailoverGroupId": null, "Mode": null, "Endpoint": null }))
            .refused(400, &["3 faults", "FailoverGroupId is required and", "Mode is required and", "Endpoint is required and"]),
        rule("unknown members in PATCH").given(least()).patch(json!({ "Mod": "Hot" })).refused(400, &[r#"\"Mod\""#]),
    ])
    .await;
}

#[tokio::test]
async fn ids_compare_exactly_and_agree() {
    let slashed = with(least(), json!({ "Id": "a/b ä" }));
    check(vec![
        rule("a body's Id that differs from the path's")
            .given(least())
            .ask(Method::PUT, "/c", with(least(), json!({ "Id": "C" })))
            .refused(400, &["Id is", "in the path"]),
        rule("the same in PATCH")
            .given(least())
            .ask(Method::PATCH, "/c", json!({ "Id": "d" }))
            .refused(400, &["in the path"]),
        rule("the same Id twice").given(least()).ask(Method::PUT, "/c", least()).stores(json!({ "Id": "c" })),
        rule("without an Id it keeps the one it had")
            .given(least())
            .put(with(least(), json!({ "Id": null, "Mode": "Warm" })))
            .stores(json!({ "Id": "c", "Mode": "Warm" })),
        rule("PUT of the collection may change the Id")
            .given(least())
            .put(with(least(), json!({ "Id": "d" })))
            .stores(json!({ "Id": "d" })),
        rule("an Id is percent-encoded in the path")
            .given(slashed.clone())
            .ask(Method::PATCH, "/a%2Fb%20%C3%A4", json!({ "Mode": "Cold" }))
            .stores(json!({ "Id": "a/b ä", "Mode": "Cold" })),
        rule("an Id that is no UTF-8")
            .given(slashed)
            .ask(Method::PATCH, "/%FF", json!({}))
            .refused(400, &["UTF-8"]),
        rule("an Id that no URL can carry")
            .put(with(least(), json!({ "Id": ".." })))
            .refused(400, &["Id is a dot segment"]),
        rule("an empty Id").put(with(least(), json!({ "Id": "" }))).refused(400, &["Id is empty"]),
    ])
    .await;
}
