//! What an operator deploys: addresses, database, mail, keys, the issuer.
//!
//! One TOML file, then the environment (`IDP__SECTION__KEY`), which wins. Every secret may come from
//! a file instead (`smtp.password_file`). What people tune live (code window, limits, lifetimes) is
//! not here: those are settings, versioned rows in the database.
//!
//! All problems are found in one pass and each names its key, so that an operator mends a file once
//! and not key by key. An unknown key is a problem too: a misspelt limit must not be a silent default.

mod brand;
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
mod proxies;
mod reader;
mod secret;
mod shutdown;
mod smtp;
mod telemetry;
#[cfg(test)]
mod tests;
mod tls;

use std::path::Path;

pub use brand::BrandConfig;
pub use database::{DatabaseConfig, DatabaseUrl};
pub use ephemeral::{EphemeralConfig, EphemeralUrl};
pub use errors::{ConfigErrors, ConfigProblem};
pub use hashing::HashingConfig;
pub use issuer::Issuer;
pub use keys::{KeysConfig, RootKeyFile};
pub use limits::LimitsConfig;
pub use listen::ListenConfig;
pub use log::{LogConfig, LogFormat, LogLevel};
pub(crate) use parse::is_loopback;
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
    /// Who we are to every client: the `iss` of each token.
    pub issuer: Issuer,
    /// The addresses that the two listeners bind.
    pub listen: ListenConfig,
    /// The certificate of the public listener; none when a proxy in front ends TLS.
    pub tls: Option<TlsConfig>,
    /// What one client may take of a listener.
    pub limits: LimitsConfig,
    /// How many processes share the database, as far as the operator says. Default 1.
    pub replicas: u32,
    /// Where the truth is kept.
    pub database: DatabaseConfig,
    /// Where what may vanish is kept.
    pub ephemeral: EphemeralConfig,
    /// How mail leaves.
    pub smtp: SmtpConfig,
    /// Where the root keys are.
    pub keys: KeysConfig,
    /// How much password hashing may run at once.
    pub hashing: HashingConfig,
    /// Whose forwarding headers are believed.
    pub proxies: ProxiesConfig,
    /// What people see as the name of the service.
    pub brand: BrandConfig,
    /// How the program reports.
    pub log: LogConfig,
    /// Where traces go.
    pub telemetry: TelemetryConfig,
    /// How the program stops.
    pub shutdown: ShutdownConfig,
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
        let mut reader = Reader::open(path, env)?;
        let config = Self::read(&mut reader);
        let problems = reader.into_problems();
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(ConfigErrors::new(problems)),
        }
    }

    /// Reads every section before it gives up on any: that is how all problems are seen at once.
    fn read(reader: &mut Reader) -> Option<Self> {
        let issuer = Issuer::read(reader);
        let listen = ListenConfig::read(reader);
        let tls = TlsConfig::read(reader);
        let limits = LimitsConfig::read(reader);
        let replicas =
            reader.or_default("replicas", 1, |text| parse::parse_number(text, &(1..=1000)));
        let database = DatabaseConfig::read(reader);
        let ephemeral = EphemeralConfig::read(reader);
        let brand = BrandConfig::read(reader);
        let smtp = SmtpConfig::read(reader, brand.as_ref());
        let keys = KeysConfig::read(reader);
        let hashing = HashingConfig::read(reader);
        let proxies = ProxiesConfig::read(reader);
        let log = LogConfig::read(reader);
        let telemetry = TelemetryConfig::read(reader);
        let shutdown = ShutdownConfig::read(reader);
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
            proxies: proxies?,
            brand: brand?,
            log: log?,
            telemetry: telemetry?,
            shutdown: shutdown?,
        })
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
