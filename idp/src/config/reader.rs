//! File and environment as one flat list of keys, from which each section takes its keys.
//!
//! A key that no section took is unknown. Problems are collected, not returned at once, so every
//! section is read even when one before it has problems.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use ::config::{Environment, File, FileFormat, Source, Value, ValueKind};
use url::Url;

use super::errors::{ConfigErrors, ConfigProblem};
use super::secret::Secret;
use crate::small_file::read_at_most;

/// The largest file of a secret, in bytes. A larger one is the wrong file.
const SECRET_FILE_MAX: u64 = 16 * 1024;

/// A value that could not be read; its problem is already on the list.
#[derive(Debug)]
pub(super) struct Reported;

pub(super) struct Reader {
    values: BTreeMap<String, Value>,
    from_environment: BTreeSet<String>,
    known_keys: BTreeSet<&'static str>,
    problems: Vec<ConfigProblem>,
    file: Option<PathBuf>,
    secret_files: Vec<(&'static str, PathBuf)>,
}

impl Reader {
    /// Reads file and environment into one list of keys.
    ///
    /// # Errors
    /// Only what makes the rest unreadable: a file that is missing or is not TOML.
    pub(super) fn open(
        path: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigErrors> {
        let mut values = BTreeMap::new();
        if let Some(path) = path {
            for (key, value) in read_file(path)? {
                flatten(&key, value, &mut values);
            }
        }
        let environment = read_environment(env)?;
        let from_environment = environment.keys().cloned().collect();
        for (key, value) in environment {
            values.remove(&other_spelling(&key));
            values.insert(key, value);
        }
        let known_keys = BTreeSet::new();
        Ok(Self {
            values,
            from_environment,
            known_keys,
            problems: Vec::new(),
            file: path.map(Path::to_owned),
            secret_files: Vec::new(),
        })
    }

    /// Adds a problem of `key`, with the name of its variable when the value came from one.
    pub(super) fn add_problem(&mut self, key: &str, text: impl Into<String>) {
        let mut text = text.into();
        if self.from_environment.contains(key) {
            text = format!("{text} (set by {})", env_variable(key));
        }
        self.problems.push(ConfigProblem { key: key.to_owned(), text });
    }

    /// Whether the value of `key` came from a variable, where a list is one text.
    pub(super) fn is_from_environment(&self, key: &str) -> bool {
        self.from_environment.contains(key)
    }

    /// The value of `key`, once.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known_keys.insert(key);
        self.values.remove(key)
    }

    /// The text of `key`: `None` when it is absent.
    fn text(&mut self, key: &'static str) -> Result<Option<String>, Reported> {
        let Some(value) = self.take(key) else { return Ok(None) };
        match value.into_string() {
            Ok(text) if text.trim().is_empty() => {
                self.add_problem(key, "is empty; give it a value or leave the key out");
                Err(Reported)
            }
            Ok(text) => Ok(Some(text)),
            Err(_) => {
                self.add_problem(key, "must be one text, not a list or a table");
                Err(Reported)
            }
        }
    }

    fn parse<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Reported> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        parse(text.trim()).map(Some).map_err(|why| {
            self.add_problem(key, why);
            Reported
        })
    }

    /// A required key; `what` says what to write when it is missing.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        what: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        match self.parse(key, parse) {
            Ok(Some(value)) => Some(value),
            Ok(None) => {
                self.add_problem(key, format!("is missing; set it to {what}"));
                None
            }
            Err(Reported) => None,
        }
    }

    /// A key with a default.
    pub(super) fn or_default<T>(
        &mut self,
        key: &'static str,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.parse(key, parse).ok().map(|value| value.unwrap_or(default))
    }

    /// A key that may be absent: the outer `None` is a reported problem, the inner one an absence.
    #[expect(clippy::option_option, reason = "wrong and absent are different answers")]
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<Option<T>> {
        self.parse(key, parse).ok()
    }

    /// A secret: the text of `key`, or the content of the file that `file_key` names.
    pub(super) fn secret(
        &mut self,
        key: &'static str,
        file_key: &'static str,
    ) -> Result<Option<Secret>, Reported> {
        let text = self.text(key);
        let file = self.text(file_key);
        match (text?, file?) {
            (Some(_), Some(_)) => {
                self.add_problem(key, format!("is also given by {file_key}; keep one of the two"));
                Err(Reported)
            }
            (Some(text), None) => {
                if has_secret(key, &text) && !self.is_from_environment(key) {
                    self.secret_files.extend(self.file.clone().map(|file| (key, file)));
                }
                Ok(Some(Secret::new(text)))
            }
            (None, Some(path)) => {
                let path = PathBuf::from(path);
                let secret = read_secret(&path);
                self.secret_files.push((file_key, path));
                secret.map(Some).map_err(|why| {
                    self.add_problem(file_key, why);
                    Reported
                })
            }
            (None, None) => Ok(None),
        }
    }

    /// The files that secrets were read from, each under the key that names it; the configuration file itself under the key of
    /// a secret that is written in it.
    pub(super) fn secret_files(&self) -> Vec<(&'static str, PathBuf)> {
        self.secret_files.clone()
    }

    /// A list of texts: a TOML list, or texts with commas between them. Absent is empty.
    pub(super) fn list(&mut self, key: &'static str) -> Option<Vec<String>> {
        let Some(value) = self.take(key) else { return Some(Vec::new()) };
        let texts = match value.kind {
            ValueKind::Array(values) => {
                values.into_iter().map(Value::into_string).collect::<Result<Vec<_>, _>>().ok()
            }
            ValueKind::String(text) => Some(text.split(',').map(str::to_owned).collect()),
            _ => None,
        };
        let Some(texts) = texts else {
            self.add_problem(key, "must be a list of texts");
            return None;
        };
        // An empty variable would otherwise replace the file's list by an empty one.
        if texts.iter().any(|text| text.trim().is_empty()) {
            self.add_problem(key, "has an empty entry; leave it out");
            return None;
        }
        Some(texts.iter().map(|text| text.trim().to_owned()).collect())
    }

    /// All problems, with one for each unknown key.
    pub(super) fn into_problems(mut self) -> Vec<ConfigProblem> {
        let unknown: Vec<String> = self.values.keys().cloned().collect();
        for key in unknown {
            let text = format!("is not a key of Vestibule; {}", self.suggestion(&key));
            self.add_problem(&key, text);
        }
        self.problems
    }

    /// The keys that may have been meant: those of the same section, or the sections.
    fn suggestion(&self, key: &str) -> String {
        let section = key.split('.').next().unwrap_or(key);
        let inside: Vec<&str> = self
            .known_keys
            .iter()
            .filter_map(|asked| asked.strip_prefix(section)?.strip_prefix('.'))
            .collect();
        if inside.is_empty() {
            let sections: BTreeSet<&str> =
                self.known_keys.iter().filter_map(|asked| asked.split('.').next()).collect();
            return format!("there are {}", join(sections));
        }
        format!("[{section}] has {}", join(inside))
    }
}

fn join<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().collect::<Vec<_>>().join(", ")
}

/// `smtp.host` as a variable: `IDP__SMTP__HOST`.
fn env_variable(key: &str) -> String {
    format!("IDP__{}", key.to_uppercase().replace('.', "__"))
}

/// The other key of a secret (`password`, `password_file`): a variable replaces the file's value under both.
fn other_spelling(key: &str) -> String {
    match key.strip_suffix("_file") {
        Some(plain) => plain.to_owned(),
        None => format!("{key}_file"),
    }
}

fn read_file(path: &Path) -> Result<HashMap<String, Value>, ConfigErrors> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|why| ConfigErrors::single(&shown, format!("cannot be read: {why}")))?;
    let source = File::from_str(&text, FileFormat::Toml);
    let values = source
        .collect()
        .map_err(|why| ConfigErrors::single(&shown, without_excerpt(&why.to_string())))?;
    Ok(values.into_iter().collect())
}

/// Removes the line that the parser quotes: it may contain a password.
fn without_excerpt(text: &str) -> String {
    let kept =
        text.lines().filter(|line| !line.trim_start_matches(char::is_numeric).contains(" |"));
    kept.map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(": ")
}

fn read_environment(
    env: impl Iterator<Item = (String, String)>,
) -> Result<BTreeMap<String, Value>, ConfigErrors> {
    let ours = Environment::with_prefix("IDP").prefix_separator("__").separator("__");
    let values = ours
        .source(Some(env.collect()))
        .collect()
        .map_err(|why| ConfigErrors::single("environment", why.to_string()))?;
    Ok(values.into_iter().collect())
}

/// Turns nested tables into dotted keys. A list remains the value of one key.
fn flatten(key: &str, value: Value, into: &mut BTreeMap<String, Value>) {
    match value.kind {
        ValueKind::Table(table) => {
            for (name, inner) in table {
                flatten(&format!("{key}.{name}"), inner, into);
            }
        }
        _ => {
            into.insert(key.to_owned(), value);
        }
    }
}

/// Whether a text is to be kept secret: an address is, if it has a password.
fn has_secret(key: &str, text: &str) -> bool {
    let is_address = key.rsplit('.').next() == Some("url");
    !is_address
        || Url::parse(text.trim()).is_ok_and(|url| {
            url.password().is_some() || url.query_pairs().any(|(name, _)| name == "password")
        })
}

fn read_secret(path: &Path) -> Result<Secret, String> {
    let shown = path.display();
    let content = read_at_most(path, SECRET_FILE_MAX)
        .map_err(|why| format!("{shown} cannot be read: {why}"))?
        .ok_or_else(|| {
            format!("{shown} is too large to be a secret: {SECRET_FILE_MAX} bytes are the most")
        })?;
    let text = std::str::from_utf8(&content)
        .map_err(|_| format!("{shown} is not text in UTF-8; save it as UTF-8"))?;
    let text = text.trim_end_matches(['\n', '\r']);
    if text.is_empty() {
        return Err(format!("{shown} is empty; write the secret into it"));
    }
    Ok(Secret::new(text.to_owned()))
}
