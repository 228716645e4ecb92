//! A supervised collector that keeps running is told by a signal that its order is another.

use std::fs;

use crate::{
    serve,
    support::{configuration, scripted::Endpoint, until},
};

/// Asks for its order whenever it is told that there is another. Its first line says that it was started.
const COLLECTOR: &str = "\
ask() { curl -s --noproxy '*' $CLIENT_FAILOVER_URL/api/v1/diagnostics/Order >> $0/told; echo >> $0/told; }
trap ask USR1
echo started >> $0/told
while :; do sleep 0.05; done";

#[tokio::test]
async fn it_asks_for_its_order_and_runs_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let endpoint = Endpoint::native().await;
    endpoint.answer_role("Secondary");
    let text = format!(
        "[collector]\ncommand = [\"bash\", \"-c\", \"\"\"{COLLECTOR}\"\"\", \"{path}\"]\non_order = \"keep\"\n\
         [order]\nsignal = \"SIGUSR1\"\n"
    );
    let server = serve(folder.path(), &text, &["--endpoint-loss", "step-down"]);
    let told = || fs::read_to_string(folder.path().join("told")).unwrap_or_default();
    until("it is started", async || told() == "started\n").await;
    server.configure(&configuration(&endpoint.base(), "G", "00:00:02")).await;
    for role in ["Secondary", "Primary", "Secondary"] {
        endpoint.answer_role(role);
        let role = format!("\"Role\":\"{role}\"");
        until(&role, async || told().lines().last().is_some_and(|order| order.contains(&role))).await;
    }
    assert_eq!(told().matches("started").count(), 1, "{}", told());
}
