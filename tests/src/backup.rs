//! Backup and restore of a test's database, with the commands of docs/operating/backup.md and restore.md.

use std::path::Path;

use store::DbConfig;
use tokio::process::Command;

use crate::{db::TestDb, proc::run, shared_servers::postgres};

/// Copies a database into a file, while it is in use.
pub async fn back_up(from: &TestDb, to: &Path) {
    let command = match from.config() {
        DbConfig::Sqlite { file, .. } => {
            let mut command = Command::new("sqlite3");
            command.arg(file).arg(format!("VACUUM INTO '{}'", to.display()));
            command
        }
        DbConfig::Postgres { url, .. } => {
            let mut command = Command::new(postgres().program("pg_dump"));
            command.arg("--format=custom").arg("--file").arg(to).arg(url);
            command
        }
    };
    run(command, "").await;
}

/// Restores such a file into an empty, unused database.
pub async fn restore(from: &Path, to: &TestDb) {
    let command = match to.config() {
        DbConfig::Sqlite { file, .. } => {
            let mut command = Command::new("install");
            command.args(["-m", "0600"]).arg(from).arg(file);
            command
        }
        DbConfig::Postgres { url, .. } => {
            let mut command = Command::new(postgres().program("pg_restore"));
            command.args(["--exit-on-error", "--no-owner", "--dbname"]).arg(url).arg(from);
            command
        }
    };
    run(command, "").await;
}
