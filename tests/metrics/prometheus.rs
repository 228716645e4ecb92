//! A real Prometheus scrapes a real plant, and answers what the dashboard asks.

use std::{
    fs,
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    contrib::{alerts, queries},
    plant::{GROUP, Plant},
    support::{Server, client, port::Port, until},
};

/// A Prometheus of its own. It is killed when it is dropped.
struct Prometheus {
    child: Child,
    url: String,
    _port: Port,
    _folder: TempDir,
}

impl Prometheus {
    /// Starts one that scrapes `servers` each second, with the rules of `contrib/`.
    async fn start(servers: &[&Server]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/prometheus/client-failover.rules.yml");
        let targets: Vec<_> = servers.iter().map(|server| format!("{:?}", server.address())).collect();
        let configuration = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n\
             rule_files: [{rules:?}]\n\
             scrape_configs:\n  - job_name: client-failover\n    static_configs:\n      - targets: [{}]\n",
            targets.join(", ")
        );
        fs::write(folder.path().join("prometheus.yml"), configuration).unwrap();
        // It does not say which port it chose, so one is chosen for it.
        let port = Port::hold();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new("prometheus")
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
            .arg(format!("--web.listen-address={}", port.address))
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("Prometheus is not installed: scripts/test installs Debian's");
        let started = Self { child, url: format!("http://{}", port.address), _port: port, _folder: folder };
        until("Prometheus is ready", async || {
            let ready = client().get(format!("{}/-/ready", started.url)).send().await;
            ready.is_ok_and(|ready| ready.status().is_success())
        })
        .await;
        started
    }

    async fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        let answer = client().get(format!("{}/api/v1/{path}?{query}", self.url)).send().await.unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }

    /// What `query` comes to now.
    async fn ask(&self, query: &str) -> Vec<Value> {
        let answer = self.get("query", &[("query", query)]).await;
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        answer["data"]["result"].as_array().unwrap().clone()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// `query` without the condition by which the dashboard shows only what is wrong: there is an answer if all is well, too.
fn whatever_it_comes_to(query: &str) -> String {
    query.trim_end_matches(" > 0").replace(r#"health!="Protected""#, r#"health=~".+""#)
}

#[tokio::test]
async fn a_real_prometheus_scrapes_all_and_sees_a_primary_that_is_killed() {
    let mut plant = Plant::start().await;
    plant.send_to_gate().await;
    let prometheus = Prometheus::start(&[&plant.endpoint, &plant.a, &plant.b]).await;
    until("all three are scraped", async || prometheus.ask("up == 1").await.len() == 3).await;
    // Nobody here shows a certificate.
    for query in queries().iter().filter(|query| !query.contains("_tls_certificate_")) {
        let query = whatever_it_comes_to(query);
        until(&query, async || !prometheus.ask(&query).await.is_empty()).await;
    }
    let rules = prometheus.get("rules", &[]).await.to_string();
    for alert in alerts() {
        assert!(rules.contains(&format!("\"name\":\"{alert}\"")), "{alert} is not among the rules");
    }
    // What a label must escape arrives as it is.
    let primary = prometheus.ask("client_failover_group_primary_info").await;
    assert_eq!(primary[0]["metric"]["group"], GROUP);
    plant.a.kill();
    plant.b.until_role("Primary").await;
    for query in [
        "up == 0",
        "client_failover_group_health{health=\"OneMember\"} == 1",
        "client_failover_endpoint_history_rows_total{kind=\"Promoted\",reason=\"NoHeartbeat\"} == 1",
        "changes(client_failover_group_epoch[1m]) == 1",
        "ALERTS{alertname=\"ClientFailoverDown\",alertstate=\"pending\"}",
        "ALERTS{alertname=\"ClientFailoverOneMember\",alertstate=\"pending\"}",
    ] {
        until(query, async || prometheus.ask(query).await.len() == 1).await;
    }
}
