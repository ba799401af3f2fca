//! Where a command finds its data: the folder of `dev`, or the configuration of `serve`.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use flows::{
    Cx, Trace,
    actor::Actor,
    observer::{ClientSlot, NoopObserver},
};
use keys::{Hasher, HasherConfig, Rng, RootKey, RootKeys};
use store::{Db, DbConfig, EphemeralCounters};

use super::{CommandError, os_user};
use crate::{
    check,
    clock::Clock,
    config::{
        self, CheckedValues, Config, ConfigProblem, EphemeralUrl, HashingConfig, KeysConfig,
        RootKeyFile,
    },
    dev::folder::DevFolder,
    snapshot::LiveState,
};

/// Which data a command works on.
#[derive(Args, Clone, Debug)]
pub(super) struct DataSourceArgs {
    /// Configuration file (TOML) of `serve`; variables `IDP__SECTION__KEY` win over it.
    #[arg(long, value_name = "FILE", conflicts_with = "data_dir")]
    config: Option<PathBuf>,
    /// Data folder of `dev`.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// The opened data of a command.
pub(super) struct DataSource {
    pub(super) db: Db,
    root: RootKeys,
    issuer: String,
    hashing: HasherConfig,
}

impl DataSourceArgs {
    /// Whether it is the data folder of `dev`, not the data of `serve`.
    pub(super) const fn is_dev(&self) -> bool {
        self.data_dir.is_some()
    }

    /// Opens the database; its schema must be that of this build.
    pub(super) async fn open(&self) -> Result<DataSource, CommandError> {
        let data_source = self.open_any_schema().await?;
        if data_source.db.is_migrated().await? {
            Ok(data_source)
        } else {
            Err(CommandError::new(
                "the database has an older schema than this build: run `idp migrate`",
            ))
        }
    }

    /// Opens the database, whatever its schema.
    pub(super) async fn open_any_schema(&self) -> Result<DataSource, CommandError> {
        if let Some(dir) = &self.data_dir {
            let folder = DevFolder::open(dir).map_err(CommandError::new)?;
            DataSource::open(
                &folder.db_config(),
                &folder.keys_config(),
                crate::dev::DEFAULT_ISSUER.to_owned(),
                &HashingConfig::default(),
            )
            .await
        } else {
            let config = load_config(self.config.as_deref())?;
            let issuer = config.issuer.as_str().to_owned();
            DataSource::open(&config.database.db_config(), &config.keys, issuer, &config.hashing)
                .await
        }
    }
}

impl DataSource {
    async fn open(
        database: &DbConfig,
        keys: &KeysConfig,
        issuer: String,
        hashing: &HashingConfig,
    ) -> Result<Self, CommandError> {
        let root = load_root_keys(keys)?;
        let db = open_database(database).await?;
        Ok(Self { db, root, issuer, hashing: hashing.hasher_config() })
    }

    /// The context of one command.
    pub(super) async fn cx(mut self) -> Result<Cx, CommandError> {
        let rng = Rng::system();
        flows::root_keys::load_carried(&mut self.root, &mut self.db.read().await?).await?;
        let root = Arc::new(self.root);
        let snapshot = LiveState::load(&self.db, &root).await?.snapshot();
        Ok(Cx {
            db: self.db.clone(),
            now: Clock::system().now(),
            root: root.clone(),
            ring: snapshot.ring.clone(),
            hasher: Hasher::new(self.hashing, root, rng.clone()),
            settings: snapshot.settings.clone(),
            clients: snapshot.clients.clone(),
            wrong_codes: 0,
            ephemeral: EphemeralCounters::in_memory(),
            issuer: self.issuer.as_str().into(),
            relying_party: None,
            trace: Trace {
                reference: flows::cx::generate_reference(&rng),
                client_address: None,
                actor: Actor::Cli(os_user::current()),
            },
            observer: Arc::new(NoopObserver),
            client_slot: ClientSlot::default(),
            rng,
        })
    }
}

/// Reads the configuration. The error lists every problem.
pub(super) fn load_config(file: Option<&Path>) -> Result<Config, CommandError> {
    load_checked_config(file, |_| Vec::new())
}

/// The same with a further check, whose problems are listed, too.
pub(super) fn load_checked_config(
    file: Option<&Path>,
    check: impl FnOnce(&CheckedValues) -> Vec<ConfigProblem>,
) -> Result<Config, CommandError> {
    Config::load_and_check(file, config::environment(), check).map_err(|errors| {
        let hint = if file.is_none() {
            "\n(no --config FILE was given, so only IDP__ variables were read; `dev` data needs --data-dir DIR)"
        } else {
            ""
        };
        CommandError::new(format!("{errors}{hint}"))
    })
}

/// Reads the root keys.
pub(crate) fn load_root_keys(config: &KeysConfig) -> Result<RootKeys, CommandError> {
    let keys: Result<Vec<_>, _> = config.root_file.iter().map(load_root_key).collect();
    Ok(RootKeys::new(&keys?)?)
}

fn load_root_key(entry: &RootKeyFile) -> Result<RootKey, CommandError> {
    let content = std::fs::read(&entry.file).map_err(|error| {
        let file = entry.file.display();
        CommandError::new(format!(
            "keys.root_file: {file} of the key {} cannot be read: {error}",
            entry.id
        ))
    })?;
    let key = RootKey::parse(&entry.id, &content);
    key.map_err(|error| CommandError::new(format!("keys.root_file: {error}")))
}

/// Opens the database. The error names the configuration key.
pub(crate) async fn open_database(config: &DbConfig) -> Result<Db, CommandError> {
    if let DbConfig::Sqlite { file, .. } = config
        && let Some(folder) = check::missing_folder(file)
    {
        let folder = folder.display();
        return Err(CommandError::new(format!(
            "database.url: the folder {folder} does not exist, so {} cannot be created; make it, as the user who runs \
             `idp serve`: `install -d -m 0700 {folder}`",
            file.display()
        )));
    }
    Db::open(config).await.map_err(|error| {
        let hint = if error.is_missing_database() {
            "; create it, owned by the user of database.url (`createdb --owner USER NAME`), and run `idp migrate`"
        } else {
            ""
        };
        let which = match config {
            DbConfig::Sqlite { file, .. } => format!("{} ", file.display()),
            DbConfig::Postgres { .. } => String::new(),
        };
        CommandError::new(format!("database.url: {which}cannot be opened: {error}{hint}"))
    })
}

/// Opens the counters.
pub(crate) fn open_ephemeral(url: &EphemeralUrl) -> Result<EphemeralCounters, CommandError> {
    match url {
        EphemeralUrl::Memory => Ok(EphemeralCounters::in_memory()),
        EphemeralUrl::Redis(url) => EphemeralCounters::redis(url.reveal())
            .map_err(|error| CommandError::new(format!("ephemeral.url: {error}"))),
    }
}
