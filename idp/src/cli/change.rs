//! The arguments of every command that changes data: which data, and why.

use clap::Args;
use flows::change_authority::{ChangeAuthority, Reason};

use super::{
    CommandError,
    data_source::{DataSource, DataSourceArgs},
    os_user,
};

/// Which data a command changes, and why.
#[derive(Args, Clone, Debug)]
pub(super) struct ChangeArgs {
    /// Reason for the audit trail: one line. May be left out only with `--data-dir`.
    #[arg(long, value_name = "WHY", value_parser = Reason::parse)]
    reason: Option<Reason>,
    #[command(flatten)]
    at: DataSourceArgs,
}

impl ChangeArgs {
    /// The authority of the user who runs the command. Call this first: without a reason nothing is read or opened.
    pub(super) fn authority(&self) -> Result<ChangeAuthority, CommandError> {
        let reason = match &self.reason {
            Some(reason) => reason.clone(),
            None if self.at.is_dev() => Reason::not_given(),
            None => {
                return Err(CommandError::usage(
                    "say why, with --reason \"..\": this changes data that `serve` uses, and the audit trail keeps the \
                     reason. It may be left out only for the data folder of `dev` (--data-dir DIR). Nothing was changed.",
                ));
            }
        };
        Ok(ChangeAuthority::from_command(os_user::current(), reason))
    }

    /// Opens the database; its schema must be that of this build.
    pub(super) async fn open(&self) -> Result<DataSource, CommandError> {
        self.at.open().await
    }
}
