//! `idp doctor`.

use std::path::PathBuf;

use clap::Args;

use super::{Done, Failed, check_config::show, place::load};
use crate::{check, clock::Clock};

/// Ask everything that `serve` needs: configuration, database, clock, root key, Redis, mail server and issuer. No mail is
/// sent and nothing is written.
#[derive(Args, Debug)]
pub(super) struct Doctor {
    /// Configuration file (TOML) of `serve`; variables `IDP__SECTION__KEY` win over it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub(super) async fn run(self) -> Done {
        let config = load(self.config.as_deref())?;
        let findings = check::examine(&config, &Clock::system()).await;
        if show(&findings, self.json) { Ok(()) } else { Err(Failed::new("something is wrong")) }
    }
}
