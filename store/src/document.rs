//! Documents that are changed while the program runs: versioned rows, each with actor, time, reason, and the values before
//! and after. A version that was not applied is a draft: it has a number, and is not in force.

use sqlx::FromRow;

use crate::{
    Result, Sql, Timestamp,
    revision::{self, Topic},
};

/// The kind of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentKind {
    /// A setting; the document has its name.
    Setting,
}

impl DocumentKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Setting => "setting",
        }
    }

    /// What replicas reload when a document of this kind changes.
    const fn topic(self) -> Topic {
        match self {
            Self::Setting => Topic::Settings,
        }
    }
}

/// An applied version of a document.
#[derive(Clone, Debug, FromRow)]
pub struct DocumentVersion {
    /// Name of the document.
    pub name: String,
    /// 1 for the first version that was written.
    pub version: i64,
    /// The new value.
    pub value: String,
    /// The value before.
    pub before: String,
    /// The actor that wrote it, as in the audit trail.
    pub actor: String,
    /// The reason.
    pub reason: String,
    /// The version that this one undoes.
    pub undoes: Option<i64>,
    /// When it was written and applied.
    pub at: Timestamp,
}

/// The version in force of every document of a kind that was ever changed.
pub async fn all_current(sql: &mut impl Sql, kind: DocumentKind) -> Result<Vec<DocumentVersion>> {
    sql.q("SELECT name, version, value, before, actor, reason, undoes, at
           FROM document_versions AS d
           WHERE kind = $1 AND version = (SELECT MAX(version) FROM document_versions
                                          WHERE kind = $1 AND name = d.name AND applied_at IS NOT NULL)")
        .bind(kind.as_str())
        .fetch_all()
        .await
}

/// Every applied version of one document, newest first: the first one is in force.
pub async fn history(
    sql: &mut impl Sql,
    kind: DocumentKind,
    name: &str,
) -> Result<Vec<DocumentVersion>> {
    sql.q("SELECT name, version, value, before, actor, reason, undoes, at
           FROM document_versions WHERE kind = $1 AND name = $2 AND applied_at IS NOT NULL ORDER BY version DESC")
        .bind(kind.as_str())
        .bind(name)
        .fetch_all()
        .await
}

/// Every applied version of every document of a kind, newest first.
pub async fn history_of_all(
    sql: &mut impl Sql,
    kind: DocumentKind,
) -> Result<Vec<DocumentVersion>> {
    sql.q("SELECT name, version, value, before, actor, reason, undoes, at
           FROM document_versions WHERE kind = $1 AND applied_at IS NOT NULL ORDER BY at DESC, version DESC")
        .bind(kind.as_str())
        .fetch_all()
        .await
}

/// Keeps other changes of this kind waiting until the transaction ends, so that what it reads of them stays true. Replicas read
/// the documents again afterwards. Call it first in a transaction that changes one.
pub async fn lock(sql: &mut impl Sql, kind: DocumentKind) -> Result<()> {
    revision::bump(sql, kind.topic()).await
}

/// The version of one document in force.
pub async fn current(
    sql: &mut impl Sql,
    kind: DocumentKind,
    name: &str,
) -> Result<Option<DocumentVersion>> {
    sql.q("SELECT name, version, value, before, actor, reason, undoes, at
           FROM document_versions WHERE kind = $1 AND name = $2 AND applied_at IS NOT NULL
           ORDER BY version DESC LIMIT 1")
        .bind(kind.as_str())
        .bind(name)
        .fetch_optional()
        .await
}

/// The number of the next version of a document; not that of a draft.
pub async fn next_version(sql: &mut impl Sql, kind: DocumentKind, name: &str) -> Result<i64> {
    let (last,): (Option<i64>,) = sql
        .q("SELECT MAX(version) FROM document_versions WHERE kind = $1 AND name = $2")
        .bind(kind.as_str())
        .bind(name)
        .fetch_one()
        .await?;
    Ok(last.unwrap_or(0) + 1)
}

/// Adds a version and applies it, after [`lock`]; false when another transaction added the same version first.
pub async fn insert(sql: &mut impl Sql, kind: DocumentKind, row: &DocumentVersion) -> Result<bool> {
    let rows = sql
        .q("INSERT INTO document_versions (kind, name, version, value, before, actor, reason, undoes, at, applied_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) ON CONFLICT (kind, name, version) DO NOTHING")
        .bind(kind.as_str())
        .bind(&row.name)
        .bind(row.version)
        .bind(&row.value)
        .bind(&row.before)
        .bind(&row.actor)
        .bind(&row.reason)
        .bind(row.undoes)
        .bind(row.at)
        .execute()
        .await?;
    Ok(rows == 1)
}
