//! The snapshot of clients that requests use, so that the sign-in page opens when the database is busy.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use store::Sql;

use super::model::Client;
use crate::Result;

/// Every client.
#[derive(Clone, Debug, Default)]
pub struct Clients {
    by_id: HashMap<String, Arc<Client>>,
    /// Origins of public clients that run in a browser.
    origins: HashSet<String>,
    /// Why a client cannot be used by this build, by `client_id`.
    unusable: HashMap<String, String>,
}

impl Clients {
    /// Loads every client. One that this build cannot read, for example because a newer one wrote it, is refused like one
    /// that is not registered; the others are not affected.
    pub async fn load(sql: &mut impl Sql) -> Result<Self> {
        let mut clients = Self::default();
        for row in store::client::all(sql).await? {
            match Client::from_row(&row) {
                Ok(client) => clients.insert(client),
                Err(error) => {
                    tracing::error!(%error, "alarm: this build cannot use a client, and refuses it");
                    clients.unusable.insert(row.id, error.to_string());
                }
            }
        }
        Ok(clients)
    }

    fn insert(&mut self, client: Client) {
        self.origins.extend(client.browser_origins());
        self.by_id.insert(client.id.clone(), Arc::new(client));
    }

    /// Whether a page of this origin is a registered client that calls us from the browser.
    #[must_use]
    pub fn has_browser_origin(&self, origin: &str) -> bool {
        // The default port of the scheme may be written (RFC 9110, section 4.2.3). Browsers leave it out, as `origins` does.
        let default_port = if origin.starts_with("https://") { ":443" } else { ":80" };
        self.origins.contains(origin.strip_suffix(default_port).unwrap_or(origin))
    }

    /// Looks a client up.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Arc<Client>> {
        self.by_id.get(id)
    }

    /// Every client that can be used, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Client>> {
        self.by_id.values()
    }

    /// How many clients this build cannot use.
    #[must_use]
    pub fn unusable_count(&self) -> usize {
        self.unusable.len()
    }

    /// Why this build cannot use a client that is registered.
    #[must_use]
    pub fn why_unusable(&self, id: &str) -> Option<&str> {
        self.unusable.get(id).map(String::as_str)
    }

    /// Every client that this build cannot use, in no order: `client_id`, and why.
    pub fn iter_unusable(&self) -> impl Iterator<Item = (&str, &str)> {
        self.unusable.iter().map(|(id, why)| (id.as_str(), why.as_str()))
    }
}
