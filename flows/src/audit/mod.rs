//! The one way to write a row of the trail: in the transaction that causes it. The row has a tag that only this program can
//! compute (`trail`). The events are in `event.rs`.

pub mod event;
pub mod outcome;

use std::time::Duration;

use serde_json::{Map, Value};
use store::{Sql, Tx, UserId, audit::AuditRow};

use outcome::Done;

use crate::{
    Cx, Result, actor::Actor, change_authority::ChangeAuthority, cx::Origin,
    observer::RecordedEvent, trail,
};

pub use event::{COMMON, Detail, Event};
pub use outcome::Outcome;

/// An event about to be recorded.
#[derive(Clone, Debug)]
pub struct AuditEntry<'a> {
    event: Event,
    outcome: &'static str,
    user: Option<UserId>,
    client: Option<&'a str>,
    origin: Option<Origin>,
    authority: Option<&'a ChangeAuthority>,
    detail: Map<String, Value>,
    elapsed: Option<Duration>,
    grant_type: Option<&'static str>,
}

impl<'a> AuditEntry<'a> {
    /// An event that has only one outcome.
    #[must_use]
    pub fn done<D: Detail<Outcome = Done>>(detail: D) -> Self {
        Self::new(detail, Done::Ok)
    }

    /// An event and its outcome.
    #[must_use]
    pub fn new<D: Detail>(detail: D, outcome: D::Outcome) -> Self {
        Self {
            event: D::EVENT,
            outcome: outcome.word(),
            user: None,
            client: None,
            origin: None,
            authority: None,
            detail: detail.into_map(),
            elapsed: None,
            grant_type: None,
        }
    }

    /// Another event instead, of the same person and client.
    #[must_use]
    pub(crate) fn with_event<D: Detail>(self, detail: D, outcome: D::Outcome) -> Self {
        Self { event: D::EVENT, outcome: outcome.word(), detail: detail.into_map(), ..self }
    }

    /// Sets the person that it is about.
    #[must_use]
    pub fn user(mut self, user: impl Into<Option<UserId>>) -> Self {
        self.user = user.into();
        self
    }

    /// Sets the client, if there is one.
    #[must_use]
    pub fn client(mut self, client: impl Into<Option<&'a str>>) -> Self {
        self.client = client.into();
        self
    }

    /// Sets the earlier request that caused it: the row has its client, network and reference.
    #[must_use]
    pub(crate) fn origin(mut self, origin: Option<Origin>) -> Self {
        self.origin = origin;
        self
    }

    /// Sets the authority, for a change by staff, an operator or the program.
    #[must_use]
    pub(crate) fn by(mut self, authority: impl Into<Option<&'a ChangeAuthority>>) -> Self {
        self.authority = authority.into();
        self
    }

    /// Sets the time that the person or the mail took. For metrics; it is not in the row.
    #[must_use]
    pub fn elapsed(mut self, elapsed: impl Into<Option<Duration>>) -> Self {
        self.elapsed = elapsed.into();
        self
    }

    /// Sets the grant type by which tokens were issued (RFC 6749, section 4). For metrics; it is not in the row.
    #[must_use]
    pub fn grant_type(mut self, grant_type: &'static str) -> Self {
        self.grant_type = Some(grant_type);
        self
    }

    /// Its own client, or that of the request that caused it.
    fn client_id(&self) -> Option<String> {
        let behind = || self.origin.as_ref().and_then(|origin| origin.client.clone());
        self.client.map(str::to_owned).or_else(behind)
    }

    /// The actor of its authority, or that of the request.
    fn actor<'e>(&'e self, cx: &'e Cx) -> &'e Actor {
        self.authority.map_or(&cx.trace.actor, ChangeAuthority::actor)
    }

    fn to_recorded(&self) -> RecordedEvent {
        RecordedEvent {
            event: self.event,
            outcome: self.outcome.to_owned(),
            client: self.client_id(),
            elapsed: self.elapsed,
            grant_type: self.grant_type,
        }
    }
}

/// Writes an event, and notifies the observer (metrics) once it is committed.
#[expect(
    clippy::unused_async,
    reason = "it is asked as every statement is; that it is sent with the others before the commit is the business of `store`"
)]
pub async fn record(cx: &Cx, tx: &mut Tx, entry: AuditEntry<'_>) -> Result<()> {
    let (reference, network) = match &entry.origin {
        Some(origin) => (&origin.reference, origin.network),
        None => (&cx.trace.reference, cx.trace.client_address),
    };
    let mut detail = entry.detail.clone();
    detail.extend(entry.authority.map(|acting| ("reason".to_owned(), acting.reason().into())));
    let sudo_user = entry.actor(cx).sudo_user();
    detail.extend(sudo_user.map(|name| ("sudo_user".to_owned(), name.into())));
    if entry.actor(cx).is_in_user_namespace() {
        detail.insert("user_namespace".to_owned(), true.into());
    }
    let mut row = AuditRow {
        id: cx.new_id(),
        at: cx.now,
        event: entry.event.as_str().to_owned(),
        outcome: entry.outcome.to_owned(),
        actor: entry.actor(cx).to_string(),
        user_id: entry.user,
        client_id: entry.client_id(),
        network: network.map(|address| address.to_string()),
        reference: reference.clone(),
        detail: Value::Object(detail).to_string(),
        tag: None,
        tag_key: None,
        sealed_by: None,
    };
    let key = cx.root.current_id();
    row.tag = Some(trail::tag(&cx.root, key, &row)?.to_vec());
    row.tag_key = Some(key.to_owned());
    store::audit::insert(tx, row);
    let (observer, recorded) = (cx.observer.clone(), entry.to_recorded());
    tx.after_commit(move || observer.on_event(&recorded));
    Ok(())
}
