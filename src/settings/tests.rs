//! Which source wins, and what a refusal says.

use std::io::Write;

use super::*;
use crate::domain::{ComponentId, HttpUrl, ProbeTarget, StreamCount};

fn no_variables(_: &str) -> Option<OsString> {
    None
}

fn file(text: &str) -> Result<tempfile::NamedTempFile, std::io::Error> {
    let mut file = tempfile::Builder::new().suffix(".toml").tempfile()?;
    file.write_all(text.as_bytes())?;
    Ok(file)
}

/// The faults of a settings file, without the file's name.
fn faults(text: &str) -> Vec<String> {
    let file = file(text).expect("a temporary file can be written");
    let error =
        serve(ServePartial::default(), Some(file.path()), &no_variables).expect_err("the file is wrong");
    let name = format!("{}, ", file.path().display());
    error.to_string().lines().map(|line| line.strip_prefix(&name).unwrap_or(line).to_owned()).collect()
}

#[test]
fn nothing_said_means_defaults() -> Result<(), SettingsError> {
    let serve = serve(ServePartial::default(), None, &no_variables)?;
    assert_eq!(serve.listen.to_string(), "127.0.0.1:5590");
    assert_eq!(serve.data_dir, PathBuf::from("./data"));
    assert_eq!(serve.endpoint_loss, EndpointLoss::Auto);
    assert_eq!(serve.history_days.get(), 365);
    assert_eq!(serve.log_format, LogFormat::Text);
    assert_eq!(serve.hosted_endpoint, None);
    let endpoint = endpoint(EndpointPartial::default(), None, &no_variables)?;
    assert_eq!(endpoint.listen.to_string(), "127.0.0.1:5591");
    assert_eq!(endpoint.history_days.get(), 365);
    assert_eq!(endpoint.endpoint.session_retention, Duration::from_secs(86_400));
    Ok(())
}

#[test]
fn the_command_line_wins_over_the_environment_over_the_file() -> Result<(), Box<dyn std::error::Error>> {
    let file =
        file("data_dir = \"file\"\nlisten = \"127.0.0.1:1\"\nhistory_days = 1\nwith_endpoint = true\n")?;
    let variables = |name: &str| match name {
        "CLIENT_FAILOVER_LISTEN" => Some("127.0.0.1:2".into()),
        "CLIENT_FAILOVER_HISTORY_DAYS" => Some("2".into()),
        "CLIENT_FAILOVER_SESSION_RETENTION" => Some(OsString::new()),
        _ => None,
    };
    let command_line = ServePartial { history_days: HistoryDays::read("3"), ..ServePartial::default() };
    let settings = serve(command_line, Some(file.path()), &variables)?;
    assert_eq!(settings.data_dir, PathBuf::from("file"));
    assert_eq!(settings.listen.port(), 2);
    assert_eq!(settings.history_days.get(), 3);
    assert_eq!(settings.hosted_endpoint, Some(HostedEndpoint { session_retention: SESSION_RETENTION }));
    Ok(())
}

#[test]
fn every_setting_can_come_from_every_source() -> Result<(), Box<dyn std::error::Error>> {
    let values = [
        ("listen", "0.0.0.0:80"),
        ("data_dir", "/var/lib/client-failover"),
        ("endpoint_loss", "step-down"),
        ("history_days", "30"),
        ("log_format", "json"),
        ("with_endpoint", "true"),
        ("session_retention", "1h"),
    ];
    let text: String = values.iter().map(|(key, value)| format!("{key} = \"{value}\"\n")).collect();
    let from_file = serve(ServePartial::default(), Some(file(&text)?.path()), &no_variables)?;
    let variables = |name: &str| {
        let key = name.strip_prefix("CLIENT_FAILOVER_")?.to_ascii_lowercase();
        values.iter().find(|(name, _)| *name == key).map(|(_, value)| (*value).into())
    };
    let from_environment = serve(ServePartial::default(), None, &variables)?;
    let expected = ServeSettings {
        listen: "0.0.0.0:80".parse()?,
        data_dir: PathBuf::from("/var/lib/client-failover"),
        endpoint_loss: EndpointLoss::StepDown,
        history_days: HistoryDays::read("30").ok_or("30 days are allowed")?,
        log_format: LogFormat::Json,
        hosted_endpoint: Some(HostedEndpoint { session_retention: Duration::from_secs(3_600) }),
        order: OrderSettings::default(),
        probes: Vec::new(),
    };
    assert_eq!(from_file, expected);
    assert_eq!(from_environment, expected);
    let endpoint = endpoint(EndpointPartial::default(), None, &variables)?;
    assert_eq!(endpoint.listen, expected.listen);
    assert_eq!(endpoint.data_dir, expected.data_dir);
    assert_eq!(endpoint.history_days, expected.history_days);
    assert_eq!(endpoint.log_format, expected.log_format);
    assert_eq!(Some(endpoint.endpoint), expected.hosted_endpoint);
    Ok(())
}

#[test]
fn a_fault_in_the_file_names_its_line_and_what_would_be_right() {
    assert_eq!(
        faults("# Settings\nlog_format = \"xml\"\n\nlissten = \"127.0.0.1:1\"\nhistory_days = 0\n"),
        [
            "line 2: log_format: `xml` is not text or json",
            "line 4: `lissten` is not a setting here; the settings are listen, data_dir, endpoint_loss, \
             history_days, log_format, with_endpoint, session_retention, order.hook, order.hook_timeout, probe",
            "line 5: history_days: `0` is not a number of days from 1 to 36500",
        ]
    );
    assert_eq!(
        faults("\n\n[collector]\nlisten = \"127.0.0.1:1\"\n"),
        [
            "line 4: `collector.listen` is not a setting here; the settings are listen, data_dir, endpoint_loss, \
          history_days, log_format, with_endpoint, session_retention, order.hook, order.hook_timeout, probe"
        ]
    );
    assert_eq!(
        faults("listen = [1]\n"),
        ["line 1: listen: `[1]` is not an IP address and a port, such as 127.0.0.1:5590 or [::1]:5590"]
    );
    assert!(
        faults("listen = \"127.0.0.1:1\"\nlisten = \"127.0.0.1:2\"\n")[0]
            .starts_with("line 2: duplicate key")
    );
    assert!(faults("\nlisten = 127.0.0.1\n")[0].starts_with("line 2: "));
}

#[test]
fn a_fault_in_the_environment_names_its_variable_even_where_the_command_line_wins() {
    let variables = |name: &str| (name == "CLIENT_FAILOVER_LOG_FORMAT").then(|| "xml".into());
    let command_line = ServePartial { log_format: Some(LogFormat::Json), ..ServePartial::default() };
    let error = serve(command_line, None, &variables).expect_err("the variable is wrong");
    assert_eq!(error.to_string(), "CLIENT_FAILOVER_LOG_FORMAT: `xml` is not text or json");
}

#[test]
fn the_environment_may_name_the_file() -> Result<(), Box<dyn std::error::Error>> {
    let file = file("history_days = 7\n")?;
    let variables = |name: &str| (name == "CLIENT_FAILOVER_CONFIG").then(|| file.path().into());
    assert_eq!(serve(ServePartial::default(), None, &variables)?.history_days.get(), 7);
    let error = serve(ServePartial::default(), Some(Path::new("/nowhere/a.toml")), &variables)
        .expect_err("the command line names another file, which is not there");
    assert!(error.to_string().starts_with("/nowhere/a.toml: cannot be read: "), "{error}");
    Ok(())
}

const TOLD: &str = r#"
[order]
hook = ["/etc/failover/hook", "a b", ""]
hook_timeout = "3s"

[[probe]]
id = "web"
url = "http://127.0.0.1:9090/-/healthy"
interval = "2s"
streams = 1000

[[probe]]
id = "plc"
command = ["ping", "-c1", "plc.test"]
timeout = "500ms"
failures = 1
"#;

fn told() -> (OrderSettings, Vec<Probe>) {
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    let id = |name: &str| ComponentId::new(name).expect("a good Id");
    let hook =
        HookSettings { command: words(&["/etc/failover/hook", "a b", ""]), timeout: Duration::from_secs(3) };
    let web = Probe {
        id: id("web"),
        target: ProbeTarget::Url(HttpUrl::parse("http://127.0.0.1:9090/-/healthy").expect("a good URL")),
        streams: StreamCount::new(1_000).expect("a good count"),
        interval: Duration::from_secs(2),
        timeout: Duration::from_secs(2),
        failures: 3,
    };
    let plc = Probe {
        id: id("plc"),
        target: ProbeTarget::Command(words(&["ping", "-c1", "plc.test"])),
        streams: StreamCount::ONE,
        interval: Duration::from_secs(5),
        timeout: Duration::from_millis(500),
        failures: 1,
    };
    (OrderSettings { hook: Some(hook) }, vec![web, plc])
}

#[test]
fn lists_and_tables_are_written_in_the_environment_as_in_the_file() -> Result<(), Box<dyn std::error::Error>>
{
    let from_file = serve(ServePartial::default(), Some(file(TOLD)?.path()), &no_variables)?;
    assert_eq!((from_file.order, from_file.probes), told());
    let variables = |name: &str| match name {
        "CLIENT_FAILOVER_ORDER_HOOK" => Some(r#"["/etc/failover/hook", "a b", ""]"#.into()),
        "CLIENT_FAILOVER_ORDER_HOOK_TIMEOUT" => Some("3s".into()),
        "CLIENT_FAILOVER_PROBE" => Some(
            r#"[{ id = "web", url = "http://127.0.0.1:9090/-/healthy", interval = "2s", streams = 1000 },
                { id = "plc", command = ["ping", "-c1", "plc.test"], timeout = "500ms", failures = 1 }]"#
                .into(),
        ),
        _ => None,
    };
    let from_environment = serve(ServePartial::default(), None, &variables)?;
    assert_eq!((from_environment.order, from_environment.probes), told());
    let other = file("[[probe]]\nid = \"other\"\nurl = \"http://h\"\n")?;
    let both = serve(ServePartial::default(), Some(other.path()), &variables)?;
    assert_eq!(both.probes, told().1, "a stronger source replaces the whole list");
    Ok(())
}

#[test]
fn every_fault_of_a_probe_has_its_line() {
    assert_eq!(
        faults(
            "[[probe]]\nid = \"\"\nurl = \"http://user@h\"\ncommand = [\"a\", 1]\ninterval = \"5\"\n\n[[probe]]\n\
             id = \"a\"\ninterval = \"50ms\"\ntimeout = \"1s\"\nfailures = 0\nstreams = -1\ncolour = 1\n"
        ),
        [
            "line 1: probe: url and command are both there; a probe looks at one of them",
            "line 2: probe: id: `` is not an Id of 1 to 256 characters without control characters",
            "line 3: probe: url: `http://user@h` is not an absolute http or https URL without user name, password \
             and fragment, such as http://127.0.0.1:9090/-/healthy",
            "line 4: probe: command: `[\\\"a\\\", 1]` is not a list of texts, the program first, such as \
             [\"/usr/bin/test\", \"-e\", \"/run/a\"]",
            "line 5: probe: interval: `5` is not a duration above zero, such as 200ms, 5s, 30m, 24h or 7d",
            "line 7: probe: url or command is missing; one of them says what is looked at",
            "line 7: probe: interval is shorter than 100ms",
            "line 7: probe: timeout is longer than interval; a look ends before the next one begins",
            "line 11: probe: failures: `0` is not a number of failures from 1 to 1000",
            "line 12: probe: streams: `-1` is not a whole number from 0 to 10000000",
            "line 13: probe: `colour` is not a setting here; the settings are id, url, command, interval, timeout, \
             failures, streams",
        ]
    );
    assert_eq!(
        faults("\nprobe = 1\n"),
        ["line 2: probe: the value is not a list of tables, such as [{ id = \"a\" }, { id = \"b\" }]"]
    );
    let twice = "[[probe]]\nid = \"a\"\nurl = \"http://h\"\n".repeat(2);
    assert_eq!(faults(&twice), ["probe: the id \"a\" is there twice"]);
    assert_eq!(
        faults("[order]\nhook_timeout = \"1s\"\n"),
        ["order.hook_timeout: order.hook is missing, and without it there is nothing to limit"]
    );
    assert_eq!(
        faults("[order]\nhook = [\"a\"]\nhook_timeout = \"61s\"\n"),
        ["order.hook_timeout: it is longer than 60s; a hook that has more to do starts it and ends"]
    );
    let variables = |name: &str| (name == "CLIENT_FAILOVER_PROBE").then(|| r#"[{ id = "a", x = 1 }]"#.into());
    let error = serve(ServePartial::default(), None, &variables).expect_err("the variable is wrong");
    assert_eq!(
        error.to_string(),
        "CLIENT_FAILOVER_PROBE: url or command is missing; one of them says what is looked at\n\
         CLIENT_FAILOVER_PROBE: `x` is not a setting here; the settings are id, url, command, interval, timeout, \
         failures, streams"
    );
}
