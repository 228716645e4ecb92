//! The command that looks at what a half needs before it runs, or while it does.

use std::env;

use clap::{Args, Subcommand};

use super::{
    client::print,
    failure::Failure,
    half_args::{EndpointArgs, ServeArgs},
    table::plain,
};
use crate::{
    app::check::{self, Finding, Grade},
    settings,
};

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[command(subcommand)]
    half: Half,
}

#[derive(Debug, Subcommand)]
enum Half {
    /// What `serve` with these settings needs.
    Serve(ServeArgs),
    /// What `endpoint` with these settings needs.
    Endpoint(EndpointArgs),
}

/// `check`: says how everything is that a half needs, and fails where something is broken.
pub(super) async fn check(args: CheckArgs) -> Result<(), Failure> {
    let variables = |name: &str| env::var_os(name);
    let findings = match args.half {
        Half::Serve(mut args) => {
            let file = args.half.config.take();
            check::serve(&settings::serve(args.settings(), file.as_deref(), &variables)?).await
        }
        Half::Endpoint(mut args) => {
            let file = args.half.config.take();
            check::endpoint(&settings::endpoint(args.settings(), file.as_deref(), &variables)?).await
        }
    };
    print(&findings.iter().map(line).collect::<Vec<_>>().join("\n"))?;
    match findings.iter().filter(|finding| finding.grade == Grade::Bad).count() {
        0 => Ok(()),
        1 => Err(Failure::Failed("There is a fault.".to_owned())),
        faults => Err(Failure::Failed(format!("There are {faults} faults."))),
    }
}

fn line(finding: &Finding) -> String {
    let Finding { subject, grade, found, remedy } = finding;
    let found = plain(found);
    if remedy.is_empty() {
        return format!("{grade:<7}  {subject:<11}  {found}");
    }
    format!("{grade:<7}  {subject:<11}  {found}\n{:<22}> {remedy}", "")
}
