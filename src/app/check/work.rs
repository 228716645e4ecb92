//! What is run for the collector: the collector itself, the hook, and what probes look at.

use std::path::PathBuf;

use super::Finding;
use crate::{
    collector::{look_at, look_for},
    domain::{CollectorSettings, Probe, ProbeTarget},
    reports,
    settings::{HookSettings, ServeSettings},
    tls::Authorities,
};

pub(super) async fn all(settings: &ServeSettings, authorities: &Authorities) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(settings.collector.as_ref().map(collector));
    findings.extend(settings.order.hook.as_ref().map(hook));
    for probe in &settings.probes {
        findings.push(look_once(probe, authorities).await);
    }
    findings
}

fn collector(settings: &CollectorSettings) -> Finding {
    match look_at(settings) {
        Ok(file) => {
            let user = settings.user.as_ref().map_or_else(String::new, |user| format!(", as {user}"));
            Finding::good("collector", found(settings.command.program(), file) + &user)
        }
        Err(faults) => Finding::bad(
            "collector",
            faults.join("; "),
            "mend command, working_dir or user of [collector], or install what is missing",
        ),
    }
}

fn hook(hook: &HookSettings) -> Finding {
    let program = hook.command.first().map(String::as_str).unwrap_or_default();
    match look_for(program, None, None) {
        Ok(file) => Finding::good("hook", found(program, file)),
        Err(fault) => Finding::bad("hook", fault, "mend order.hook, or install what is missing"),
    }
}

/// A program is only looked for: what it does, it is to do when it is due.
async fn look_once(probe: &Probe, authorities: &Authorities) -> Finding {
    let id = probe.id.as_str();
    match &probe.target {
        ProbeTarget::Command(command) => {
            let program = command.first().map(String::as_str).unwrap_or_default();
            match look_for(program, None, None) {
                Ok(file) => Finding::good("probe", format!("{id}: {}", found(program, file))),
                Err(fault) => Finding::bad(
                    "probe",
                    format!("{id}: {fault}"),
                    "mend its command, or install what is missing",
                ),
            }
        }
        ProbeTarget::Url(url) => match reports::look_once(probe, authorities).await {
            Ok(()) => Finding::good("probe", format!("{id}: {url} is good")),
            Err(why) => Finding::doubtful(
                "probe",
                format!("{id}: {why}"),
                "nothing, if what it looks at is not to run now; else mend that, or its url",
            ),
        },
    }
}

/// Where a program was found.
fn found(program: &str, file: Option<PathBuf>) -> String {
    file.map_or_else(|| program.to_owned(), |file| file.display().to_string())
}
