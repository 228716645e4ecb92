//! Where settings come from besides the command line: the environment and the settings file.
//!
//! A source is asked for each setting by its key. It collects every fault, with the place it was
//! found at, so that a file is corrected once and not fault by fault.

use std::{collections::BTreeMap, ffi::OsString, fmt, path::Path};

use toml::de::{DeTable, DeValue};

use super::value::{Value, parse};
use crate::domain::Variables;

/// What begins the name of every environment variable of ours.
pub(super) const PREFIX: &str = "CLIENT_FAILOVER_";

/// Everything that is wrong with the settings, each with its place.
#[derive(Debug, PartialEq, Eq)]
pub struct SettingsError(Vec<String>);

impl SettingsError {
    /// A single fault.
    pub(super) fn one(fault: String) -> Self {
        Self(vec![fault])
    }

    /// The faults of both, or nothing.
    pub(super) fn all(faults: Vec<String>) -> Result<(), Self> {
        if faults.is_empty() { Ok(()) } else { Err(Self(faults)) }
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for SettingsError {}

/// A source of settings. Keys are those of the settings file; a table's are joined by a dot.
pub(super) trait Source {
    /// The value of a setting, if this source has one and it is right; a wrong one becomes a fault.
    fn take<T: Value>(&mut self, key: &'static str) -> Option<T>;

    /// The same for a table of variables, whose keys are people's own.
    fn take_variables(&mut self, key: &'static str) -> Option<Variables>;

    /// Everything that was wrong, once every setting has been asked for.
    fn faults(self) -> Vec<String>;
}

/// The environment: `CLIENT_FAILOVER_DATA_DIR` is `data_dir`. An empty variable counts as not set.
pub(super) struct Environment<'a> {
    read: &'a dyn Fn(&str) -> Option<OsString>,
    faults: Vec<String>,
}

impl<'a> Environment<'a> {
    pub(super) fn new(read: &'a dyn Fn(&str) -> Option<OsString>) -> Self {
        Self { read, faults: Vec::new() }
    }
}

impl Source for Environment<'_> {
    fn take<T: Value>(&mut self, key: &'static str) -> Option<T> {
        let name = format!("{PREFIX}{}", key.replace('.', "_").to_ascii_uppercase());
        let text = (self.read)(&name).filter(|text| !text.is_empty())?;
        match parse(&text.to_string_lossy()) {
            Ok(value) => Some(value),
            Err(reason) => {
                self.faults.push(format!("{name}: {reason}"));
                None
            }
        }
    }

    fn take_variables(&mut self, key: &'static str) -> Option<Variables> {
        self.take(key)
    }

    fn faults(self) -> Vec<String> {
        self.faults
    }
}

/// The settings file, as keys with the text of their values and their lines.
pub(super) struct File {
    name: String,
    entries: BTreeMap<String, Entry>,
    /// Every key that was asked for: what a person may write.
    known: Vec<&'static str>,
    /// With their lines, so that they are said in the order of the file.
    faults: Vec<(usize, String)>,
}

struct Entry {
    line: usize,
    /// The text of a scalar.
    scalar: Option<String>,
    /// What stands in the file.
    source: String,
}

impl File {
    /// Reads the text of a settings file.
    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, SettingsError> {
        let name = path.display().to_string();
        let table = DeTable::parse(text).map_err(|error| {
            let line = line_of(text, error.span().map_or(0, |span| span.start));
            SettingsError::one(format!("{name}, line {line}: {}", error.message()))
        })?;
        let mut entries = BTreeMap::new();
        flatten(text, "", table.into_inner(), &mut entries);
        Ok(Self { name, entries, known: Vec::new(), faults: Vec::new() })
    }
}

impl Source for File {
    fn take<T: Value>(&mut self, key: &'static str) -> Option<T> {
        self.known.push(key);
        let entry = self.entries.remove(key)?;
        match parse(entry.scalar.as_ref().unwrap_or(&entry.source)) {
            Ok(value) => Some(value),
            Err(reason) => {
                self.faults.push((entry.line, format!("{key}: {reason}")));
                None
            }
        }
    }

    fn take_variables(&mut self, key: &'static str) -> Option<Variables> {
        if self.entries.contains_key(key) {
            return self.take(key);
        }
        self.known.push(key);
        let mut variables = BTreeMap::new();
        for (name, entry) in
            self.entries.extract_if(format!("{key}.").., |name, _| name.starts_with(&format!("{key}.")))
        {
            let variable = name[key.len() + 1..].to_owned();
            match entry.scalar {
                Some(value) if Variables::new([(variable.clone(), value.clone())].into()).is_some() => {
                    variables.insert(variable, value);
                }
                Some(_) | None => {
                    self.faults.push((entry.line, format!("{name}: it is not a variable with a text")))
                }
            }
        }
        Variables::new(variables).filter(|variables| variables.iter().next().is_some())
    }

    fn faults(mut self) -> Vec<String> {
        let keys = self.known.join(", ");
        for (key, entry) in self.entries {
            self.faults.push((
                entry.line,
                format!("`{}` is not a setting here; the settings are {keys}", key.escape_debug()),
            ));
        }
        self.faults.sort_by_key(|(line, _)| *line);
        self.faults.into_iter().map(|(line, fault)| format!("{}, line {line}: {fault}", self.name)).collect()
    }
}

fn flatten(text: &str, prefix: &str, table: DeTable<'_>, entries: &mut BTreeMap<String, Entry>) {
    for (key, value) in table {
        let line = line_of(text, key.span().start);
        let key = format!("{prefix}{}", key.get_ref());
        let (scalar, source) =
            (scalar(value.get_ref()), text.get(value.span()).unwrap_or_default().to_owned());
        if let DeValue::Table(inner) = value.into_inner() {
            flatten(text, &format!("{key}."), inner, entries);
        } else {
            entries.insert(key, Entry { line, scalar, source });
        }
    }
}

/// A value's text. Numbers and booleans are read as if they stood in quotes, as in the environment.
pub(super) fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Boolean(boolean) => Some(boolean.to_string()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

/// The line of a byte of `text`, counted from 1.
fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}
