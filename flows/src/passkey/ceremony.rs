//! Ceremonies: a challenge, its purpose and its time, sealed in the page that offers it. Nothing is stored for a page that is
//! only shown. The flow that accepts the answer claims it in a row, so that it is accepted once, on any replica.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use store::{AttemptId, PasskeyId, SessionId, Timestamp};

use super::relying_party::ANSWER_WITHIN;
use crate::{Cx, Result};

const AAD: &[u8] = b"vestibule/passkey-ceremony/v1";

/// What a ceremony is for: an answer to one of another purpose is worth nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum CeremonyPurpose {
    /// Signing in with nothing else, in this attempt.
    SignIn(AttemptId),
    /// The second step of this attempt.
    SecondStep(AttemptId),
    /// Registering a passkey in this session; the id of its row.
    Registration(SessionId, PasskeyId),
}

/// A ceremony with the state of the library.
#[derive(Serialize, Deserialize)]
pub(super) struct Ceremony<S> {
    pub(super) purpose: CeremonyPurpose,
    pub(super) at: Timestamp,
    pub(super) state: S,
}

/// A ceremony for a page.
#[derive(Clone, Debug)]
pub struct PageCeremony {
    /// Its state, sealed: the page posts it with the answer.
    pub sealed: String,
    /// The options for the browser: JSON of `PublicKeyCredentialCreationOptions` or `PublicKeyCredentialRequestOptions` with
    /// binary values in base64url.
    pub options: String,
}

/// Seals a ceremony for a page.
pub(super) fn seal<S: Serialize>(
    cx: &Cx,
    purpose: CeremonyPurpose,
    state: &S,
    options: &impl Serialize,
) -> Result<PageCeremony> {
    let ceremony = Ceremony { purpose, at: cx.now, state };
    let sealed = cx.root.seal_text(&cx.rng, AAD, &serde_json::to_vec(&ceremony)?)?;
    Ok(PageCeremony { sealed, options: serde_json::to_string(options)? })
}

/// Opens a ceremony of this build; none if it can no longer be answered.
pub(super) fn open<S: DeserializeOwned>(cx: &Cx, sealed: &str) -> Option<Ceremony<S>> {
    let plain = cx.root.open_text(AAD, sealed).ok()?;
    let ceremony: Ceremony<S> = serde_json::from_slice(&plain).ok()?;
    (cx.now.since(ceremony.at) <= ANSWER_WITHIN).then_some(ceremony)
}
