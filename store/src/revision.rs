//! Numbers that move when something changes that replicas keep in memory.

use sqlx::FromRow;

use crate::{Result, Sql};

/// Something that replicas keep in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Topic {
    /// Live settings.
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

/// The current numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromRow)]
pub struct Revisions {
    /// Of the settings.
    pub settings: i64,
    /// Of the clients.
    pub clients: i64,
    /// Of the signing keys.
    pub signing_keys: i64,
}

/// Moves a number, in the transaction that makes the change.
pub(crate) async fn bump(sql: &mut impl Sql, topic: Topic) -> Result<()> {
    sql.q("UPDATE revisions SET version = version + 1 WHERE topic = $1")
        .bind(topic.as_str())
        .exec()
        .await?;
    Ok(())
}

/// Reads all numbers in one statement.
pub async fn current(sql: &mut impl Sql) -> Result<Revisions> {
    sql.q("SELECT CAST(MAX(CASE WHEN topic = 'settings' THEN version END) AS BIGINT) AS settings,
                  CAST(MAX(CASE WHEN topic = 'clients' THEN version END) AS BIGINT) AS clients,
                  CAST(MAX(CASE WHEN topic = 'signing_keys' THEN version END) AS BIGINT) AS signing_keys
           FROM revisions")
        .one()
        .await
}
