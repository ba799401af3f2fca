//! The command line. Exit codes: 0 done, 1 failed, 2 usage error.
//!
//! Data is written to standard output, everything else to standard error. Secrets are never arguments: they are read from
//! standard input, and new ones are printed once.

mod audit;
mod change;
mod check_config;
mod client;
mod data_source;
mod dev;
mod doctor;
mod key;
mod migrate;
mod os_user;
mod print;
mod progress;
mod root_key;
mod serve;
mod setting;
mod user;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use data_source::DataSourceArgs;
pub(crate) use data_source::{load_root_keys, open_database, open_ephemeral};

/// Vestibule: an OpenID Connect provider whose sign-in always takes two steps.
#[derive(Debug, Parser)]
#[command(name = "idp", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything on this machine, with a demo portal, demo people and a mailbox. Needs no configuration.
    Dev(dev::Dev),
    /// Run the provider.
    Serve(serve::Serve),
    /// Check the configuration. Makes no connection.
    CheckConfig(check_config::CheckConfig),
    /// Check everything that `serve` needs: database, Redis, mail server and issuer.
    Doctor(doctor::Doctor),
    /// Migrate the database to the schema of this build.
    Migrate {
        #[command(flatten)]
        at: DataSourceArgs,
    },
    /// Add, change, show and reset people.
    #[command(subcommand)]
    User(user::UserCommand),
    /// Add, change, remove, list and show clients (relying parties).
    #[command(subcommand)]
    Client(client::ClientCommand),
    /// Read and change live settings. A change reaches every replica within two seconds.
    #[command(subcommand)]
    Setting(setting::SettingCommand),
    /// List and replace signing keys, and the root key that seals them.
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Verify and export the audit trail.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
}

/// Why a command failed: one or more lines for the user who typed it.
#[derive(Debug)]
pub(crate) struct CommandError {
    message: String,
    /// Whether the arguments were wrong.
    is_usage_error: bool,
}

impl<E: std::error::Error> From<E> for CommandError {
    fn from(error: E) -> Self {
        Self::new(error.to_string())
    }
}

impl std::fmt::Display for CommandError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl CommandError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), is_usage_error: false }
    }

    /// An error in the arguments: exit code 2.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), is_usage_error: true }
    }
}

type CommandResult = Result<(), CommandError>;

/// Runs the program with the arguments of this process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version were requested; anything else is a usage error.
            let code = if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
            let _ = error.print();
            return code;
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(run(cli.command)),
        Err(error) => Err(error.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(CommandError { message, is_usage_error }) => {
            print::error(&message);
            if is_usage_error { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

async fn run(command: Command) -> CommandResult {
    match command {
        // Boxed: their futures are large, and only one is created.
        Command::Dev(dev) => Box::pin(dev.run()).await,
        Command::Serve(serve) => Box::pin(serve.run()).await,
        Command::CheckConfig(check) => check.run(),
        Command::Doctor(doctor) => Box::pin(doctor.run()).await,
        Command::Migrate { at } => migrate::run(&at).await,
        Command::User(user) => Box::pin(user.run()).await,
        Command::Client(client) => Box::pin(client.run()).await,
        Command::Setting(setting) => Box::pin(setting.run()).await,
        Command::Key(key) => Box::pin(key.run()).await,
        Command::Audit(audit) => Box::pin(audit.run()).await,
    }
}
