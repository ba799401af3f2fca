//! Looking up, changing and undoing settings.

use store::{
    Tx,
    document::{self, DocumentKind, DocumentVersion},
};

use super::list::{ALL, BadSetting, Setting};
use crate::{
    Cx, Result,
    audit::{self, event},
    change_authority::ChangeAuthority,
};

/// A setting and its current value.
#[derive(Clone, Debug)]
pub struct CurrentSetting {
    /// The setting.
    pub setting: &'static Setting,
    /// Value now.
    pub value: String,
}

/// The effective value of one setting, or of all.
pub async fn current_settings(
    cx: &Cx,
    asked: Option<&'static Setting>,
) -> Result<Vec<CurrentSetting>> {
    let mut conn = cx.db.read().await?;
    let rows = document::all_current(&mut conn, DocumentKind::Setting).await?;
    let shown = ALL.iter().filter(|setting| asked.is_none_or(|asked| asked.name == setting.name));
    Ok(shown
        .map(|setting| {
            let row = rows.iter().find(|row| row.name == setting.name);
            let good = row.filter(|row| setting.check(&row.value).is_ok());
            let value = good.map_or(setting.default, |row| &row.value).to_owned();
            CurrentSetting { setting, value }
        })
        .collect())
}

/// Every change of a setting, newest first.
pub async fn history(cx: &Cx, setting: &'static Setting) -> Result<Vec<DocumentVersion>> {
    let mut conn = cx.db.read().await?;
    Ok(document::history(&mut conn, DocumentKind::Setting, setting.name).await?)
}

/// Changes a setting; takes effect on every replica within two seconds.
pub async fn set(
    cx: &Cx,
    authority: &ChangeAuthority,
    setting: &'static Setting,
    value: &str,
) -> Result<Result<DocumentVersion, BadSetting>> {
    cx.db
        .write(async |tx| {
            let newest = document::current(tx, DocumentKind::Setting, setting.name).await?;
            let before = newest.map_or_else(|| setting.default.to_owned(), |row| row.value);
            let change = SettingChange { authority, value: value.trim(), before, undoes: None };
            apply(cx, tx, setting, change).await
        })
        .await
}

/// Undoes the newest change of a setting, by a new version with the value before it.
pub async fn undo(
    cx: &Cx,
    authority: &ChangeAuthority,
    setting: &'static Setting,
) -> Result<Result<DocumentVersion, BadSetting>> {
    cx.db
        .write(async |tx| {
            let Some(newest) = document::current(tx, DocumentKind::Setting, setting.name).await?
            else {
                return Ok(Err(BadSetting::NothingToUndo(setting.name)));
            };
            let undoes = Some(newest.version);
            let change =
                SettingChange { authority, value: &newest.before, before: newest.value, undoes };
            apply(cx, tx, setting, change).await
        })
        .await
}

/// A change of one setting.
struct SettingChange<'a> {
    authority: &'a ChangeAuthority,
    value: &'a str,
    before: String,
    undoes: Option<i64>,
}

async fn apply(
    cx: &Cx,
    tx: &mut Tx,
    setting: &'static Setting,
    change: SettingChange<'_>,
) -> Result<Result<DocumentVersion, BadSetting>> {
    if let Err(bad) = setting.check(change.value) {
        return Ok(Err(bad));
    }
    let row = DocumentVersion {
        name: setting.name.to_owned(),
        version: document::next_version(tx, DocumentKind::Setting, setting.name).await?,
        value: change.value.to_owned(),
        before: change.before,
        actor: change.authority.actor().to_string(),
        reason: change.authority.reason().to_owned(),
        undoes: change.undoes,
        at: cx.now,
    };
    if !document::insert(tx, DocumentKind::Setting, &row).await? {
        return Ok(Err(BadSetting::Conflict(setting.name)));
    }
    let changed = event::SettingChanged {
        name: row.name.clone(),
        version: row.version,
        before: row.before.clone(),
        after: row.value.clone(),
    };
    audit::record(cx, tx, audit::AuditEntry::done(changed).by(change.authority)).await?;
    Ok(Ok(row))
}
