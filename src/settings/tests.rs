//! Which source wins, and what a refusal says.

use std::{io::Write, time::Duration};

use super::*;
use crate::domain::{
    CollectorCommand, ComponentId, HttpUrl, OnOrder, OrderSignal, ProbeTarget, Restarts, StopSignal,
    StreamCount, Variables,
};

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
fn the_key_is_where_the_settings_say_or_a_credential_of_the_service() -> Result<(), Box<dyn std::error::Error>>
{
    let folder = tempfile::tempdir()?;
    let manager =
        |name: &str| (name == "CREDENTIALS_DIRECTORY").then(|| folder.path().as_os_str().to_owned());
    assert_eq!(serve(ServePartial::default(), None, &manager)?.key_file, None, "it has no such credential");
    let credential = folder.path().join("client-failover.key");
    std::fs::write(&credential, "")?;
    let found = Some(KeyFile::Credential(credential));
    assert_eq!(serve(ServePartial::default(), None, &manager)?.key_file, found);
    assert_eq!(endpoint(EndpointPartial::default(), None, &manager)?.key_file, found);
    let named = ServePartial { key_file: Some("k".into()), ..ServePartial::default() };
    assert_eq!(serve(named, None, &manager)?.key_file, Some(KeyFile::Named("k".into())));
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
    let usual = HostedEndpoint {
        session_retention: Duration::from_secs(86_400),
        margin: crate::domain::Margin::DEFAULT,
        dwell: None,
    };
    assert_eq!(settings.hosted_endpoint, Some(usual));
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
        ("egress.hold_back", "20s"),
        ("egress.drain_concurrency", "4"),
        ("egress.memory_mb", "64"),
        ("egress.score_when_down", "40"),
        ("session_retention", "1h"),
        ("margin", "25"),
        ("dwell", "500ms"),
    ];
    let text: String = values.iter().map(|(key, value)| format!("{key} = \"{value}\"\n")).collect();
    let from_file = serve(ServePartial::default(), Some(file(&text)?.path()), &no_variables)?;
    let variables = |name: &str| {
        let key = name.strip_prefix("CLIENT_FAILOVER_")?.to_ascii_lowercase();
        values.iter().find(|(name, _)| name.replace('.', "_") == key).map(|(_, value)| (*value).into())
    };
    let from_environment = serve(ServePartial::default(), None, &variables)?;
    let expected = ServeSettings {
        listen: "0.0.0.0:80".parse()?,
        listening: Listening::default(),
        key_file: None,
        data_dir: PathBuf::from("/var/lib/client-failover"),
        endpoint_loss: EndpointLoss::StepDown,
        history_days: HistoryDays::read("30").ok_or("30 days are allowed")?,
        log_format: LogFormat::Json,
        egress: GateSettings {
            hold_back: Duration::from_secs(20),
            drain_concurrency: 4.try_into()?,
            memory_bytes: 64 * 1024 * 1024,
            score_when_down: crate::domain::FailoverScore::new(40),
        },
        hosted_endpoint: Some(HostedEndpoint {
            session_retention: Duration::from_secs(3_600),
            margin: crate::domain::Margin::new(25).ok_or("25 points are allowed")?,
            dwell: Some(Duration::from_millis(500)),
        }),
        collector: None,
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
            "line 4: `lissten` is not a setting here; the settings are listen, data_dir, key_file, endpoint_loss, \
             history_days, log_format, with_endpoint, egress.hold_back, egress.drain_concurrency, \
             egress.memory_mb, egress.score_when_down, session_retention, margin, dwell, tls_cert, tls_key, \
             tls_self_signed, ca_file, allow_host, oidc_issuer, oidc_audience, oidc_role_claim, insecure, \
             collector.command, \
             collector.working_dir, collector.user, collector.env, collector.stop_signal, \
             collector.stop_timeout, collector.restart_backoff, collector.restart_limit, \
             collector.restart_window, collector.on_order, order.hook, order.hook_timeout, order.signal, probe",
            "line 5: history_days: `0` is not a number of days from 1 to 36500",
        ]
    );
    assert!(
        faults("\n\n[collector]\nlisten = \"127.0.0.1:1\"\n")[0]
            .starts_with("line 4: `collector.listen` is not a setting here; the settings are ")
    );
    assert_eq!(
        faults("listen = [1]\n"),
        ["line 1: listen: `[1]` is not an IP address and a port, such as 127.0.0.1:5590 or [::1]:5590"]
    );
    assert!(
        faults("listen = \"127.0.0.1:1\"\nlisten = \"127.0.0.1:2\"\n")[0]
            .starts_with("line 2: duplicate key")
    );
    for (text, said) in [
        ("\nlisten = 127.0.0.1:1\n", "line 2: "),
        ("data_dir = /var/lib/a # here\n", "line 1: "),
        ("endpoint_loss = auto\n", "line 1: "),
    ] {
        let key = text.trim().split(' ').next().unwrap_or_default();
        let fault = &faults(text)[0];
        let hint = format!("; a text stands in quotes: {key} = \"…\"");
        assert!(fault.starts_with(said) && fault.ends_with(&hint), "{fault}");
    }
    for without in ["history_days = 1\nhistory_days = 2\n", "listen = \"a\n", "x = [1\n"] {
        assert!(!faults(without)[0].contains("quotes: "), "{without}");
    }
}

#[test]
fn what_only_an_endpoint_does_is_refused_where_none_is_hosted() {
    for key in ["session_retention = \"1h\"", "margin = 20", "dwell = \"2s\""] {
        let fault = &faults(key)[0];
        let name = key.split(' ').next().unwrap_or_default();
        assert!(fault.starts_with(&format!("{name}: it is the failover endpoint's")), "{fault}");
        let file = file(&format!("{key}\nwith_endpoint = true\n")).expect("a temporary file can be written");
        assert!(serve(ServePartial::default(), Some(file.path()), &no_variables).is_ok());
    }
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

const COLLECTOR: &str = r#"
[collector]
command = [
    "telegraf",   # the program
    "--config", "/etc/telegraf.conf",
]
working_dir = "/var/lib/telegraf"
user = "telegraf"
stop_signal = "INT"
stop_timeout = "10s"
restart_backoff = "200ms"
restart_limit = 7
restart_window = "2m"
on_order = "keep"

[collector.env]
LANG = "C"
PORT = 8086
"#;

#[test]
fn a_collectors_settings_can_come_from_file_and_environment() -> Result<(), Box<dyn std::error::Error>> {
    let from_file = serve(ServePartial::default(), Some(file(COLLECTOR)?.path()), &no_variables)?.collector;
    let variables = |name: &str| {
        let value = match name.strip_prefix("CLIENT_FAILOVER_COLLECTOR_")? {
            "COMMAND" => r#"["telegraf", "--config", "/etc/telegraf.conf"]"#,
            "WORKING_DIR" => "/var/lib/telegraf",
            "USER" => "telegraf",
            "ENV" => r#"{ LANG = "C", PORT = 8086 }"#,
            "STOP_SIGNAL" => "SIGINT",
            "STOP_TIMEOUT" => "10s",
            "RESTART_BACKOFF" => "200ms",
            "RESTART_LIMIT" => "7",
            "RESTART_WINDOW" => "2m",
            "ON_ORDER" => "keep",
            _ => return None,
        };
        Some(value.into())
    };
    let from_environment = serve(ServePartial::default(), None, &variables)?.collector;
    let words = ["telegraf", "--config", "/etc/telegraf.conf"].map(str::to_owned);
    let variables =
        [("LANG", "C"), ("PORT", "8086")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let expected = Some(CollectorSettings {
        command: CollectorCommand::new(words.to_vec()).ok_or("a program is named")?,
        working_dir: Some(PathBuf::from("/var/lib/telegraf")),
        user: Some("telegraf".to_owned()),
        env: Variables::new(variables.into()).ok_or("they are possible")?,
        stop_signal: StopSignal::Int,
        stop_timeout: Duration::from_secs(10),
        restarts: Restarts {
            backoff: Duration::from_millis(200),
            limit: 7,
            window: Duration::from_secs(120),
        },
        on_order: OnOrder::Keep,
        order_signal: None,
    });
    assert_eq!(from_file, expected);
    assert_eq!(from_environment, expected);
    let least =
        serve(ServePartial::default(), Some(file("collector.command = ['a']")?.path()), &no_variables)?;
    let least = least.collector.ok_or("a command is enough")?;
    assert_eq!((least.stop_timeout, least.on_order), (Duration::from_secs(5), OnOrder::Restart));
    Ok(())
}

#[test]
fn a_fault_in_the_collectors_table_names_its_line() {
    for (text, fault) in [
        (
            "[collector]\ncommand = \"telegraf\"",
            r#"line 2: collector.command: `telegraf` is not a list of texts, the program first, such as ["telegraf", "--config", "/etc/telegraf.conf"]"#,
        ),
        ("[collector]\ncommand = [\n1]", "line 2: collector.command: `[\\n1]` is not a list of texts"),
        ("[collector]\ncommand = []", "line 2: collector.command: `[]` is not a list of texts"),
        ("[collector]\nstop_signal = 15", "line 2: collector.stop_signal: `15` is not SIGTERM, SIGINT"),
        (
            "[collector]\n\nuser = \"a b\"",
            "line 3: collector.user: `a b` is not the name or number of a user",
        ),
        (
            "[collector]\nrestart_limit = -1",
            "line 2: collector.restart_limit: `-1` is not a number of restarts",
        ),
        ("[collector]\non_order = \"ask\"", "line 2: collector.on_order: `ask` is not restart or keep"),
        ("[collector]\nenv = 5", "line 2: collector.env: `5` is not a table of texts"),
        ("[collector.env]\nA = \"b\"\nB = [1]", "line 3: collector.env.B: it is not a variable with a text"),
        ("[collector.env]\n\"A=\" = \"b\"", "line 2: collector.env.A=: it is not a variable with a text"),
        ("[collector]\nuser = \"a\"", "collector.command: it is missing"),
    ] {
        let faults = faults(text);
        assert!(faults[0].starts_with(fault), "{text}: {faults:?}");
    }
    let variables = |name: &str| (name == "CLIENT_FAILOVER_COLLECTOR_ENV").then(|| "LANG=C".into());
    let error = serve(ServePartial::default(), None, &variables).expect_err("the variable is wrong");
    assert!(
        error.to_string().starts_with("CLIENT_FAILOVER_COLLECTOR_ENV: `LANG=C` is not a table of texts"),
        "{error}"
    );
}

#[test]
fn the_example_says_what_is_the_default_or_could_be() -> Result<(), Box<dyn std::error::Error>> {
    let example = file(include_str!("../../examples/client-failover.toml"))?;
    let settings = serve(ServePartial::default(), Some(example.path()), &no_variables)?;
    let collector = settings.collector.ok_or("it protects a collector")?;
    assert_eq!(collector.restarts, Restarts::default());
    assert_eq!((collector.on_order, collector.stop_signal), (OnOrder::default(), StopSignal::default()));
    assert_eq!(collector.stop_timeout, CollectorSettings::STOP_TIMEOUT);
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
    assert_eq!(
        faults("[order]\nsignal = \"SIGTERM\"\n"),
        ["line 2: order.signal: `SIGTERM` is not SIGHUP, SIGUSR1 or SIGUSR2"]
    );
    for collector in ["", "[collector]\ncommand = [\"a\"]\n"] {
        let faults = faults(&format!("{collector}[order]\nsignal = \"HUP\"\n"));
        assert!(
            faults[0].starts_with("order.signal: it is for a [collector] with on_order = \"keep\""),
            "{faults:?}"
        );
    }
    let variables = |name: &str| (name == "CLIENT_FAILOVER_PROBE").then(|| r#"[{ id = "a", x = 1 }]"#.into());
    let error = serve(ServePartial::default(), None, &variables).expect_err("the variable is wrong");
    assert_eq!(
        error.to_string(),
        "CLIENT_FAILOVER_PROBE: url or command is missing; one of them says what is looked at\n\
         CLIENT_FAILOVER_PROBE: `x` is not a setting here; the settings are id, url, command, interval, timeout, \
         failures, streams"
    );
}

#[test]
fn a_collector_that_keeps_running_can_be_told_by_a_signal() -> Result<(), Box<dyn std::error::Error>> {
    let text = "[collector]\ncommand = [\"a\"]\non_order = \"keep\"\n[order]\nsignal = \"SIGUSR1\"\n";
    let settings = serve(ServePartial::default(), Some(file(text)?.path()), &no_variables)?;
    let signal = settings.collector.and_then(|collector| collector.order_signal);
    assert_eq!(signal, Some(OrderSignal::Usr1));
    Ok(())
}
