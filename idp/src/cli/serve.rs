//! `idp serve`.

use std::path::PathBuf;

use clap::Args;
use keys::Rng;
use tokio::net::TcpListener;

use super::{
    Done, Failed,
    place::{load, open_database, open_ephemeral, root_keys},
};
use crate::{
    app::{App, Build},
    check,
    clock::Clock,
    config::{Config, EphemeralUrl},
    http::routes,
    jobs,
    mail::smtp::Mailer,
    serve::{self, Alone, Site, Stop, Tls},
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
    pub(super) async fn run(self) -> Done {
        let config = load(self.config.as_deref())?;
        let clock = Clock::system();
        let traces = Traces::start(&config.telemetry)?;
        telemetry::init_traced(&config.log, clock.clone(), traces.as_ref())?;
        refuse(&config, &clock)?;
        let tls = config.tls.as_ref().map(|files| Tls::load(files, clock.now())).transpose()?;
        let stop = Stop::signals()?;
        let app = Box::pin(start(&config, clock)).await?;
        let alone = match config.ephemeral.url {
            EphemeralUrl::Memory => Some(Alone::take(&app).await?),
            EphemeralUrl::Redis(_) => None,
        };
        let bind = async |key: &str, address| {
            TcpListener::bind(address)
                .await
                .map_err(|error| Failed::new(format!("{key}: {address} cannot be bound: {error}")))
        };
        let site = Site {
            tls,
            limits: config.limits.clone(),
            alone,
            public: bind("listen.public", config.listen.public).await?,
            ops: bind("listen.ops", config.listen.ops).await?,
            router: routes::router(&app),
            lanes: jobs::LANES.to_vec(),
        };
        tracing::info!(
            issuer = config.issuer.as_str(),
            public = %config.listen.public,
            ops = %config.listen.ops,
            "serving"
        );
        serve::run(app, site, config.shutdown, stop).await?;
        if let Some(traces) = traces {
            traces.finish().await;
        }
        tracing::info!("stopped");
        Ok(())
    }
}

async fn start(config: &Config, clock: Clock) -> Result<App, Failed> {
    let root = root_keys(&config.keys)?;
    let db = open_database(&config.database.store()).await?;
    if !db.is_migrated().await? {
        return Err(Failed::new(
            "database.url: the schema is older than this build: run `idp migrate`",
        ));
    }
    Ok(App::start(Build {
        issuer: config.issuer.clone(),
        brand: config.brand.clone(),
        proxies: config.proxies.clone(),
        db,
        ephemeral: open_ephemeral(&config.ephemeral.url)?,
        clock,
        rng: Rng::system(),
        root,
        hashing: config.hashing.pool(),
        mailer: Mailer::smtp(&config.smtp)?,
        kinds: jobs::kinds(),
    })
    .await?)
}

/// What `check-config` refuses.
fn refuse(config: &Config, clock: &Clock) -> Done {
    let problems = check::problems(config, clock.now());
    if problems.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    Err(Failed::new(lines.join("\n")))
}
