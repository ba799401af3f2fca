//! Settings that people tune live: versioned rows, so that who, when, why, before and after are always there.

use sqlx::FromRow;

use crate::{
    Result, Sql, Timestamp,
    revision::{self, Topic},
};

/// One version of a setting.
#[derive(Clone, Debug, FromRow)]
pub struct SettingRow {
    /// Name.
    pub name: String,
    /// 1 for the first change.
    pub version: i64,
    /// Value from then on.
    pub value: String,
    /// Value until then.
    pub before: String,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// The version that this one takes back.
    pub undoes: Option<i64>,
    /// When.
    pub at: Timestamp,
}

/// The newest version of every setting that was ever changed.
pub async fn current(sql: &mut impl Sql) -> Result<Vec<SettingRow>> {
    sql.q("SELECT name, version, value, before, actor, reason, undoes, at
           FROM settings AS s
           WHERE version = (SELECT MAX(version) FROM settings WHERE name = s.name)")
        .all()
        .await
}

/// The newest version of one setting.
pub async fn newest(sql: &mut impl Sql, name: &str) -> Result<Option<SettingRow>> {
    sql.q("SELECT name, version, value, before, actor, reason, undoes, at
           FROM settings WHERE name = $1 ORDER BY version DESC LIMIT 1")
        .bind(name)
        .opt()
        .await
}

/// Every version of one setting, newest first.
pub async fn history(sql: &mut impl Sql, name: &str) -> Result<Vec<SettingRow>> {
    sql.q("SELECT name, version, value, before, actor, reason, undoes, at
           FROM settings WHERE name = $1 ORDER BY version DESC")
        .bind(name)
        .all()
        .await
}

/// Adds a version; false when somebody else added the same one first.
pub async fn insert(sql: &mut impl Sql, row: &SettingRow) -> Result<bool> {
    let rows = sql
        .q("INSERT INTO settings (name, version, value, before, actor, reason, undoes, at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (name, version) DO NOTHING")
        .bind(&row.name)
        .bind(row.version)
        .bind(&row.value)
        .bind(&row.before)
        .bind(&row.actor)
        .bind(&row.reason)
        .bind(row.undoes)
        .bind(row.at)
        .exec()
        .await?;
    revision::bump(sql, Topic::Settings).await?;
    Ok(rows == 1)
}
