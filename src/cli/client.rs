//! The commands that ask a running adapter.

use std::{
    fs,
    io::{self, IsTerminal, Read, Write},
    path::Path,
};

use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use super::{
    adapter_args::{AddArgs, GetArgs, HistoryArgs, Output, Readable, RemoveArgs, WriteArgs, identifier},
    failure::Failure,
    remote::{Method, Refusal, Remote, RemoteError},
    table,
};
use crate::domain::ConfigurationId;

/// What a table shows of a destination of the egress gate.
const DESTINATION: [&str; 8] =
    ["Id", "Waiting", "WaitingBytes", "Acknowledged", "Refused", "Proved", "Dropped", "Outage"];

/// What a table shows of a component.
const COMPONENT: [&str; 5] = ["Id", "StreamCount", "CountsAs", "Heard", "Explanation"];

/// `get`: shows a resource.
pub(super) async fn get(args: GetArgs) -> Result<(), Failure> {
    let output = output(args.remote.output);
    let remote = Remote::adapter(args.remote.url, &args.remote.access)?;
    let url = match args.what {
        Readable::Configuration => remote.configuration(args.id.as_ref()),
        Readable::State => remote.diagnostics("FailoverState"),
        Readable::Diagnostics => remote.diagnostics("Failover"),
        Readable::Order => remote.diagnostics("Order"),
        Readable::Components => remote.diagnostics("Components"),
        Readable::Egress => remote.diagnostics("Egress"),
    };
    let answer = remote.call(Method::GET, url, None).await?;
    match output {
        Output::Json => print(&answer),
        Output::Table => {
            let answer = parse(&remote, &answer)?;
            let objects = answer.as_array().map_or(std::slice::from_ref(&answer), Vec::as_slice);
            match (args.what, objects) {
                (Readable::Components, []) => return print("Nothing is reported."),
                (Readable::Components, _) => return print(&table::columns(&COMPONENT, objects)),
                (Readable::Egress, []) => return print("No data endpoint is configured."),
                (Readable::Egress, _) => return print(&table::columns(&DESTINATION, objects)),
                (_, []) => return print("Client failover is not configured."),
                _ => {}
            }
            objects.iter().try_for_each(|object| print(&table::members(object)))
        }
    }
}

/// `set`: replaces the configuration.
pub(super) async fn set(args: WriteArgs) -> Result<(), Failure> {
    let body = read(&args.file)?;
    let (output, remote) =
        (output(args.remote.output), Remote::adapter(args.remote.url, &args.remote.access)?);
    remote.call(Method::PUT, remote.configuration(args.id.as_ref()), Some(body)).await?;
    done(output, "The client failover configuration is set.")
}

/// `add`: adds the configuration where there is none.
pub(super) async fn add(args: AddArgs) -> Result<(), Failure> {
    let body = read(&args.file)?;
    let (output, remote) =
        (output(args.remote.output), Remote::adapter(args.remote.url, &args.remote.access)?);
    remote.call(Method::POST, remote.configuration(None), Some(body)).await?;
    done(output, "The client failover configuration is added.")
}

/// `edit`: changes members of the configuration.
pub(super) async fn edit(args: WriteArgs) -> Result<(), Failure> {
    let body = read(&args.file)?;
    let (output, remote) =
        (output(args.remote.output), Remote::adapter(args.remote.url, &args.remote.access)?);
    // Adapters of earlier versions know PATCH only with an Id in the path.
    let id = match args.id {
        Some(id) => id,
        None => stored_id(&remote).await?,
    };
    remote.call(Method::PATCH, remote.configuration(Some(&id)), Some(body)).await?;
    done(output, "The client failover configuration is changed.")
}

/// `remove`: removes the configuration.
pub(super) async fn remove(args: RemoveArgs) -> Result<(), Failure> {
    let (output, remote) =
        (output(args.remote.output), Remote::adapter(args.remote.url, &args.remote.access)?);
    remote.call(Method::DELETE, remote.configuration(args.id.as_ref()), None).await?;
    done(output, "The client failover configuration is removed.")
}

/// A page of history.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    /// As the server wrote them, so that JSON keeps its order of members.
    items: Vec<Box<RawValue>>,
    /// Where the next page begins; empty on the last.
    next_cursor: Option<String>,
}

/// `history`: shows what happened.
pub(super) async fn history(args: HistoryArgs) -> Result<(), Failure> {
    let output = output(args.remote.output);
    let remote = Remote::adapter(args.remote.url.clone(), &args.remote.access)?;
    let mut page = history_page(&remote, &args, None).await?;
    while args.all
        && let Some(cursor) = page.next_cursor.take()
    {
        let next = history_page(&remote, &args, Some(&cursor)).await?;
        if next.next_cursor.as_ref() == Some(&cursor) {
            return Err(remote.misunderstood("It says that a page of history follows itself.").into());
        }
        page.items.extend(next.items);
        page.next_cursor = next.next_cursor;
    }
    match output {
        Output::Json => {
            let items = page.items.iter().map(|item| item.get()).collect::<Vec<_>>().join(",");
            print(&format!(r#"{{"Items":[{items}],"NextCursor":{}}}"#, Value::from(page.next_cursor)))
        }
        Output::Table if page.items.is_empty() => print("Nothing happened."),
        Output::Table => {
            let items =
                page.items.iter().map(|item| parse(&remote, item.get())).collect::<Result<Vec<_>, _>>()?;
            print(&table::columns(&["Time", "Kind", "Role", "Mode", "Explanation"], &items))?;
            if page.next_cursor.is_some() {
                eprintln!(
                    "There is more: ask for everything with --all, or for a part with --from and --to."
                );
            }
            Ok(())
        }
    }
}

async fn history_page(remote: &Remote, args: &HistoryArgs, cursor: Option<&str>) -> Result<Page, Failure> {
    let mut url = remote.diagnostics("FailoverHistory");
    let limit = args.limit.map(|limit| limit.to_string());
    let asked = [
        ("from", args.from.as_deref()),
        ("to", args.to.as_deref()),
        ("kind", args.kind.as_deref()),
        ("limit", limit.as_deref()),
        ("cursor", cursor),
    ];
    for (name, value) in asked {
        if let Some(value) = value {
            url.query_pairs_mut().append_pair(name, value);
        }
    }
    let answer = remote.call(Method::GET, url, None).await?;
    parse_as(remote, &answer)
}

async fn stored_id(remote: &Remote) -> Result<ConfigurationId, Failure> {
    let answer = remote.call(Method::GET, remote.configuration(None), None).await?;
    let stored: Vec<Map<String, Value>> = parse_as(remote, &answer)?;
    let Some(stored) = stored.first() else {
        return Err(RemoteError::Refused(Refusal {
            error: "There is nothing to change.".to_owned(),
            reason: "Client failover is not configured.".to_owned(),
            resolution: "Configure it with `client-failover set --file FILE`.".to_owned(),
        })
        .into());
    };
    let id = stored.get("Id").and_then(Value::as_str).map(identifier);
    id.and_then(Result::ok)
        .ok_or_else(|| remote.misunderstood("It names no Id that can stand in a URL.").into())
}

/// Reads an answer.
pub(super) fn parse(remote: &Remote, answer: &str) -> Result<Value, Failure> {
    parse_as(remote, answer)
}

/// Reads an answer of a shape that is known.
pub(super) fn parse_as<'a, T: Deserialize<'a>>(remote: &Remote, answer: &'a str) -> Result<T, Failure> {
    serde_json::from_str(answer)
        .map_err(|error| remote.misunderstood(&format!("It is of another shape: {error}.")).into())
}

/// How an answer is shown: as asked for, else as its reader needs it.
pub(super) fn output(asked: Option<Output>) -> Output {
    let by_reader = if io::stdout().is_terminal() { Output::Table } else { Output::Json };
    asked.unwrap_or(by_reader)
}

/// Reads the file of a request; `-` is standard input.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let read = if path.as_os_str() == "-" {
        let mut body = Vec::new();
        io::stdin().lock().read_to_end(&mut body).map(|_| body)
    } else {
        fs::read(path)
    };
    read.map_err(|error| Failure::failed(format_args!("{} cannot be read", path.display()), &error))
}

/// Tells a person that it is done. A program reads the exit code.
pub(super) fn done(output: Output, sentence: &str) -> Result<(), Failure> {
    match output {
        Output::Json => Ok(()),
        Output::Table => print(sentence),
    }
}

/// Writes to standard output, with a line's end. That nobody reads on (`| head`) is no failure.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{}", text.trim_end()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::failed("Standard output cannot be written", &error))
        }
        _ => Ok(()),
    }
}
