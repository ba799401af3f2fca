//! `[keys]`: where the root keys are.

use std::collections::BTreeSet;
use std::path::PathBuf;

use ::config::{Value, ValueKind};

use super::reader::Reader;

const EXAMPLE: &str = "`[{ id = \"2026a\", file = \"/run/secrets/root-2026a\" }]`";

/// The root keys. The first is current; the others open values that were sealed with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysConfig {
    /// At least one, with distinct ids.
    pub root_file: Vec<RootKeyFile>,
}

/// One root key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootKeyFile {
    /// The id that every value stores with it: 1 to 32 of `a-z`, `0-9`, `-`.
    pub id: String,
    /// The file of the key. It is read by `cli`, not here.
    pub file: PathBuf,
}

impl KeysConfig {
    pub(super) fn read(reader: &mut Reader) -> Option<Self> {
        let Some(value) = reader.take("keys.root_file") else {
            let key = "keys.root_file";
            reader.add_problem(key, format!("is missing; set it to {EXAMPLE} (first = current)"));
            return None;
        };
        let is_variable = reader.is_from_environment("keys.root_file");
        let entries = match value.kind {
            ValueKind::Array(values) => values.into_iter().map(from_table).collect(),
            ValueKind::String(text) if is_variable => text.split(',').map(from_pair).collect(),
            _ => Err(format!("must be a list such as {EXAMPLE} (first = current)")),
        };
        entries
            .and_then(|root_file: Vec<RootKeyFile>| {
                check_distinct(&root_file).map(|()| Self { root_file })
            })
            .map_err(|why| reader.add_problem("keys.root_file", why))
            .ok()
    }
}

fn from_table(value: Value) -> Result<RootKeyFile, String> {
    let shape = || format!("each entry must have `id` and `file` and nothing else: {EXAMPLE}");
    let mut table = value.into_table().map_err(|_| shape())?;
    let mut text = |name| table.remove(name).and_then(|value| value.into_string().ok());
    let (Some(id), Some(file)) = (text("id"), text("file")) else { return Err(shape()) };
    if table.is_empty() { root_key_file(&id, &file) } else { Err(shape()) }
}

/// Parses one entry of a variable, where the list is written `id=path,id=path`.
fn from_pair(text: &str) -> Result<RootKeyFile, String> {
    let (id, file) = text
        .trim()
        .split_once('=')
        .ok_or_else(|| "must be written `id=path,id=path` in a variable".to_owned())?;
    root_key_file(id, file)
}

fn root_key_file(id: &str, file: &str) -> Result<RootKeyFile, String> {
    let plain = id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !plain || id.is_empty() || id.len() > 32 {
        return Err(format!("`{id}` is not a key id; use 1 to 32 of a-z, 0-9 and -"));
    }
    if file.is_empty() {
        return Err(format!("`{id}` names no file; give the path of its root key"));
    }
    Ok(RootKeyFile { id: id.to_owned(), file: PathBuf::from(file) })
}

fn check_distinct(entries: &[RootKeyFile]) -> Result<(), String> {
    if entries.is_empty() {
        return Err(format!("is empty; set it to {EXAMPLE}"));
    }
    let mut seen = BTreeSet::new();
    match entries.iter().find(|entry| !seen.insert(&entry.id)) {
        Some(twice) => Err(format!("names `{}` twice; give each key an id of its own", twice.id)),
        None => Ok(()),
    }
}
