//! Checks a configuration against the files that it names, and its keys against each other.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use keys::RootKey;
use store::Timestamp;
use zeroize::Zeroizing;

use crate::{
    brand::Logo,
    clock::rfc3339,
    config::{
        CheckedValues, Config, ConfigProblem, DatabaseUrl, EphemeralUrl, RootKeyFile, TlsConfig,
    },
    dev::folder::DevFolder,
    serve::CertificatePair,
};

/// A certificate that expires sooner is reported as a warning.
const EXPIRY_WARNING: Duration = Duration::from_hours(14 * 24);
/// File descriptors besides those of connections: databases, mail servers, the log.
const RESERVED_FILES: usize = 100;

/// Every problem with which `serve` refuses to start, sorted by key name.
pub(crate) fn problems(values: &CheckedValues, now: Timestamp) -> Vec<ConfigProblem> {
    let mut found = check_root_keys(&values.root_files);
    found.extend(private_files(values).iter().filter_map(|(key, file)| check_others(key, file)));
    if let Some(tls) = &values.tls {
        found.extend(load_certificate(tls, now).err());
        if values.issuer.as_ref().is_some_and(|issuer| !issuer.is_https()) {
            let why = "must be https while tls.cert is set, or cookies travel without `Secure`";
            found.push(problem("issuer", why));
        }
    }
    found.extend(check_replicas(values));
    found.extend(check_logo(values));
    found.extend(values.database.as_ref().and_then(check_dev_folder));
    found.sort();
    found
}

/// What can be served but is probably a mistake.
pub(crate) fn warnings(config: &Config, now: Timestamp) -> Vec<ConfigProblem> {
    let mut found: Vec<ConfigProblem> = private_files(&config.into())
        .iter()
        .filter_map(|(key, file)| check_group(key, file))
        .collect();
    found.extend(check_folder(&config.database.url));
    if let Some(tls) = &config.tls
        && let Ok(pair) = load_certificate(tls, now)
    {
        let host = config.issuer.url().host_str().unwrap_or_default();
        if !pair.is_valid_for(host) {
            let why = format!(
                "does not name {host}, the host of the issuer; only a proxy in front could accept it"
            );
            found.push(problem("tls.cert", why));
        }
        if pair.expires.since(now) < EXPIRY_WARNING {
            found.push(problem(
                "tls.cert",
                format!("expires at {}; renew it", rfc3339(pair.expires)),
            ));
        }
    }
    if config.tls.is_none() && config.issuer.is_https() && config.proxies.trusted.is_empty() {
        let why = "is empty while a proxy must be in front (the issuer is https, and tls.cert is not set): all clients \
                   would count as one network, the proxy's; name it";
        found.push(problem("proxies.trusted", why));
    }
    if config.issuer.url().domain().is_none() {
        let why = "is an IP address: no browser makes a passkey under one, so none are offered; use a host name";
        found.push(problem("issuer", why));
    }
    if config.brand.support.is_none() {
        let why = "is not set: pages and mails say that there is help, and not where; set it to a telephone number";
        found.push(problem("brand.support", why));
    }
    if let Some(most) = max_open_files()
        && config.limits.connections + RESERVED_FILES > most
    {
        let why = format!(
            "is {}, and this process may open {most} files; raise that limit (`ulimit -n`) or lower this one",
            config.limits.connections
        );
        found.push(problem("limits.connections", why));
    }
    let limits = &config.limits;
    if limits.requests_per_network < 4 * usize::try_from(limits.streams).unwrap_or(usize::MAX) {
        let why = "is less than four times limits.streams: one connection could fill the quarter for requests that wait";
        found.push(problem("limits.requests_per_network", why));
    }
    found.extend(super::memory::check(config));
    found
}

fn load_certificate(tls: &TlsConfig, now: Timestamp) -> Result<CertificatePair, ConfigProblem> {
    CertificatePair::load(tls, now)
}

/// Each file that holds no key, and keys that are the same.
fn check_root_keys(entries: &[RootKeyFile]) -> Vec<ConfigProblem> {
    let (mut keys, mut found) = (Vec::new(), Vec::new());
    for entry in entries {
        match read_root_key(entry) {
            Ok(key) => keys.push(key),
            Err(why) => found.push(why),
        }
    }
    found.extend(RootKey::check_distinct(&keys).err().map(|same| same.to_string()));
    found.into_iter().map(|why| problem("keys.root_file", why)).collect()
}

fn read_root_key(entry: &RootKeyFile) -> Result<RootKey, String> {
    let file = entry.file.display();
    let content = fs::read(&entry.file)
        .map(Zeroizing::new)
        .map_err(|error| format!("{file} of the key {} cannot be read: {error}", entry.id))?;
    RootKey::parse(&entry.id, &content).map_err(|error| format!("{file}: {error}"))
}

/// The files that only this program may read, under the configuration keys that name them: keys, passwords, and the
/// database in a file, which has names, addresses and sessions. Files that do not exist are created private.
fn private_files(values: &CheckedValues) -> Vec<(&'static str, PathBuf)> {
    let mut files: Vec<_> =
        values.root_files.iter().map(|entry| ("keys.root_file", entry.file.clone())).collect();
    files.extend(values.secret_files.iter().cloned());
    files.extend(values.tls.iter().map(|tls| ("tls.key", tls.key.clone())));
    if let Some(DatabaseUrl::Sqlite(file)) = &values.database {
        files.extend(["", "-wal", "-shm"].map(|suffix| {
            let mut name = file.clone().into_os_string();
            name.push(suffix);
            ("database.url", name.into())
        }));
    }
    files
}

/// Reports a file that every account of the machine can read or write.
fn check_others(key: &str, file: &Path) -> Option<ConfigProblem> {
    (permissions(file)? & 0o007 != 0).then(|| {
        let file = file.display();
        problem(
            key,
            format!("{file} can be read by every account of this machine; `chmod o= {file}`"),
        )
    })
}

/// Reports a file that its group can read or write. A volume of Kubernetes with `fsGroup` has such files.
fn check_group(key: &str, file: &Path) -> Option<ConfigProblem> {
    (permissions(file)? & 0o070 != 0).then(|| {
        let file = file.display();
        problem(
            key,
            format!("{file} can be read by its group; `chmod g= {file}`, unless it is this program's alone"),
        )
    })
}

#[cfg(unix)]
fn permissions(file: &Path) -> Option<u32> {
    Some(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(file).ok()?.permissions()))
}

#[cfg(not(unix))]
fn permissions(_: &Path) -> Option<u32> {
    None
}

fn check_logo(values: &CheckedValues) -> Option<ConfigProblem> {
    let why = Logo::read(values.logo.as_deref()?).err()?;
    Some(problem("brand.logo", why))
}

/// More than one replica needs a shared database and shared counters.
fn check_replicas(values: &CheckedValues) -> Vec<ConfigProblem> {
    let mut found = Vec::new();
    if let Some(many @ 2..) = values.replicas {
        if matches!(values.database, Some(DatabaseUrl::Sqlite(_))) {
            let why = format!(
                "is a file, which one replica alone can serve, and `replicas` is {many}; use `postgres://..`"
            );
            found.push(problem("database.url", why));
        }
        if values.ephemeral == Some(EphemeralUrl::Memory) {
            let why = format!(
                "is `memory`, in which each replica would count alone, and `replicas` is {many}; use `redis://..`"
            );
            found.push(problem("ephemeral.url", why));
        }
    }
    found
}

/// The data of `dev` has demo people, and a file beside it has their passwords.
fn check_dev_folder(database: &DatabaseUrl) -> Option<ConfigProblem> {
    let DatabaseUrl::Sqlite(file) = database else { return None };
    // Follows a symbolic link: the mark is in the folder of its target.
    let file = fs::canonicalize(file).unwrap_or_else(|_| file.clone());
    let dir = file.parent().filter(|dir| DevFolder::is_marked(dir))?.display();
    Some(problem("database.url", format!("{dir} is a folder of `idp dev`; use another one")))
}

/// A service manager may make the folder when it starts `serve`, so that it is no problem yet.
fn check_folder(database: &DatabaseUrl) -> Option<ConfigProblem> {
    let DatabaseUrl::Sqlite(file) = database else { return None };
    let folder = missing_folder(file)?.display();
    let why = format!(
        "the folder {folder} does not exist; make it (`install -d -m 0700 {folder}`), unless a service manager does, such \
         as systemd with StateDirectory"
    );
    Some(problem("database.url", why))
}

/// The folder of a SQLite file, if it does not exist: the program makes the file, and no folder.
pub(crate) fn missing_folder(file: &Path) -> Option<&Path> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty())?;
    (!folder.is_dir()).then_some(folder)
}

/// How many files this process may have open, where the system has `/proc`.
fn max_open_files() -> Option<usize> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn problem(key: &str, text: impl Into<String>) -> ConfigProblem {
    ConfigProblem { key: key.to_owned(), text: text.into() }
}
