//! Looking up, changing and undoing settings.

use std::collections::HashSet;

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
        .map(|setting| CurrentSetting { setting, value: value_in_force(&rows, setting).to_owned() })
        .collect())
}

/// The value of a setting that is followed: a bad one, written by hand, is not.
fn value_in_force<'r>(rows: &'r [DocumentVersion], setting: &'static Setting) -> &'r str {
    let row = rows.iter().find(|row| row.name == setting.name);
    let good = row.filter(|row| setting.check(&row.value).is_ok());
    good.map_or(setting.default, |row| &row.value)
}

/// Every change of a setting, or of all, newest first.
pub async fn history(cx: &Cx, asked: Option<&'static Setting>) -> Result<Vec<DocumentVersion>> {
    let mut conn = cx.db.read().await?;
    Ok(match asked {
        Some(setting) => document::history(&mut conn, DocumentKind::Setting, setting.name).await?,
        None => document::history_of_all(&mut conn, DocumentKind::Setting).await?,
    })
}

/// Changes a setting; takes effect on every replica within two seconds. None if it has the value already: a version that
/// changes nothing would be one more to undo.
pub async fn set(
    cx: &Cx,
    authority: &ChangeAuthority,
    setting: &'static Setting,
    value: &str,
) -> Result<Result<Option<DocumentVersion>, BadSetting>> {
    let value = value.trim();
    cx.db
        .write(async |tx| {
            document::lock(tx, DocumentKind::Setting).await?;
            let newest = document::current(tx, DocumentKind::Setting, setting.name).await?;
            let before = newest.map_or_else(|| setting.default.to_owned(), |row| row.value);
            if setting.is_same(value, &before) && setting.check(value).is_ok() {
                return Ok(Ok(None));
            }
            let change = SettingChange { authority, value, before, undoes: None };
            Ok(apply(cx, tx, setting, change).await?.map(Some))
        })
        .await
}

/// Undoes the newest change of a setting that was not undone yet, by a new version with the value before it.
pub async fn undo(
    cx: &Cx,
    authority: &ChangeAuthority,
    setting: &'static Setting,
) -> Result<Result<DocumentVersion, BadSetting>> {
    cx.db
        .write(async |tx| {
            document::lock(tx, DocumentKind::Setting).await?;
            let versions = document::history(tx, DocumentKind::Setting, setting.name).await?;
            let (Some(newest), Some(target)) = (versions.first(), newest_in_effect(&versions))
            else {
                return Ok(Err(BadSetting::NothingToUndo(setting.name)));
            };
            let change = SettingChange {
                authority,
                value: &target.before,
                before: newest.value.clone(),
                undoes: Some(target.version),
            };
            apply(cx, tx, setting, change).await
        })
        .await
}

/// The newest version that changed something and was not undone, of all versions, newest first. A version that undoes one which
/// is itself undone brings that one back.
fn newest_in_effect(versions: &[DocumentVersion]) -> Option<&DocumentVersion> {
    let mut undone = HashSet::new();
    for version in versions {
        if undone.contains(&version.version) {
            continue;
        }
        match version.undoes {
            Some(target) => {
                undone.insert(target);
            }
            None if version.value == version.before => {}
            None => return Some(version),
        }
    }
    None
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
    let rows = document::all_current(tx, DocumentKind::Setting).await?;
    let others = |other: &'static Setting| value_in_force(&rows, other);
    if let Err(bad) = setting.check_with_others(change.value, others) {
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

#[cfg(test)]
mod tests {
    use store::Timestamp;

    use super::*;

    /// Versions, newest first, from their values in the order of writing, each with the version that it undoes.
    fn versions(values: &[(&str, Option<i64>)]) -> Vec<DocumentVersion> {
        let mut before = "15".to_owned();
        let mut rows: Vec<_> = (1..)
            .zip(values)
            .map(|(version, (value, undoes))| DocumentVersion {
                name: "password.min_length".to_owned(),
                version,
                value: (*value).to_owned(),
                before: std::mem::replace(&mut before, (*value).to_owned()),
                actor: "cli:test".to_owned(),
                reason: "test".to_owned(),
                undoes: *undoes,
                at: Timestamp::from_millis(version),
            })
            .collect();
        rows.reverse();
        rows
    }

    #[test]
    fn undo_takes_back_newest_not_undone() {
        for (values, wanted) in [
            (&[][..], None),
            (&[("16", None)], Some(1)),
            (&[("16", None), ("20", None)], Some(2)),
            (&[("16", None), ("20", None), ("16", Some(2))], Some(1)),
            (&[("16", None), ("20", None), ("16", Some(2)), ("15", Some(1))], None),
            (&[("16", None), ("20", None), ("16", Some(2)), ("25", None)], Some(4)),
            (
                &[("16", None), ("20", None), ("16", Some(2)), ("25", None), ("16", Some(4))],
                Some(1),
            ),
            // What an earlier build wrote: an undo of an undo, and a value that was there already.
            (&[("16", None), ("20", None), ("16", Some(2)), ("20", Some(3))], Some(2)),
            (&[("16", None), ("16", None)], Some(1)),
        ] {
            let rows = versions(values);
            let found = newest_in_effect(&rows).map(|row| row.version);
            assert_eq!(found, wanted, "{values:?}");
        }
    }
}
