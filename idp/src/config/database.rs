//! `[database]`: where durable data is stored.

use std::path::PathBuf;

use store::DbConfig;
use url::Url;

use super::parse::parse_number;
use super::reader::{Reader, Reported};
use super::secret::Secret;

/// `database.max_connections`, if it is not given.
const DEFAULT_CONNECTIONS: u32 = 16;

/// The database and how many connections this process may open.
#[derive(Clone, Debug)]
pub struct DatabaseConfig {
    /// The address of the database.
    pub url: DatabaseUrl,
    /// The most open connections to PostgreSQL. Default 16.
    pub max_connections: u32,
}

/// `sqlite:PATH` or `postgres://...`; both engines run the same statements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file of the embedded engine.
    Sqlite(PathBuf),
    /// A PostgreSQL server, for any number of replicas. The address may contain a password.
    Postgres(Secret),
}

impl DatabaseConfig {
    pub(super) fn read(reader: &mut Reader) -> Option<Self> {
        let url = match reader.secret("database.url", "database.url_file") {
            Ok(Some(text)) => DatabaseUrl::parse(text.reveal())
                .map_err(|why| reader.add_problem("database.url", why))
                .ok(),
            Ok(None) => {
                let what = "`sqlite:PATH` or `postgres://...`, or name a file with it in database.url_file";
                reader.add_problem("database.url", format!("is missing; set it to {what}"));
                None
            }
            Err(Reported) => None,
        };
        let max_connections = reader
            .or_default("database.max_connections", DEFAULT_CONNECTIONS, |text| {
                parse_number(text, &(1..=1000))
            })
            // A wrong number is reported, and hides nothing about the address.
            .unwrap_or(DEFAULT_CONNECTIONS);
        Some(Self { url: url?, max_connections })
    }

    /// The configuration of `store`. Every commit to a file waits for the disk.
    #[must_use]
    pub(crate) fn db_config(&self) -> DbConfig {
        match &self.url {
            DatabaseUrl::Sqlite(file) => DbConfig::Sqlite { file: file.clone(), full_sync: true },
            DatabaseUrl::Postgres(url) => DbConfig::Postgres {
                url: url.reveal().to_owned(),
                max_connections: self.max_connections,
            },
        }
    }
}

impl DatabaseUrl {
    /// Checks an address; `sqlite://PATH` is read as `sqlite:PATH`.
    ///
    /// # Errors
    /// What to write instead, without the address itself.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(rest) = text.strip_prefix("sqlite:") {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            if path.is_empty() || path.contains(['?', '#']) || path == ":memory:" {
                return Err(
                    "must name a file alone: `sqlite:/var/lib/vestibule/data.db`".to_owned()
                );
            }
            return Ok(Self::Sqlite(PathBuf::from(path)));
        }
        let known =
            Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "postgres" | "postgresql"));
        if known {
            return Ok(Self::Postgres(Secret::new(text.to_owned())));
        }
        Err("must be `sqlite:PATH` or `postgres://USER:PASSWORD@HOST/NAME`, with special characters \
             of the password percent-encoded"
            .to_owned())
    }
}
