//! How `serve` and `endpoint` run: every setting, from the command line, the environment, the
//! settings file, and its default, in this order of authority.
//!
//! Promises: settings that exist are right, whatever source they came from; a wrong value is
//! refused even where a stronger source would have hidden it, and a refusal names the variable, or
//! the file and the line. Every fault is said, not only the first.
//!
//! Does not: read the command line (`cli` does, into the same partial settings), or hold a secret.
//! It imports only `domain`.

mod collector;
mod egress;
mod hosted;
mod listening;
mod order;
mod probe;
mod source;
mod unknown;
mod value;

use std::{
    ffi::OsString,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

pub use collector::CollectorPartial;
pub use egress::EgressPartial;
pub use hosted::{Dwell, HostedEndpoint, HostedPartial};
pub use listening::{AllowedHosts, Certificate, Listening, ListeningPartial, Oidc};
pub use order::{HookSettings, OrderPartial, OrderSettings, Words};
pub use source::SettingsError;
pub use unknown::unknown_variables;
pub use value::{HistoryDays, LogFormat, Value, parse};

use crate::domain::{CollectorSettings, EndpointLoss, GateSettings, Probe};
use source::{Environment, File, PREFIX, Source};

/// The port of the adapter's interface; the vendor's adapters use it too.
const ADAPTER_PORT: u16 = 5590;

/// The port of the failover endpoint's interface: the one after the adapter's.
const ENDPOINT_PORT: u16 = 5591;

/// The credential of a service that is the key, as `LoadCredential=` of systemd names it.
const CREDENTIAL: &str = "client-failover.key";

/// How the adapter half runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeSettings {
    /// Where its interface listens.
    pub listen: SocketAddr,
    /// What is shown and asked for there, and whom its own calls trust.
    pub listening: Listening,
    /// The folder of its database and key.
    pub data_dir: PathBuf,
    /// Where its key is, if not there.
    pub key_file: Option<KeyFile>,
    /// What a Primary does when it loses its endpoint.
    pub endpoint_loss: EndpointLoss,
    /// How long its history is kept.
    pub history_days: HistoryDays,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// How the egress gate works.
    pub egress: GateSettings,
    /// The failover endpoint that it hosts beside itself, if it does.
    pub hosted_endpoint: Option<HostedEndpoint>,
    /// The collector that it protects, if it does.
    pub collector: Option<CollectorSettings>,
    /// Who is told what role and mode demand.
    pub order: OrderSettings,
    /// What is looked at for a collector that cannot report.
    pub probes: Vec<Probe>,
}

/// How the endpoint half runs alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointSettings {
    /// Where its interface listens.
    pub listen: SocketAddr,
    /// What is shown and asked for there, and whom its own calls trust.
    pub listening: Listening,
    /// The folder of its database and key.
    pub data_dir: PathBuf,
    /// Where its key is, if not there.
    pub key_file: Option<KeyFile>,
    /// How long its history is kept.
    pub history_days: HistoryDays,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// How it keeps its groups and sessions.
    pub endpoint: HostedEndpoint,
}

/// Where the key is, if not in the data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyFile {
    /// In the file that the settings name.
    Named(PathBuf),
    /// In a credential of this service, which its manager shows to it.
    Credential(PathBuf),
}

impl KeyFile {
    /// The one that the settings name, or the service manager's credential [`CREDENTIAL`].
    fn or_credential(named: Option<Self>, variables: ReadVariable<'_>) -> Option<Self> {
        named.or_else(|| {
            let folder = variables("CREDENTIALS_DIRECTORY").filter(|folder| !folder.is_empty())?;
            let file = PathBuf::from(folder).join(CREDENTIAL);
            file.is_file().then_some(Self::Credential(file))
        })
    }
}

/// What one source says about `serve`; nothing where it is silent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is the setting of the same name")]
pub struct ServePartial {
    pub listen: Option<SocketAddr>,
    pub listening: ListeningPartial,
    pub data_dir: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub endpoint_loss: Option<EndpointLoss>,
    pub history_days: Option<HistoryDays>,
    pub log_format: Option<LogFormat>,
    pub with_endpoint: Option<bool>,
    /// The table of the same name.
    pub egress: EgressPartial,
    /// Refused unless an endpoint is hosted.
    pub hosted: HostedPartial,
    /// The table of the same name.
    pub collector: CollectorPartial,
    /// The table of the same name.
    pub order: OrderPartial,
    /// The list of tables of the same name; a stronger source replaces it whole.
    pub probe: Option<Vec<Probe>>,
}

/// What one source says about `endpoint`; nothing where it is silent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is the setting of the same name")]
pub struct EndpointPartial {
    pub listen: Option<SocketAddr>,
    pub listening: ListeningPartial,
    pub data_dir: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub history_days: Option<HistoryDays>,
    pub log_format: Option<LogFormat>,
    pub hosted: HostedPartial,
}

/// What one source says.
trait Partial: Default {
    /// Asks a source for each setting.
    fn take(source: &mut impl Source) -> Self;

    /// These settings, completed by those of a weaker source.
    fn or(self, weaker: Self) -> Self;
}

impl Partial for ServePartial {
    fn take(source: &mut impl Source) -> Self {
        Self {
            listen: source.take("listen"),
            data_dir: source.take("data_dir"),
            key_file: source.take("key_file"),
            endpoint_loss: source.take("endpoint_loss"),
            history_days: source.take("history_days"),
            log_format: source.take("log_format"),
            with_endpoint: source.take("with_endpoint"),
            egress: EgressPartial::take(source),
            hosted: HostedPartial::take(source),
            listening: ListeningPartial::take(source),
            collector: CollectorPartial::take(source),
            order: OrderPartial::take(source),
            probe: probe::take(source),
        }
    }

    fn or(self, weaker: Self) -> Self {
        Self {
            listen: self.listen.or(weaker.listen),
            listening: self.listening.or(weaker.listening),
            data_dir: self.data_dir.or(weaker.data_dir),
            key_file: self.key_file.or(weaker.key_file),
            endpoint_loss: self.endpoint_loss.or(weaker.endpoint_loss),
            history_days: self.history_days.or(weaker.history_days),
            log_format: self.log_format.or(weaker.log_format),
            with_endpoint: self.with_endpoint.or(weaker.with_endpoint),
            egress: self.egress.or(weaker.egress),
            hosted: self.hosted.or(weaker.hosted),
            collector: self.collector.or(weaker.collector),
            order: self.order.or(weaker.order),
            probe: self.probe.or(weaker.probe),
        }
    }
}

impl ServePartial {
    /// The settings, with defaults where nothing was said.
    fn complete(self) -> Result<ServeSettings, SettingsError> {
        let hosts = self.with_endpoint.unwrap_or_default();
        if let Some(key) = self.hosted.first_key().filter(|_| !hosts) {
            return Err(SettingsError::one(format!(
                "{key}: it is the failover endpoint's, and `serve` hosts none; set it where `endpoint` runs, or add \
                 with_endpoint"
            )));
        }
        let mut collector = self.collector.complete()?;
        let order = self.order.complete(collector.as_mut())?;
        Ok(ServeSettings {
            listen: self.listen.unwrap_or_else(|| loopback(ADAPTER_PORT)),
            listening: self.listening.complete()?,
            data_dir: self.data_dir.unwrap_or_else(default_data_dir),
            key_file: self.key_file.map(KeyFile::Named),
            endpoint_loss: self.endpoint_loss.unwrap_or_default(),
            history_days: self.history_days.unwrap_or(HistoryDays::DEFAULT),
            log_format: self.log_format.unwrap_or_default(),
            egress: self.egress.complete(),
            hosted_endpoint: hosts.then(|| self.hosted.complete()),
            collector,
            order,
            probes: probe::complete(self.probe)?,
        })
    }
}

impl Partial for EndpointPartial {
    fn take(source: &mut impl Source) -> Self {
        Self {
            listen: source.take("listen"),
            data_dir: source.take("data_dir"),
            key_file: source.take("key_file"),
            history_days: source.take("history_days"),
            log_format: source.take("log_format"),
            hosted: HostedPartial::take(source),
            listening: ListeningPartial::take(source),
        }
    }

    fn or(self, weaker: Self) -> Self {
        Self {
            listen: self.listen.or(weaker.listen),
            listening: self.listening.or(weaker.listening),
            data_dir: self.data_dir.or(weaker.data_dir),
            key_file: self.key_file.or(weaker.key_file),
            history_days: self.history_days.or(weaker.history_days),
            log_format: self.log_format.or(weaker.log_format),
            hosted: self.hosted.or(weaker.hosted),
        }
    }
}

impl EndpointPartial {
    /// The settings, with defaults where nothing was said.
    fn complete(self) -> Result<EndpointSettings, SettingsError> {
        Ok(EndpointSettings {
            listen: self.listen.unwrap_or_else(|| loopback(ENDPOINT_PORT)),
            listening: self.listening.complete()?,
            data_dir: self.data_dir.unwrap_or_else(default_data_dir),
            key_file: self.key_file.map(KeyFile::Named),
            history_days: self.history_days.unwrap_or(HistoryDays::DEFAULT),
            log_format: self.log_format.unwrap_or_default(),
            endpoint: self.hosted.complete(),
        })
    }
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn default_data_dir() -> PathBuf {
    PathBuf::from("./data")
}

/// Reads an environment variable; the process's own is [`std::env::var_os`].
pub type ReadVariable<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The settings of `serve`. `file` is the settings file the command line names; without it
/// `CLIENT_FAILOVER_CONFIG` may name one.
///
/// # Errors
/// When a value in the environment or the file is wrong, or the file cannot be read.
pub fn serve(
    command_line: ServePartial,
    file: Option<&Path>,
    variables: ReadVariable<'_>,
) -> Result<ServeSettings, SettingsError> {
    let mut settings = layered(command_line, file, variables)?.complete()?;
    settings.key_file = KeyFile::or_credential(settings.key_file, variables);
    Ok(settings)
}

/// The settings of `endpoint`. As [`serve`].
///
/// # Errors
/// As [`serve`].
pub fn endpoint(
    command_line: EndpointPartial,
    file: Option<&Path>,
    variables: ReadVariable<'_>,
) -> Result<EndpointSettings, SettingsError> {
    let mut settings = layered(command_line, file, variables)?.complete()?;
    settings.key_file = KeyFile::or_credential(settings.key_file, variables);
    Ok(settings)
}

/// What the sources say together, or everything that is wrong with the environment and the file.
fn layered<P: Partial>(
    command_line: P,
    file: Option<&Path>,
    variables: ReadVariable<'_>,
) -> Result<P, SettingsError> {
    let mut source = Environment::new(variables);
    let environment = P::take(&mut source);
    let mut faults = source.faults();
    let named = variables(&format!("{PREFIX}CONFIG")).filter(|path| !path.is_empty()).map(PathBuf::from);
    let mut from_file = P::default();
    if let Some(path) = file.map(Path::to_path_buf).or(named) {
        let mut source = read_file(&path)?;
        from_file = P::take(&mut source);
        faults.extend(source.faults());
    }
    SettingsError::all(faults)?;
    Ok(command_line.or(environment).or(from_file))
}

fn read_file(path: &Path) -> Result<File, SettingsError> {
    let text = fs::read_to_string(path)
        .map_err(|error| SettingsError::one(format!("{}: cannot be read: {error}", path.display())))?;
    File::parse(path, &text)
}

#[cfg(test)]
mod tests;
