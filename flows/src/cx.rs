//! The context of one request: everything that a flow may use, passed in so that time and randomness are parameters.

use std::{net::IpAddr, sync::Arc};

use keys::{Hasher, KeyRing, Rng, RootKeys};
use serde::{Deserialize, Serialize};
use store::{Db, EphemeralCounters, Id, Timestamp};

use crate::{
    actor::Actor,
    client::{Client, Clients, Pkce},
    observer::{ClientSlot, Observer},
    passkey::relying_party::RelyingParty,
    request::AuthorizationRequest,
    settings::Settings,
};

/// The context of one request. Snapshots are taken once, so that a request sees one set of settings throughout.
#[derive(Clone, Debug)]
pub struct Cx {
    /// The database.
    pub db: Db,
    /// The time of the request, from the replica's clock.
    pub now: Timestamp,
    /// The source of randomness.
    pub rng: Rng,
    /// The root key and what is derived from it.
    pub root: Arc<RootKeys>,
    /// Signing keys.
    pub ring: Arc<KeyRing>,
    /// The password hashing pool.
    pub hasher: Hasher,
    /// Live settings.
    pub settings: Arc<Settings>,
    /// Registered clients.
    pub clients: Arc<Clients>,
    /// Wrong codes on the whole site in the last 24 hours, as this replica last read them.
    pub wrong_codes: i64,
    /// Counters that may be lost.
    pub ephemeral: EphemeralCounters,
    /// The issuer identifier: every absolute address starts with it, whatever a request claims (misuse case 50).
    pub issuer: Arc<str>,
    /// This provider as the relying party of passkeys; none where the issuer has no host name.
    pub relying_party: Option<Arc<RelyingParty>>,
    /// The source of the request, for the audit trail.
    pub trace: Trace,
    /// Receives the events that are recorded.
    pub observer: Arc<dyn Observer>,
    /// The client that the request turned out to be about.
    pub client_slot: ClientSlot,
}

/// The source of a request, for the audit trail and the log.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Six characters that a person can read out; in the log line and in every audit row of the request.
    pub reference: String,
    /// The client address of the request. None when a trusted proxy named no address (misuse case 51), and for work without
    /// a request.
    pub client_address: Option<IpAddr>,
    /// The actor.
    pub actor: Actor,
}

impl Trace {
    /// The client address as the log writes it: `unknown` when there is none.
    #[must_use]
    pub fn client_address_text(&self) -> String {
        self.client_address.map_or_else(|| "unknown".to_owned(), |address| address.to_string())
    }
}

/// The request that caused later work: a job stores it, so that its rows in the trail are found by that request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    /// The request's reference.
    pub(crate) reference: String,
    /// Its network, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) network: Option<IpAddr>,
    /// Its client, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client: Option<String>,
}

impl Origin {
    /// The request of `cx`, which is about `client`.
    pub(crate) fn of(cx: &Cx, client: Option<&str>) -> Self {
        Self {
            reference: cx.trace.reference.clone(),
            network: cx.trace.client_address,
            client: client.map(str::to_owned),
        }
    }
}

impl Cx {
    /// Finds a registered client, and notes it for the request's line in the log.
    #[must_use]
    pub(crate) fn find_client(&self, id: &str) -> Option<&Arc<Client>> {
        let client = self.clients.get(id);
        if let Some(client) = client {
            self.client_slot.set(&client.id);
        }
        client
    }

    /// Finds the client of a request that was checked earlier, if its registration still allows the request: the redirect URI,
    /// and a missing code challenge.
    #[must_use]
    pub(crate) fn find_entitled_client(
        &self,
        request: &AuthorizationRequest,
    ) -> Option<&Arc<Client>> {
        self.find_client(&request.client_id).filter(|client| {
            client.has_redirect_uri(&request.redirect_uri)
                && (request.code_challenge.is_some() || client.operator.pkce != Pkce::Required)
        })
    }

    /// A new id.
    #[must_use]
    pub fn new_id<T: Id>(&self) -> T {
        T::new(self.now, self.rng.bytes())
    }
}

/// Letters and digits that cannot be confused when read out.
const READABLE: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// A new six-character reference.
#[must_use]
pub fn generate_reference(rng: &Rng) -> String {
    rng.bytes::<6>()
        .iter()
        .filter_map(|byte| READABLE.get(usize::from(byte % 32)))
        .map(|letter| char::from(*letter))
        .collect()
}
