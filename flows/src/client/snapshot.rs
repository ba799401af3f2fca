//! The snapshot that requests look clients up in, so that the sign-in page opens when the database is busy.

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
    /// Reads every client. One that this build cannot read is left out, logged and counted: a client that a newer build has
    /// registered is refused, and no other.
    pub async fn load(sql: &mut impl Sql) -> Result<Self> {
        let mut clients = Self::default();
        for row in store::client::all(sql).await? {
            match Client::from_row(&row) {
                Ok(client) => clients.insert(client),
                Err(error) => {
                    tracing::warn!(client = row.id, %error, "a client cannot be read by this build and is refused");
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
        self.origins.contains(origin)
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

    /// Every client that this build cannot read, in no order: `client_id`, and why.
    #[must_use]
    pub fn unusable(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.unusable.iter().map(|(id, why)| (id.as_str(), why.as_str()))
    }
}
