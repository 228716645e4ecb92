//! Partitions by the kernel: packets vanish, connections are not even refused, and what was sent is sent
//! again when the way is open. In a network namespace of the test's own, so that no rule outlives it.

use std::{
    env,
    ffi::OsStr,
    fs,
    process::{Command, Stdio},
    time::Duration,
};

use crate::plant::{Plan, Plant};

const T: Duration = Duration::from_secs(1);

/// Set where the test runs in its own namespace: the file that it leaves when it has come to its end.
const INSIDE: &str = "CLIENT_FAILOVER_TEST_NAMESPACE";

const NAME: &str =
    "partitions::a_primary_whose_packets_vanish_one_way_is_replaced_and_never_acts_beside_another";

/// Runs what a shell would; whether it went well.
fn run(line: &str) -> bool {
    let mut words = line.split(' ');
    let status = Command::new(words.next().unwrap()).args(words).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn must(line: &str) {
    assert!(run(line), "{line}");
}

#[test]
fn a_primary_whose_packets_vanish_one_way_is_replaced_and_never_acts_beside_another() {
    if let Some(proof) = env::var_os(INSIDE) {
        return inside(&proof);
    }
    if !run("unshare --net ip link set lo up") || !run("unshare --net nft add table inet plant") {
        eprintln!("SKIPPED, NOT PROVEN: network namespaces and nft need root, iproute2 and nftables");
        return;
    }
    let myself = env::current_exe().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let proof = folder.path().join("proof");
    let status = Command::new("unshare")
        .args(["--net", myself.to_str().unwrap(), "--exact", NAME, "--nocapture"])
        .env(INSIDE, &proof)
        .status();
    assert!(status.unwrap().success());
    // A name that is none runs nothing, and that goes well.
    assert!(proof.exists(), "there is no test {NAME}");
}

fn inside(proof: &OsStr) {
    must("ip link set lo up");
    must("nft add table inet plant");
    must("nft add chain inet plant in { type filter hook input priority 0 ; }");
    let plant = Plant::start(Plan::pair(T));
    // To the endpoint, then to the adapter.
    for direction in ["dport", "sport"] {
        let (from, before) = (plant.sink.len(), plant.acts());
        let address = &plant.members[before.member].link.address;
        let (_, port) = address.split_once(':').unwrap();
        must(&format!("nft add rule inet plant in tcp {direction} {port} drop"));
        let after = plant.until_write("another acts", from, |write| write.member != before.member);
        assert!(after.epoch > before.epoch);
        let healed = plant.sink.len();
        must("nft flush chain inet plant in");
        plant.until_told(before.member, "ToldSecondary");
        assert_eq!(plant.sink.find(healed, |write| write.member == before.member), None);
    }
    plant.verdict(T).assert_sound();
    fs::write(proof, "").unwrap();
}
