//! What a package brings beside the program: the manual, completions, units, scripts and settings.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::PROGRAM;

#[path = "../../examples/manual.rs"]
#[allow(dead_code, reason = "its main is the example's")]
mod manual;

#[test]
fn each_command_has_a_page_of_the_manual_and_each_shell_completes_it() {
    let folder = tempfile::tempdir().unwrap();
    manual::write(folder.path()).unwrap();
    let commands: Vec<_> = client_failover::cli::command()
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
        .map(|command| command.get_name().to_owned())
        .collect();
    assert!(commands.len() > 15, "{commands:?}");
    for name in
        commands.iter().map(|name| format!("client-failover-{name}")).chain(["client-failover".into()])
    {
        let page = fs::read_to_string(folder.path().join(format!("man/{name}.1"))).unwrap();
        assert!(
            page.lines().any(|line| line.starts_with(".TH ")) && page.contains(".SH OPTIONS"),
            "{name}: {page}"
        );
    }
    for file in ["client-failover.bash", "_client-failover", "client-failover.fish"] {
        let completions = fs::read_to_string(folder.path().join("completions").join(file)).unwrap();
        for name in &commands {
            assert!(completions.contains(name.as_str()), "{file} does not complete {name}");
        }
    }
    let bash = folder.path().join("completions/client-failover.bash");
    assert!(Command::new("bash").arg("-n").arg(bash).status().unwrap().success());
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let folder = tempfile::tempdir().unwrap();
    let mut units: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/systemd")).unwrap() {
        let unit = entry.unwrap().path();
        // Verified as if the program were installed.
        let text =
            fs::read_to_string(&unit).unwrap().replace("=/usr/bin/client-failover", &format!("={PROGRAM}"));
        units.push(folder.path().join(unit.file_name().unwrap()));
        fs::write(units.last().unwrap(), text).unwrap();
    }
    assert_eq!(units.len(), 2);
    let ran = Command::new("systemd-analyze").args(["verify", "--man=no"]).args(&units).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    // Other units of this machine are not ours to judge.
    let ours: Vec<_> = said.lines().filter(|line| line.contains("client-failover")).collect();
    assert!(ours.is_empty(), "{ours:?}");
}

#[test]
fn a_package_is_installed_upgraded_removed_and_purged_also_where_settings_were_removed() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let (scripts, settings) = (folder.path().join("DEBIAN"), folder.path().join("etc/client-failover"));
    fs::create_dir_all(&scripts).unwrap();
    fs::create_dir_all(&settings).unwrap();
    let copy = |from: &str, to: &Path| fs::copy(repository.join("packaging").join(from), to).unwrap();
    for script in ["postinst", "postrm"] {
        let to = scripts.join(script);
        copy(&format!("debian/{script}"), &to);
        fs::set_permissions(&to, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut listed = String::new();
    for half in ["adapter.toml", "endpoint.toml"] {
        copy(&format!("etc/{half}"), &settings.join(half));
        listed += &format!("/etc/client-failover/{half}\n");
    }
    fs::write(scripts.join("conffiles"), listed).unwrap();
    let control = "Package: client-failover\nVersion: 0\nArchitecture: all\nDepends: adduser\n\
                   Maintainer: A Test <test@localhost>\nDescription: scripts and settings\n";
    fs::write(scripts.join("control"), control).unwrap();
    let ran = Command::new(repository.join("scripts/check-install")).arg(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout) + String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
    if let Some(why) = said.lines().find(|line| line.starts_with("SKIPPED")) {
        eprintln!("{why}");
    }
}
