//! What can be written on the command line.

use std::ffi::OsString;

use clap::{Parser, Subcommand};
use url::Url;

use super::{
    adapter_args::{AddArgs, GetArgs, HistoryArgs, Readable, RemoveArgs, WriteArgs},
    backup::{BackupArgs, RestoreArgs},
    check::CheckArgs,
    collector_args::CollectorProcess,
    demo_args::{DemoArgs, DemoCollectorArgs},
    group_args::{DeleteArgs, GroupsArgs, OverrideArgs, SessionsArgs, WhyArgs},
    half_args::{EndpointArgs, ServeArgs},
    key::KeyArgs,
    secret::SecretArgs,
    user::UserArgs,
};

const AFTER_HELP: &str = "\
Exit codes: 0 done, 1 refused or failed, 2 wrong usage or settings, 3 the server was not reached.";

const SETTINGS_HELP: &str = "\
Every setting can also be an environment variable (--data-dir is CLIENT_FAILOVER_DATA_DIR) or a key of \
the settings file (data_dir). The command line wins over the environment, the environment over the file.

CLIENT_FAILOVER_LOG (or RUST_LOG) says what is logged: error, warn, info, debug, trace, or a list of \
filters such as `info,sqlx=debug`.";

/// Failover for data collectors: two adapters, one Primary, nothing lost.
#[derive(Debug, Parser)]
#[command(name = "client-failover", version, after_help = AFTER_HELP, infer_subcommands = false)]
pub(super) struct CommandLine {
    #[command(subcommand)]
    pub(super) command: Line,
}

#[derive(Debug, Subcommand)]
pub(super) enum Line {
    /// What people ask for.
    #[command(flatten)]
    Command(Command),
    /// What is started for a collector.
    #[command(flatten)]
    Collector(CollectorProcess),
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the adapter half: keep the configuration and take part in failover.
    #[command(after_help = SETTINGS_HELP)]
    Serve(Box<ServeArgs>),
    /// Run a failover endpoint: hand out the roles.
    #[command(after_help = SETTINGS_HELP)]
    Endpoint(Box<EndpointArgs>),
    /// Show the configuration, the failover state, everything about failover, the order, the components, or the egress
    /// gate.
    Get(GetArgs),
    /// Replace the configuration with that of a file (PUT).
    Set(WriteArgs),
    /// Add the configuration of a file, where there is none (POST).
    Add(AddArgs),
    /// Change what a file says and keep the rest (PATCH).
    Edit(WriteArgs),
    /// Remove the configuration (DELETE).
    Remove(RemoveArgs),
    /// Show what happened, the newest first.
    History(HistoryArgs),
    /// Show the groups of a failover endpoint: who is Primary, how many adapters are heard.
    Groups(GroupsArgs),
    /// Show the adapters of a group: role, score, when they were heard.
    Sessions(SessionsArgs),
    /// Make an adapter Primary whatever the scores say, or end that.
    Override(OverrideArgs),
    /// Say why the roles of a group changed, the newest first.
    Why(WhyArgs),
    /// Delete a group that no adapter is in any more: an adapter that names it makes it anew.
    Delete(DeleteArgs),
    /// Keep secrets that configurations refer to by {{ID}}: set, remove or list them.
    Secret(Box<SecretArgs>),
    /// Change the key that seals what a data folder keeps secret.
    Key(KeyArgs),
    /// Look at what a half needs, whether it runs or not: folder, key, database, clocks, certificate, logins, collector,
    /// endpoint.
    Check(Box<CheckArgs>),
    /// Copy everything in a data folder but its key to one file, beside a running server.
    Backup(BackupArgs),
    /// Put a backup in the place of what is in a data folder; its server must be stopped.
    Restore(RestoreArgs),
    /// Say who may log in to a server: add, remove or list users, or change a password.
    User(UserArgs),
    /// Show failover on this machine: a pair of adapters to stop, kill, freeze and cut off.
    Demo(DemoArgs),
    /// The collector of the demo.
    #[command(hide = true)]
    DemoCollector(DemoCollectorArgs),
}

impl Command {
    /// Which server the command asks, if it asks one, and the flag that names it.
    fn server(&self) -> Option<(&'static str, &Url)> {
        match self {
            Self::Serve(_)
            | Self::Endpoint(_)
            | Self::User(_)
            | Self::Key(_)
            | Self::Check(_)
            | Self::Backup(_)
            | Self::Restore(_)
            | Self::Demo(_)
            | Self::DemoCollector(_) => None,
            Self::Get(args) => Some(("--url", &args.remote.url)),
            Self::Set(args) => Some(("--url", &args.remote.url)),
            Self::Add(args) => Some(("--url", &args.remote.url)),
            Self::Edit(args) => Some(("--url", &args.remote.url)),
            Self::Remove(args) => Some(("--url", &args.remote.url)),
            Self::History(args) => Some(("--url", &args.remote.url)),
            Self::Secret(args) => Some(("--url", &args.command.remote().url)),
            Self::Groups(args) => Some(("--endpoint", &args.remote.endpoint)),
            Self::Sessions(args) => Some(("--endpoint", &args.remote.endpoint)),
            Self::Override(args) => Some(("--endpoint", &args.remote.endpoint)),
            Self::Why(args) => Some(("--endpoint", &args.remote.endpoint)),
            Self::Delete(args) => Some(("--endpoint", &args.remote.endpoint)),
        }
    }
}

/// Reads a command line; the first word is the program's name.
pub(super) fn read(words: impl IntoIterator<Item = OsString>) -> Result<Line, clap::Error> {
    let line = CommandLine::try_parse_from(words)?.command;
    let Line::Command(command) = &line else { return Ok(line) };
    if let Command::Get(GetArgs { what: Readable::State | Readable::Diagnostics, id: Some(_), .. }) = command
    {
        return Err(conflict("--id belongs to `get clientfailover`: failover has one state"));
    }
    // Not a rule of the value itself, whose refusal would repeat the password.
    if let Some((flag, url)) = command.server()
        && (!url.username().is_empty() || url.password().is_some())
    {
        return Err(conflict(&format!(
            "{flag} must not carry a user name or password: command lines can be read by others"
        )));
    }
    Ok(line)
}

fn conflict(reason: &str) -> clap::Error {
    clap::Error::raw(clap::error::ErrorKind::ArgumentConflict, format!("{reason}\n"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::settings::parse;

    fn line(words: &str) -> Result<Command, String> {
        let words = std::iter::once("client-failover").chain(words.split(' ')).map(OsString::from);
        match read(words).map_err(|error| error.to_string())? {
            Line::Command(command) => Ok(command),
            Line::Collector(process) => Err(format!("{process:?}")),
        }
    }

    #[test]
    fn the_definition_holds_together() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn the_word_clientfailover_may_be_left_out() {
        for words in [
            "set --file F",
            "set clientfailover --file F",
            "set ClientFailover --file F --id x",
            "add --file F",
            "add clientfailover --file -",
            "edit --file F",
            "edit clientfailover --id x --file F",
            "remove",
            "remove ClientFailover --id x",
            "get",
            "get clientfailover --id x",
            "get FailoverState",
            "get failover --output json",
            "history --all",
        ] {
            assert!(line(words).is_ok(), "{words}: {:?}", line(words));
        }
        for words in
            ["set", "set failoverstate --file F", "add --id x --file F", "get failover --id x", "get role"]
        {
            assert!(line(words).is_err(), "{words}");
        }
    }

    #[test]
    fn commands_about_groups_name_what_they_need() {
        for words in [
            "groups",
            "sessions --group G",
            "override --group G --session S",
            "override --group G --session S --for 08:00:00 --reason Maintenance --by shift-lead",
            "override --group G --session S --off",
            "delete --group G --with-silent",
            "why --group G --limit 1000 --endpoint https://h/api/v1/Tenants/t/Namespaces/n/ClientFailover",
        ] {
            assert!(line(words).is_ok(), "{words}: {:?}", line(words));
        }
        for (words, said) in [
            ("sessions", "--group"),
            ("delete", "--group"),
            ("override --group G", "--session"),
            ("override --group G --session S --off --for 01:00:00", "--for"),
            ("override --group G --session S --for 8h", "08:00:00"),
            ("override --group G --session S --for 00:00:00", "08:00:00"),
            ("override --group .. --session S", "URL"),
            ("why --group G --limit 0", "1..=1000"),
            ("why --group G --limit 1001", "1..=1000"),
            ("groups --url http://h", "--url"),
        ] {
            assert!(line(words).is_err_and(|error| error.contains(said)), "{words}");
        }
    }

    #[test]
    fn flags_become_settings() -> Result<(), String> {
        let Command::Serve(args) =
            line("serve --listen [::1]:80 --with-endpoint --session-retention 1h --margin 20 --dwell 2s")?
        else {
            return Err("it is another command".to_owned());
        };
        let settings = args.settings();
        assert_eq!(settings.listen.map(|address| address.port()), Some(80));
        assert_eq!(settings.with_endpoint, Some(true));
        let hosted = settings.hosted;
        assert_eq!(hosted.session_retention, parse("1h").ok());
        assert_eq!((hosted.margin, hosted.dwell), (parse("20").ok(), parse("2s").ok()));
        assert_eq!(settings.history_days, None);
        let Command::Serve(args) = line("serve --with-endpoint=false")? else {
            return Err("it is another command".to_owned());
        };
        assert_eq!(args.settings().with_endpoint, Some(false));
        Ok(())
    }

    #[test]
    fn secrets_and_paths_that_lead_elsewhere_are_refused() {
        for words in ["get --url http://u:p@host", "get --url ftp://host", "get --url http://h?a=b"] {
            assert!(line(words).is_err(), "{words}");
        }
        assert!(line("remove --id ..").is_err_and(|error| error.contains("leave --id out")));
        for words in ["get --url http://u:secret@host", "groups --endpoint http://u:secret@host"] {
            assert!(line(words).is_err_and(|error| !error.contains("secret")), "{words}");
        }
    }
}
