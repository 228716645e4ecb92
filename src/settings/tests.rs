//! Which source wins, and what a refusal says.

use std::io::Write;

use super::*;

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
        listening: Listening::default(),
        data_dir: PathBuf::from("/var/lib/client-failover"),
        endpoint_loss: EndpointLoss::StepDown,
        history_days: HistoryDays::read("30").ok_or("30 days are allowed")?,
        log_format: LogFormat::Json,
        hosted_endpoint: Some(HostedEndpoint { session_retention: Duration::from_secs(3_600) }),
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
             history_days, log_format, with_endpoint, session_retention, tls_cert, tls_key, \
             tls_self_signed, ca_file, allow_host, oidc_issuer, oidc_audience, \
             oidc_role_claim, insecure",
            "line 5: history_days: `0` is not a number of days from 1 to 36500",
        ]
    );
    assert_eq!(
        faults("\n\n[collector]\nlisten = \"127.0.0.1:1\"\n"),
        [
            "line 4: `collector.listen` is not a setting here; the settings are listen, data_dir, endpoint_loss, \
          history_days, log_format, with_endpoint, session_retention, tls_cert, tls_key, \
             tls_self_signed, ca_file, allow_host, oidc_issuer, oidc_audience, \
             oidc_role_claim, insecure"
        ]
    );
    assert_eq!(
        faults("listen = [1]\n"),
        ["line 1: listen: the value is not an IP address and a port, such as 127.0.0.1:5590 or [::1]:5590"]
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
