//! `idp doctor`.

use std::path::PathBuf;

use clap::Args;

use super::{CommandError, CommandResult, check_config::print_findings, data_source::load_config};
use crate::{check, clock::Clock};

/// Check everything that `serve` needs: configuration, database, clock, root key, Redis, mail server and issuer. No mail
/// is sent and nothing is written.
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
    pub(super) async fn run(self) -> CommandResult {
        let config = load_config(self.config.as_deref())?;
        let findings = check::diagnose(&config, &Clock::system()).await;
        if print_findings(&findings, self.json) {
            Ok(())
        } else {
            Err(CommandError::new("a check has failed"))
        }
    }
}
