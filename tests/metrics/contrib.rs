//! Rules and dashboard name only what is there, and do what they say.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{
    plant::{Plant, Scraped, scrape, scrape_by},
    promtool::promtool,
    support::Server,
};

/// The rules, and what each alert fires for.
const RULES: &str = "client-failover.rules.yml";
const RULES_TEST: &str = "client-failover.rules.test.yml";

fn contrib(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib").join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(contrib(path)).unwrap()
}

/// Every name of a metric of ours in `text`.
fn names(text: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    let starts = text.match_indices("client_failover_").map(|(at, _)| &text[at..]);
    starts.map(|rest| &rest[..rest.find(|c| !is_name(c)).unwrap_or(rest.len())]).collect()
}

/// Every label of a sample or a query of ours that must have one of these words: the metric's name, the label's, and the word.
fn words(text: &str) -> BTreeSet<(&str, &str, &str)> {
    // What a plant calls its own things is no word of ours.
    const FREE: [&str; 8] =
        ["job", "instance", "group", "session", "destination", "tenant", "namespace", "le"];
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("client_failover_") {
        let Some((name, labels)) = text[at..].split_once('{') else { continue };
        if names(name) != BTreeSet::from([name]) {
            continue;
        }
        let labels = labels.split_once('}').map_or(labels, |(labels, _)| labels);
        for label in labels.split("\",").filter_map(|label| label.split_once('=')) {
            let (key, value) =
                (label.0.trim().trim_end_matches('!'), label.1.trim_start_matches('~').trim_matches('"'));
            if !FREE.contains(&key) && !value.contains('$') {
                found.extend(value.split('|').map(|word| (name, key, word)));
            }
        }
    }
    found
}

/// Every query of the dashboard, as Prometheus gets it.
pub(crate) fn queries() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&read("grafana/client-failover.json")).unwrap();
    let mut queries = Vec::new();
    gather(&dashboard, &mut queries);
    assert!(queries.len() > 40, "{queries:?}");
    let filled = |query: &String| {
        query.replace("$__rate_interval", "1m").replace("$job", ".*").replace("$instance", ".*")
    };
    queries.iter().map(filled).collect()
}

fn gather(value: &Value, queries: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            queries.extend(members.get("expr").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|value| gather(value, queries));
        }
        Value::Array(items) => items.iter().for_each(|item| gather(item, queries)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Every alert of the rules.
pub(crate) fn alerts() -> Vec<String> {
    let rules = read("prometheus/client-failover.rules.yml");
    rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).map(str::to_owned).collect()
}

#[tokio::test]
async fn every_metric_that_rules_and_dashboard_name_is_told_and_so_is_every_word_they_look_for() {
    let plant = Plant::start().await;
    plant.send_to_gate().await;
    let folder = tempfile::tempdir().unwrap();
    let encrypted = Server::endpoint(folder.path(), &["--tls-self-signed"]);
    let mut scrapes = Vec::new();
    for server in [&plant.endpoint, &plant.a, &plant.b] {
        scrapes.push(scrape(server).await);
    }
    let trusting =
        reqwest::Certificate::from_pem(&fs::read(folder.path().join("tls-cert.pem")).unwrap()).unwrap();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([trusting]).build().unwrap();
    let told = scrape_by(&client, &encrypted, "text/plain").await;
    promtool(Path::new("."), &["check", "metrics"], &told.text);
    scrapes.push(told);
    let told: BTreeSet<&str> = scrapes.iter().flat_map(Scraped::names).collect();
    let said: BTreeSet<_> = scrapes.iter().flat_map(|scraped| words(&scraped.text)).collect();
    let dashboard = queries().join("\n");
    let (rules, rules_test) =
        (read(&format!("prometheus/{RULES}")), read(&format!("prometheus/{RULES_TEST}")));
    for (file, text) in [("the dashboard", &dashboard), ("the rules", &rules), ("their test", &rules_test)] {
        let named = names(text);
        assert!(named.len() > 10, "{file}: {named:?}");
        for name in named {
            assert!(told.contains(name), "{file} names {name}, which nobody tells: {told:#?}");
        }
        let asked = words(text);
        assert!(asked.len() > 5, "{file}: {asked:?}");
        for (name, label, word) in asked {
            // A group has one health of those by which groups are counted.
            let teller =
                if name == "client_failover_group_health" { "client_failover_endpoint_groups" } else { name };
            assert!(
                said.contains(&(teller, label, word)),
                "{file} asks {name} for the {label} {word}, which is none"
            );
        }
    }
}

#[test]
fn the_rules_are_good_and_do_what_their_test_says() {
    promtool(&contrib("prometheus"), &["check", "rules", RULES], "");
    promtool(&contrib("prometheus"), &["test", "rules", RULES_TEST], "");
}

#[test]
fn each_alert_fires_in_the_test_and_says_what_to_do() {
    let (rules, test) = (read(&format!("prometheus/{RULES}")), read(&format!("prometheus/{RULES_TEST}")));
    let alerts = alerts();
    assert!(alerts.len() > 20, "{alerts:?}");
    for alert in &alerts {
        // Among the samples that promtool expects of what fires.
        assert!(
            test.contains(&format!("          - labels: '{{alertname=\"{alert}\"")),
            "nothing makes {alert} fire"
        );
    }
    for annotation in ["severity: ", "summary: ", "description: "] {
        assert_eq!(rules.matches(annotation).count(), alerts.len(), "each alert has one {annotation}");
    }
}
