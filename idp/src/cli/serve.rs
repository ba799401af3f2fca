//! `idp serve`.

use std::path::PathBuf;

use clap::Args;
use keys::Rng;
use tokio::net::TcpListener;

use super::{
    CommandError, CommandResult,
    data_source::{load_checked_config, load_root_keys, open_database, open_ephemeral},
};
use crate::{
    app::{App, AppDependencies},
    check,
    clock::Clock,
    config::{CheckedValues, Config, EphemeralUrl},
    http::routes,
    jobs,
    mail::smtp::Mailer,
    serve::{self, ServerSetup, SingleInstanceLease, StopSignal, Tls},
    telemetry::{self, traces::Traces},
};

/// Run the provider.
#[derive(Args, Debug)]
pub(super) struct Serve {
    /// Configuration file (TOML); variables `IDP__SECTION__KEY` win over it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Serve {
    pub(super) async fn run(self) -> CommandResult {
        let clock = Clock::system();
        // The problems that `check-config` reports.
        let check = |values: &CheckedValues| check::problems(values, clock.now());
        let config = load_checked_config(self.config.as_deref(), check)?;
        let traces = Traces::start(&config.telemetry)?;
        telemetry::init_with_traces(&config.log, clock.clone(), traces.as_ref())?;
        let tls = config.tls.as_ref().map(|files| Tls::load(files, clock.now())).transpose()?;
        let stop = StopSignal::signals()?;
        let app = Box::pin(start_app(&config, clock)).await?;
        check_rp_id(&app).await?;
        let lease = match config.ephemeral.url {
            EphemeralUrl::Memory => Some(SingleInstanceLease::acquire(&app).await?),
            EphemeralUrl::Redis(_) => None,
        };
        let bind = async |key: &str, address| {
            TcpListener::bind(address).await.map_err(|error| {
                CommandError::new(format!("{key}: {address} cannot be bound: {error}"))
            })
        };
        let setup = ServerSetup {
            tls,
            limits: config.limits.clone(),
            lease,
            public: bind("listen.public", config.listen.public).await?,
            ops: bind("listen.ops", config.listen.ops).await?,
            router: routes::router(&app),
            reads_body: routes::reads_body,
            lanes: jobs::LANES.to_vec(),
        };
        tracing::info!(
            issuer = config.issuer.as_str(),
            public = %config.listen.public,
            ops = %config.listen.ops,
            "serving"
        );
        serve::run(app, setup, config.shutdown, stop).await?;
        if let Some(traces) = traces {
            traces.shutdown().await;
        }
        tracing::info!("stopped");
        Ok(())
    }
}

/// Passkeys work under the RP ID that they were made under alone, and it can never be changed.
async fn check_rp_id(app: &App) -> CommandResult {
    let Some(relying_party) = &app.relying_party else { return Ok(()) };
    match relying_party.other_in_use(&app.db).await? {
        Some(other) => Err(CommandError::new(format!(
            "passkeys.rp_id: people have passkeys that were made under `{other}` and work under no other name: set it to \
             that, or remove those passkeys with `idp user remove-method` first"
        ))),
        None => Ok(()),
    }
}

async fn start_app(config: &Config, clock: Clock) -> Result<App, CommandError> {
    let root = load_root_keys(&config.keys)?;
    let db = open_database(&config.database.db_config()).await?;
    if !db.is_migrated().await? {
        return Err(CommandError::new(
            "database.url: the schema is older than this build: run `idp migrate`",
        ));
    }
    Ok(App::start(AppDependencies {
        issuer: config.issuer.clone(),
        brand: config.brand.clone(),
        passkeys: config.passkeys.clone(),
        proxies: config.proxies.clone(),
        db,
        ephemeral: open_ephemeral(&config.ephemeral.url)?,
        clock,
        rng: Rng::system(),
        root,
        hashing: config.hashing.hasher_config(),
        mailer: Mailer::smtp(&config.smtp)?,
        job_kinds: jobs::kinds(),
    })
    .await?)
}
