//! The commands about the secrets that configurations refer to: they ask a running adapter, which uses a new value
//! at once. A value comes from the terminal or standard input, never from the command line.

use clap::{Args, Subcommand};
use secrecy::{ExposeSecret, zeroize::Zeroize};
use serde_json::{Value, json};

use super::{
    adapter_args::{Output, RemoteArgs},
    client::{done, output, parse, print},
    failure::Failure,
    password,
    remote::{Method, Remote},
    table,
};
use crate::domain::SecretId;

/// What a table shows of a secret.
const COLUMNS: [&str; 5] = ["Id", "Origins", "UsedBy", "ExpirationDate", "Description"];

#[derive(Debug, Args)]
pub(super) struct SecretArgs {
    #[command(subcommand)]
    pub(super) command: SecretCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum SecretCommand {
    /// Give a secret its value, which is asked for, or the first line of standard input.
    Set(SetSecretArgs),
    /// Remove a secret. Whatever refers to it cannot log in any more.
    Remove(RemoveSecretArgs),
    /// Show which secrets there are, whom they may be sent to, and what refers to them; never their values.
    List(ListSecretsArgs),
}

#[derive(Debug, Args)]
pub(super) struct SetSecretArgs {
    /// The secret's Id: a Password or ClientSecret of {{ID}} refers to it.
    #[arg(value_parser = identifier)]
    id: SecretId,
    /// Whom it may be sent to: scheme, host and port, such as https://host:5591; once for each [default: whatever
    /// refers to it first]
    #[arg(long = "origin", value_name = "URL")]
    origins: Vec<String>,
    /// What it is for, for people.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    #[command(flatten)]
    pub(super) remote: RemoteArgs,
}

#[derive(Debug, Args)]
pub(super) struct RemoveSecretArgs {
    /// The secret's Id.
    #[arg(value_parser = identifier)]
    id: SecretId,
    #[command(flatten)]
    pub(super) remote: RemoteArgs,
}

#[derive(Debug, Args)]
pub(super) struct ListSecretsArgs {
    #[command(flatten)]
    pub(super) remote: RemoteArgs,
}

impl SecretCommand {
    pub(super) const fn remote(&self) -> &RemoteArgs {
        match self {
            Self::Set(args) => &args.remote,
            Self::Remove(args) => &args.remote,
            Self::List(args) => &args.remote,
        }
    }
}

/// `secret`: shows or changes secrets.
pub(super) async fn secret(args: SecretArgs) -> Result<(), Failure> {
    match args.command {
        SecretCommand::Set(args) => set(args).await,
        SecretCommand::Remove(args) => remove(args).await,
        SecretCommand::List(args) => list(args).await,
    }
}

async fn set(args: SetSecretArgs) -> Result<(), Failure> {
    let remote = Remote::adapter(args.remote.url, &args.remote.access)?;
    let value = password::new_secret()?;
    let mut members = json!({ "Description": args.description, "Value": value.expose_secret() });
    if !args.origins.is_empty() {
        members["Origins"] = args.origins.into();
    }
    let body = members.to_string().into_bytes();
    if let Some(Value::String(text)) = members.get_mut("Value") {
        text.zeroize();
    }
    remote.call(Method::PUT, remote.secrets(Some(&args.id)), Some(body)).await?;
    done(output(args.remote.output), &format!("The secret {:?} is set.", args.id.as_str()))
}

async fn remove(args: RemoveSecretArgs) -> Result<(), Failure> {
    let remote = Remote::adapter(args.remote.url, &args.remote.access)?;
    let url = remote.secrets(Some(&args.id));
    let known = parse(&remote, &remote.call(Method::GET, url.clone(), None).await?)?;
    remote.call(Method::DELETE, url, None).await?;
    for user in known["UsedBy"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        eprintln!("WARNING: {} refers to it, and cannot log in any more.", table::plain(user));
    }
    done(output(args.remote.output), &format!("The secret {:?} is removed.", args.id.as_str()))
}

async fn list(args: ListSecretsArgs) -> Result<(), Failure> {
    let remote = Remote::adapter(args.remote.url, &args.remote.access)?;
    let answer = remote.call(Method::GET, remote.secrets(None), None).await?;
    match output(args.remote.output) {
        Output::Json => print(&answer),
        Output::Table => match parse(&remote, &answer)?.as_array().map(Vec::as_slice) {
            Some([]) => print("There is no secret."),
            Some(secrets) => print(&table::columns(&COLUMNS, secrets)),
            None => Err(remote.misunderstood("It is no list of secrets.").into()),
        },
    }
}

fn identifier(text: &str) -> Result<SecretId, String> {
    SecretId::new(text).map_err(|error| format!("it {error}"))
}
