//! Revisions: numbers that increment when something changes that replicas keep in memory.

use std::collections::HashMap;

use crate::{Result, Sql};

/// Something that replicas keep in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Settings.
    Settings,
    /// Clients.
    Clients,
    /// Signing keys.
    SigningKeys,
}

impl Topic {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Clients => "clients",
            Self::SigningKeys => "signing_keys",
        }
    }
}

/// The numbers of all topics at one moment; none before they are first read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revisions(HashMap<String, i64>);

impl Revisions {
    /// Whether a topic has another number than in `before`. One without a number counts as changed.
    #[must_use]
    pub fn has_changed(&self, before: &Self, topic: Topic) -> bool {
        let (now, then) = (self.0.get(topic.as_str()), before.0.get(topic.as_str()));
        now.is_none() || now != then
    }
}

/// Increments a number, in the transaction that makes the change.
pub(crate) async fn bump(sql: &mut impl Sql, topic: Topic) -> Result<()> {
    sql.q("UPDATE revisions SET version = version + 1 WHERE topic = $1")
        .bind(topic.as_str())
        .execute()
        .await?;
    Ok(())
}

/// Reads all numbers in one statement.
pub async fn current(sql: &mut impl Sql) -> Result<Revisions> {
    let rows = sql.q("SELECT topic, version FROM revisions").fetch_all::<(String, i64)>().await?;
    Ok(Revisions(rows.into_iter().collect()))
}
