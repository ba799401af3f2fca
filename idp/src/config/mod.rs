//! The configuration of a deployment: addresses, database, mail, keys, the issuer.
//!
//! One TOML file, then the environment (`IDP__SECTION__KEY`), which wins. Every secret may come from
//! a file instead (`smtp.password_file`). Values that are changed while the program runs (code
//! window, limits, lifetimes) are settings instead: versioned rows in the database.
//!
//! All problems are found in one pass and each names its key, so that an operator corrects a file
//! once. An unknown key is a problem too: a misspelt limit must not fall back to its default.

mod brand;
mod colour;
mod database;
mod ephemeral;
mod errors;
mod hashing;
mod issuer;
mod keys;
mod limits;
mod listen;
mod log;
mod parse;
mod passkeys;
mod proxies;
mod reader;
mod secret;
mod shutdown;
mod smtp;
mod telemetry;
#[cfg(test)]
mod tests;
mod tls;

use std::path::{Path, PathBuf};

pub use brand::{BrandConfig, BrandLinks};
pub use colour::Colour;
#[cfg(test)]
pub(crate) use colour::{DARK_PAPERS, LIGHT_PAPERS};
pub use database::{DatabaseConfig, DatabaseUrl};
pub use ephemeral::{EphemeralConfig, EphemeralUrl};
pub use errors::{ConfigErrors, ConfigProblem};
pub use hashing::HashingConfig;
pub use issuer::Issuer;
pub(crate) use issuer::same_authority;
pub use keys::{KeysConfig, RootKeyFile};
pub use limits::LimitsConfig;
pub use listen::ListenConfig;
pub use log::{LogConfig, LogFormat, LogLevel};
pub(crate) use parse::is_loopback;
pub use passkeys::{AndroidApp, PasskeysConfig};
pub use proxies::ProxiesConfig;
pub use secret::Secret;
pub use shutdown::ShutdownConfig;
pub use smtp::{SmtpConfig, SmtpCredentials, SmtpTls};
pub use telemetry::TelemetryConfig;
pub use tls::TlsConfig;

use reader::Reader;

/// The whole configuration, checked. Secrets are redacted in `Debug`.
#[derive(Clone, Debug)]
pub struct Config {
    /// The issuer identifier: the `iss` of each token.
    pub issuer: Issuer,
    /// The addresses that the two listeners bind.
    pub listen: ListenConfig,
    /// The certificate of the public listener; `None` when a proxy in front terminates TLS.
    pub tls: Option<TlsConfig>,
    /// How much of a listener one client may use.
    pub limits: LimitsConfig,
    /// How many processes share the database, as declared by the operator. Default 1.
    pub replicas: u32,
    /// Where durable data is stored.
    pub database: DatabaseConfig,
    /// Where data that may be lost is stored.
    pub ephemeral: EphemeralConfig,
    /// How mail is sent.
    pub smtp: SmtpConfig,
    /// Where the root keys are.
    pub keys: KeysConfig,
    /// How many password hashes may be computed at once.
    pub hashing: HashingConfig,
    /// RP ID and apps of passkeys.
    pub passkeys: PasskeysConfig,
    /// The proxies whose forwarding headers are trusted.
    pub proxies: ProxiesConfig,
    /// The name of the service on pages and in mail.
    pub brand: BrandConfig,
    /// Format and level of the log.
    pub log: LogConfig,
    /// Where traces are sent.
    pub telemetry: TelemetryConfig,
    /// How the program stops.
    pub shutdown: ShutdownConfig,
    /// The files that hold a secret as text, each with the key that names it.
    pub(crate) secret_files: Vec<(&'static str, PathBuf)>,
}

/// The values that are checked against files and against each other. One that could not be read is absent: its problem
/// is reported already, and hides no other one.
#[derive(Debug, Default)]
pub(crate) struct CheckedValues {
    pub(crate) issuer: Option<Issuer>,
    pub(crate) tls: Option<TlsConfig>,
    pub(crate) replicas: Option<u32>,
    pub(crate) database: Option<DatabaseUrl>,
    pub(crate) ephemeral: Option<EphemeralUrl>,
    pub(crate) root_files: Vec<RootKeyFile>,
    pub(crate) logo: Option<PathBuf>,
    pub(crate) secret_files: Vec<(&'static str, PathBuf)>,
}

impl From<&Config> for CheckedValues {
    fn from(config: &Config) -> Self {
        Self {
            issuer: Some(config.issuer.clone()),
            tls: config.tls.clone(),
            replicas: Some(config.replicas),
            database: Some(config.database.url.clone()),
            ephemeral: Some(config.ephemeral.url.clone()),
            root_files: config.keys.root_file.clone(),
            logo: config.brand.logo.clone(),
            secret_files: config.secret_files.clone(),
        }
    }
}

impl Config {
    /// Reads the file at `path`, when there is one, then the variables of `env` that begin with
    /// `IDP__`, and checks everything.
    ///
    /// # Errors
    /// Every problem found, each with the name of its key and what to do about it.
    pub fn load(
        path: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigErrors> {
        Self::load_and_check(path, env, |_| Vec::new())
    }

    /// The same with a further check, whose problems are reported together with those of the configuration.
    ///
    /// # Errors
    /// Every problem found, each with the name of its key and what to do about it.
    pub(crate) fn load_and_check(
        path: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
        check: impl FnOnce(&CheckedValues) -> Vec<ConfigProblem>,
    ) -> Result<Self, ConfigErrors> {
        let mut reader = Reader::open(path, env)?;
        let (config, values) = Self::read(&mut reader);
        let mut problems = reader.into_problems();
        problems.extend(check(&values));
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(ConfigErrors::new(problems)),
        }
    }

    /// Reads every section before it fails, so that all problems are reported at once.
    fn read(reader: &mut Reader) -> (Option<Self>, CheckedValues) {
        let issuer = Issuer::read(reader);
        let listen = ListenConfig::read(reader);
        let tls = TlsConfig::read(reader);
        let limits = LimitsConfig::read(reader);
        let replicas =
            reader.or_default("replicas", 1, |text| parse::parse_number(text, &(1..=1000)));
        let database = DatabaseConfig::read(reader);
        let ephemeral = EphemeralConfig::read(reader);
        let logo = reader.optional("brand.logo", |text| Ok(PathBuf::from(text)));
        let brand = BrandConfig::read(reader, logo.clone());
        let smtp = SmtpConfig::read(reader, brand.as_ref());
        let keys = KeysConfig::read(reader);
        let hashing = HashingConfig::read(reader);
        let passkeys = PasskeysConfig::read(reader, issuer.as_ref());
        let proxies = ProxiesConfig::read(reader);
        let log = LogConfig::read(reader);
        let telemetry = TelemetryConfig::read(reader);
        let shutdown = ShutdownConfig::read(reader);
        let values = CheckedValues {
            issuer: issuer.clone(),
            tls: tls.clone().flatten(),
            replicas,
            database: database.as_ref().map(|database| database.url.clone()),
            ephemeral: ephemeral.as_ref().map(|ephemeral| ephemeral.url.clone()),
            root_files: keys.as_ref().map(|keys| keys.root_file.clone()).unwrap_or_default(),
            logo: logo.flatten(),
            secret_files: reader.secret_files(),
        };
        let all = || {
            Some(Self {
                issuer: issuer?,
                listen: listen?,
                tls: tls?,
                limits: limits?,
                replicas: replicas?,
                database: database?,
                ephemeral: ephemeral?,
                smtp: smtp?,
                keys: keys?,
                hashing: hashing?,
                passkeys: passkeys?,
                proxies: proxies?,
                brand: brand?,
                log: log?,
                telemetry: telemetry?,
                shutdown: shutdown?,
                secret_files: values.secret_files.clone(),
            })
        };
        (all(), values)
    }
}

/// The variables of this process that are text, for [`Config::load`]. The only place that reads the
/// environment; a variable that is not Unicode cannot be one of ours.
pub(crate) fn environment() -> impl Iterator<Item = (String, String)> {
    #[expect(clippy::disallowed_methods, reason = "this is where configuration is read, once")]
    let variables = std::env::vars_os();
    variables
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}
