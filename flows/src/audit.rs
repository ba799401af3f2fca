//! THE audit vocabulary, and the one way to write a row: in the transaction that causes it. The row carries a tag that
//! only this program can make (`trail`).

use std::time::Duration;

use serde_json::Value;
use store::{Sql, Tx, UserId, audit::AuditRow};

use crate::{Cx, Result, cx::Origin, observe::Recorded, trail};

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// Everything that is recorded.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Event { $($(#[$doc])* $name,)* }

        impl Event {
            /// Every event, for the documentation and its test.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Name in the trail.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

events! {
    /// A password was judged.
    PasswordChecked = "password.checked";
    /// A mailed code was judged.
    CodeChecked = "code.checked";
    /// A code was asked for, first or again.
    CodeRequested = "code.requested";
    /// The mail server took a mail with a code.
    CodeAccepted = "code.accepted";
    /// A mail could not be sent.
    MailFailed = "mail.failed";
    /// Both steps were completed.
    SignedIn = "sign_in.completed";
    /// A person gave an attempt up.
    AttemptCancelled = "attempt.cancelled";
    /// A step was asked for out of turn.
    SequenceFailed = "attempt.sequence_fail";
    /// A person allowed a client something.
    ConsentGiven = "consent.given";
    /// A person refused a client.
    ConsentRefused = "consent.refused";
    /// A client got an authorization code.
    CodeIssued = "grant.created";
    /// A client redeemed an authorization code.
    TokensIssued = "token.issued";
    /// A client was refused at the token endpoint.
    TokenRefused = "token.refused";
    /// A used authorization code came again; what it issued was revoked.
    CodeReused = "grant.code_reused";
    /// A session ended at its owner's wish.
    SignedOut = "session.signed_out";
    /// A person was added.
    UserAdded = "user.added";
    /// A person must choose a new password; everything older is dead.
    ResetForced = "user.reset_forced";
    /// A password was set or changed.
    PasswordChanged = "user.password_changed";
    /// A client was added.
    ClientAdded = "client.added";
    /// A client got other addresses, another signature of its tokens, or another secret.
    ClientChanged = "client.changed";
    /// A setting was changed or a change undone.
    SettingChanged = "setting.changed";
    /// A signing key was made.
    SigningKeyAdded = "key.added";
    /// A signing key was published in the place of another.
    SigningKeyRotated = "key.rotated";
    /// A signing key is no longer published.
    SigningKeyEnded = "key.ended";
    /// A root key became the current one.
    RootKeyCurrent = "root_key.current";
    /// What was sealed with an older root key was sealed with the current one.
    RootKeyResealed = "root_key.resealed";
    /// Staff had every known device of a person forgotten.
    DevicesForgotten = "user.devices_forgotten";
    /// More codes were wrong on the whole site than its budget; one row an hour.
    GuessBudgetExceeded = "guess_budget.exceeded";
    /// Too many posts or failures came from one network; one row for each window.
    NetworkLimited = "network.limited";
    /// Grants were found without a completed second step behind them.
    UnprovenGrants = "grant.unproven";
}

/// An event about to be recorded.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    event: Event,
    outcome: &'a str,
    user: Option<UserId>,
    client: Option<&'a str>,
    origin: Option<Origin>,
    detail: Value,
    after: Option<Duration>,
    grant_type: Option<&'static str>,
}

impl<'a> Entry<'a> {
    /// An event that went well.
    #[must_use]
    pub fn new(event: Event) -> Self {
        Self {
            event,
            outcome: "ok",
            user: None,
            client: None,
            origin: None,
            detail: Value::Null,
            after: None,
            grant_type: None,
        }
    }

    /// Another event of the same person and client in its place.
    #[must_use]
    pub fn instead(mut self, event: Event) -> Self {
        self.event = event;
        self
    }

    /// How it ended, where that is not simply well.
    #[must_use]
    pub fn outcome(mut self, outcome: &'a str) -> Self {
        self.outcome = outcome;
        self
    }

    /// Whom it is about.
    #[must_use]
    pub fn user(mut self, user: impl Into<Option<UserId>>) -> Self {
        self.user = user.into();
        self
    }

    /// Through which client.
    #[must_use]
    pub fn client(mut self, client: &'a str) -> Self {
        self.client = Some(client);
        self
    }

    /// The request that asked for what happens only now: its client, network and reference are those of the row.
    #[must_use]
    pub(crate) fn origin(mut self, origin: Option<Origin>) -> Self {
        self.origin = origin;
        self
    }

    /// What else is known. Never a secret.
    #[must_use]
    pub fn detail(mut self, detail: Value) -> Self {
        self.detail = detail;
        self
    }

    /// How long it took to get there. For whoever counts; it is not in the row.
    #[must_use]
    pub fn after(mut self, after: impl Into<Option<Duration>>) -> Self {
        self.after = after.into();
        self
    }

    /// By which grant type tokens were issued (RFC 6749, section 4). For whoever counts; it is not in the row.
    #[must_use]
    pub fn grant_type(mut self, grant_type: &'static str) -> Self {
        self.grant_type = Some(grant_type);
        self
    }

    /// Its own client, or that of the request behind it.
    fn client_id(&self) -> Option<String> {
        let behind = || self.origin.as_ref().and_then(|origin| origin.client.clone());
        self.client.map(str::to_owned).or_else(behind)
    }

    fn recorded(&self) -> Recorded {
        Recorded {
            event: self.event,
            outcome: self.outcome.to_owned(),
            client: self.client_id(),
            after: self.after,
            grant_type: self.grant_type,
        }
    }
}

/// Writes an event, and tells whoever counts once it is committed.
#[expect(
    clippy::unused_async,
    reason = "it is asked as every statement is; that it is sent with the others before the commit is the business of `store`"
)]
pub async fn record(cx: &Cx, tx: &mut Tx, entry: Entry<'_>) -> Result<()> {
    let (reference, network) = match &entry.origin {
        Some(origin) => (&origin.reference, origin.network),
        None => (&cx.trace.reference, cx.trace.network),
    };
    let mut row = AuditRow {
        id: cx.id(),
        at: cx.now,
        event: entry.event.as_str().to_owned(),
        outcome: entry.outcome.to_owned(),
        actor: cx.trace.actor.clone(),
        user_id: entry.user,
        client_id: entry.client_id(),
        network: network.map(|address| address.to_string()),
        reference: reference.clone(),
        detail: if entry.detail.is_null() { "{}".to_owned() } else { entry.detail.to_string() },
        tag: None,
        tag_key: None,
        sealed_by: None,
    };
    let key = cx.root.current_id();
    row.tag = Some(trail::tag(&cx.root, key, &row)?.to_vec());
    row.tag_key = Some(key.to_owned());
    store::audit::insert(tx, row);
    let (observer, recorded) = (cx.observer.clone(), entry.recorded());
    tx.after_commit(move || observer.recorded(&recorded));
    Ok(())
}
