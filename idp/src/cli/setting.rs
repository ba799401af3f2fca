//! `idp setting`.

use clap::{Args, Subcommand};
use flows::settings::{self, CurrentSetting};
use serde_json::{Value, json};
use store::document::DocumentVersion;

use super::{CommandResult, change::ChangeArgs, data_source::DataSourceArgs, print};
use crate::clock::rfc3339;

/// Read and change live settings.
#[derive(Debug, Subcommand)]
pub(super) enum SettingCommand {
    /// Show one setting, or all.
    Get {
        /// Name, such as `sign_in.code_window`; all if left out.
        name: Option<String>,
        #[command(flatten)]
        how: ReadArgs,
    },
    /// Change a setting.
    Set {
        /// Name, such as `sign_in.code_window`.
        name: String,
        /// Value from now on, such as `20m`.
        value: String,
        #[command(flatten)]
        change: ChangeArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show every change of a setting, or of all, newest first.
    History {
        /// Name; all if left out.
        name: Option<String>,
        #[command(flatten)]
        how: ReadArgs,
    },
    /// Undo the newest change of a setting that was not undone yet: twice goes back twice.
    Undo {
        /// Name.
        name: String,
        #[command(flatten)]
        change: ChangeArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args, Debug)]
pub(super) struct ReadArgs {
    #[command(flatten)]
    at: DataSourceArgs,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl SettingCommand {
    pub(super) async fn run(self) -> CommandResult {
        match self {
            Self::Get { name, how } => get(name.as_deref(), &how).await,
            Self::Set { name, value, change, json } => {
                let authority = change.authority()?;
                let cx = change.open().await?.cx().await?;
                let setting = settings::Setting::find(&name)?;
                match settings::set(&cx, &authority, setting, &value).await?? {
                    Some(version) => print_change(&version, json),
                    None => print_unchanged(setting, value.trim(), json),
                }
                Ok(())
            }
            Self::History { name, how } => history(name.as_deref(), &how).await,
            Self::Undo { name, change, json } => {
                let authority = change.authority()?;
                let cx = change.open().await?.cx().await?;
                print_change(
                    &settings::undo(&cx, &authority, settings::Setting::find(&name)?).await??,
                    json,
                );
                Ok(())
            }
        }
    }
}

async fn get(name: Option<&str>, args: &ReadArgs) -> CommandResult {
    let cx = args.at.open().await?.cx().await?;
    let states =
        settings::current_settings(&cx, name.map(settings::Setting::find).transpose()?).await?;
    if args.json {
        print::json(&states.iter().map(setting_json).collect::<Value>());
        return Ok(());
    }
    for CurrentSetting { setting, value } in states {
        let (name, least, most, about) = (setting.name, setting.least, setting.most, setting.about);
        print::line(&format!("{name} = {value}  ({least} to {most}, default {})", setting.default));
        print::line(&format!("    {about}"));
    }
    Ok(())
}

fn setting_json(state: &CurrentSetting) -> Value {
    let setting = state.setting;
    json!({
        "name": setting.name, "value": state.value, "default": setting.default, "least": setting.least,
        "most": setting.most, "about": setting.about,
    })
}

async fn history(name: Option<&str>, args: &ReadArgs) -> CommandResult {
    let cx = args.at.open().await?.cx().await?;
    let asked = name.map(settings::Setting::find).transpose()?;
    let rows = settings::history(&cx, asked).await?;
    if args.json {
        print::json(&rows.iter().map(version_json).collect::<Value>());
    } else {
        for row in &rows {
            print::line(&version_text(row));
        }
    }
    Ok(())
}

fn print_change(row: &DocumentVersion, json: bool) {
    if json {
        print::json(&version_json(row));
    } else {
        print::line(&version_text(row));
    }
}

/// The value was in force already.
fn print_unchanged(setting: &settings::Setting, value: &str, json: bool) {
    let name = setting.name;
    if json {
        print::json(&json!({ "name": name, "value": value, "changed": false }));
    } else {
        print::line(&format!("{name} is {value} already; nothing was changed."));
    }
}

fn version_text(row: &DocumentVersion) -> String {
    let DocumentVersion { name, version, before, value, actor, reason, .. } = row;
    let undo = row.undoes.map_or_else(String::new, |undone| format!(" (undoes version {undone})"));
    format!(
        "{}  {name} version {version}: {before} -> {value} by {actor}{undo}: {reason}",
        rfc3339(row.at)
    )
}

fn version_json(row: &DocumentVersion) -> Value {
    json!({
        "name": row.name, "version": row.version, "before": row.before, "value": row.value, "actor": row.actor,
        "reason": row.reason, "undoes": row.undoes, "at": rfc3339(row.at),
    })
}
