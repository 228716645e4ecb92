//! Where settings come from besides the command line: the environment and the settings file.
//!
//! A source is asked for each setting by its key. It collects every fault, with the place it was
//! found at, so that a file is corrected once and not fault by fault.

use std::{collections::BTreeMap, ffi::OsString, fmt, path::Path};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::value::{Value, parse};
use crate::domain::Variables;

/// What begins the name of every environment variable of ours.
pub(super) const PREFIX: &str = "CLIENT_FAILOVER_";

/// What a value is that should be a list of tables.
const NO_LIST: &str = "the value is not a list of tables, such as [{ id = \"a\" }, { id = \"b\" }]";

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

    /// The same for a setting that is a list of tables, each of which `read` asks for its members.
    fn take_list<T>(&mut self, key: &'static str, read: impl Fn(&mut File) -> Option<T>) -> Option<Vec<T>>;

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
        let name = variable(key);
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

    fn take_list<T>(&mut self, key: &'static str, read: impl Fn(&mut File) -> Option<T>) -> Option<Vec<T>> {
        let name = variable(key);
        let text = (self.read)(&name).filter(|text| !text.is_empty())?;
        // It is read as if it stood in a file; its lines are few and say nothing.
        let Ok(mut file) = File::parse(Path::new(&name), &format!("{key} = {}", text.to_string_lossy()))
        else {
            self.faults.push(format!("{name}: {NO_LIST}"));
            return None;
        };
        let list = file.take_list(key, read);
        let key = format!("{key}: ");
        let inside = |fault: String| fault.strip_prefix(&key).map_or(fault.clone(), str::to_owned);
        self.faults.extend(file.in_order().map(|(_, fault)| format!("{name}: {}", inside(fault))));
        list
    }

    fn faults(self) -> Vec<String> {
        self.faults
    }
}

/// Says nothing, and remembers what it was asked for.
#[derive(Default)]
pub(super) struct Asked(pub(super) Vec<&'static str>);

impl Source for Asked {
    fn take<T: Value>(&mut self, key: &'static str) -> Option<T> {
        self.0.push(key);
        None
    }

    fn take_variables(&mut self, key: &'static str) -> Option<Variables> {
        self.0.push(key);
        None
    }

    fn take_list<T>(&mut self, key: &'static str, _: impl Fn(&mut File) -> Option<T>) -> Option<Vec<T>> {
        self.0.push(key);
        None
    }

    fn faults(self) -> Vec<String> {
        Vec::new()
    }
}

/// The variable of a setting.
pub(super) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "_").to_ascii_uppercase())
}

/// The settings file, as keys with the text of their values and their lines.
#[derive(Default)]
pub(super) struct File {
    name: String,
    entries: BTreeMap<String, Entry>,
    /// Lists of tables, each table with the line it begins at.
    lists: BTreeMap<String, Vec<(usize, File)>>,
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
            let hint = without_quotes(text, line)
                .map(|key| format!("; a text stands in quotes: {key} = \"…\""))
                .unwrap_or_default();
            SettingsError::one(format!("{name}, line {line}: {}{hint}", error.message()))
        })?;
        let mut file = Self { name, ..Self::default() };
        file.flatten(text, "", table.into_inner());
        Ok(file)
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

    fn take_list<T>(&mut self, key: &'static str, read: impl Fn(&mut File) -> Option<T>) -> Option<Vec<T>> {
        self.known.push(key);
        let Some(tables) = self.lists.remove(key) else {
            let entry = self.entries.remove(key)?;
            self.faults.push((entry.line, format!("{key}: {NO_LIST}")));
            return None;
        };
        let mut values = Vec::new();
        for (line, table) in tables {
            let mut table = Self { name: self.name.clone(), ..table };
            values.extend(read(&mut table));
            self.faults.extend(table.in_order().map(|(at, fault)| (at.max(line), format!("{key}: {fault}"))));
        }
        Some(values)
    }

    fn faults(self) -> Vec<String> {
        let name = self.name.clone();
        self.in_order().map(|(line, fault)| format!("{name}, line {line}: {fault}")).collect()
    }
}

impl File {
    /// A fault of a table as a whole.
    pub(super) fn fault(&mut self, fault: &str) {
        self.faults.push((0, fault.to_owned()));
    }

    /// Whether something stands under this key that was not asked for yet.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Everything that was wrong, with its line.
    fn in_order(mut self) -> impl Iterator<Item = (usize, String)> {
        let keys = self.known.join(", ");
        let lists = self.lists.into_iter().filter_map(|(key, tables)| Some((key, tables.first()?.0)));
        for (key, line) in self.entries.into_iter().map(|(key, entry)| (key, entry.line)).chain(lists) {
            let fault = format!("`{}` is not a setting here; the settings are {keys}", key.escape_debug());
            self.faults.push((line, fault));
        }
        self.faults.sort_by_key(|(line, _)| *line);
        self.faults.into_iter()
    }

    fn flatten(&mut self, text: &str, prefix: &str, table: DeTable<'_>) {
        for (key, value) in table {
            let line = line_of(text, key.span().start);
            let key = format!("{prefix}{}", key.get_ref());
            let source = text.get(value.span()).unwrap_or_default().to_owned();
            let scalar = scalar(value.get_ref());
            match value.into_inner() {
                DeValue::Table(inner) => self.flatten(text, &format!("{key}."), inner),
                DeValue::Array(elements) if is_list_of_tables(&elements) => {
                    let tables = elements.into_iter().map(|element| table_of(text, element));
                    self.lists.insert(key, tables.collect());
                }
                DeValue::String(_)
                | DeValue::Integer(_)
                | DeValue::Float(_)
                | DeValue::Boolean(_)
                | DeValue::Datetime(_)
                | DeValue::Array(_) => {
                    self.entries.insert(key, Entry { line, scalar, source });
                }
            }
        }
    }
}

fn is_list_of_tables(elements: &[Spanned<DeValue<'_>>]) -> bool {
    !elements.is_empty() && elements.iter().all(|element| element.get_ref().is_table())
}

/// A table of a list, with the line it begins at.
fn table_of(text: &str, element: Spanned<DeValue<'_>>) -> (usize, File) {
    let line = line_of(text, element.span().start);
    let mut file = File::default();
    if let DeValue::Table(table) = element.into_inner() {
        file.flatten(text, "", table);
    }
    (line, file)
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

/// A list of texts, written in the environment as it is in the settings file.
pub(super) fn texts(text: &str) -> Option<Vec<String>> {
    let DeValue::Array(texts) = DeValue::parse(text).ok()?.into_inner() else { return None };
    texts.iter().map(|text| text.get_ref().as_str().map(str::to_owned)).collect()
}

/// The key in this line of a settings file, if what follows it looks like a text without quotes.
fn without_quotes(text: &str, line: usize) -> Option<&str> {
    let (key, value) = text.lines().nth(line - 1)?.split_once('=')?;
    let key = key.trim();
    let named =
        !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    let value = value.split('#').next()?.trim();
    let is_none = value.is_empty() || value.starts_with(['"', '\'', '[', '{']);
    let is_whole = value.parse::<i64>().is_ok() || value.parse::<bool>().is_ok();
    (named && !is_none && !is_whole).then_some(key)
}

/// The line of a byte of `text`, counted from 1.
fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}
