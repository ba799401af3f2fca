//! Proving that a browser holds a passkey (WebAuthn Level 3, section 7.2).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;
use store::{AttemptId, Timestamp, passkey::PasskeyRow};
use uuid::Uuid;
use webauthn_rs::prelude::{
    DiscoverableAuthentication, DiscoverableKey, Passkey, PublicKeyCredential, WebauthnError,
};

use super::{
    ceremony::{self, CeremonyPurpose, PageCeremony},
    client_data,
    relying_party::RelyingParty,
};
use crate::{Cx, Error, Result};

/// Begins a ceremony by which a person signs in with nothing else: their browser offers the passkeys that it has.
pub(crate) fn begin_sign_in(cx: &Cx, attempt: AttemptId) -> Result<Option<PageCeremony>> {
    begin(cx, CeremonyPurpose::SignIn(attempt), &[])
}

/// Begins a ceremony for the second step, by one of these credentials.
pub(crate) fn begin_second_step(
    cx: &Cx,
    attempt: AttemptId,
    credential_ids: &[String],
) -> Result<Option<PageCeremony>> {
    begin(cx, CeremonyPurpose::SecondStep(attempt), credential_ids)
}

fn begin(
    cx: &Cx,
    purpose: CeremonyPurpose,
    credential_ids: &[String],
) -> Result<Option<PageCeremony>> {
    let Some(relying_party) = &cx.relying_party else { return Ok(None) };
    let (options, state) =
        relying_party.webauthn.start_discoverable_authentication().map_err(Error::Passkey)?;
    let mut options = serde_json::to_value(options.public_key)?;
    if let Some(options) = options.as_object_mut() {
        options.remove("extensions");
        let allowed =
            credential_ids.iter().map(|id| serde_json::json!({ "type": "public-key", "id": id }));
        options.insert("allowCredentials".to_owned(), Value::Array(allowed.collect()));
    }
    ceremony::seal(cx, purpose, &state, &options).map(Some)
}

/// What a browser has posted as the answer to a ceremony of an attempt. Nothing about it is verified yet.
#[derive(Debug)]
pub(crate) struct PostedAssertion {
    credential: PublicKeyCredential,
    state: DiscoverableAuthentication,
    /// When the ceremony was begun.
    pub(crate) begun_at: Timestamp,
    /// Whether it is for the second step alone.
    pub(crate) is_second_step: bool,
}

/// Why an assertion is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AssertionFault {
    /// Its counter did not grow: there may be a copy of the passkey (section 6.1.1).
    Counter,
    /// It has become one that can be backed up, or no longer is, which cannot happen to a passkey (section 6.1.3).
    Eligibility,
    /// Its authenticator did not verify the person.
    NotVerified,
    /// Anything else: the signature, the challenge, the origin, the owner.
    Invalid,
}

impl PostedAssertion {
    /// Reads a posted assertion; none if its ceremony is not of this attempt, or over.
    pub(crate) fn read(cx: &Cx, attempt: AttemptId, sealed: &str, answer: &str) -> Option<Self> {
        let ceremony = ceremony::open(cx, sealed)?;
        let is_second_step = match ceremony.purpose {
            CeremonyPurpose::SignIn(own) if own == attempt => false,
            CeremonyPurpose::SecondStep(own) if own == attempt => true,
            _ => return None,
        };
        let credential = serde_json::from_str(answer).ok()?;
        Some(Self { credential, state: ceremony.state, begun_at: ceremony.at, is_second_step })
    }

    /// The credential id, in base64url.
    pub(crate) fn credential_id(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.credential.raw_id)
    }

    /// Verifies it with the passkey that it names, whose owner has this user handle.
    pub(crate) fn verify(
        &self,
        relying_party: &RelyingParty,
        row: &PasskeyRow,
        owner: Uuid,
    ) -> Result<VerifiedAssertion, AssertionFault> {
        let stored = serde_json::from_str(&row.credential).map_err(|_| AssertionFault::Invalid)?;
        self.verify_with(relying_party, stored, owner)
    }

    /// The same for an answer that was accepted a moment ago: its counter is the stored one.
    pub(crate) fn verify_again(
        &self,
        relying_party: &RelyingParty,
        row: &PasskeyRow,
        owner: Uuid,
    ) -> Result<VerifiedAssertion, AssertionFault> {
        let stored = without_counter(&row.credential).ok_or(AssertionFault::Invalid)?;
        self.verify_with(relying_party, stored, owner)
    }

    fn verify_with(
        &self,
        relying_party: &RelyingParty,
        mut stored: Passkey,
        owner: Uuid,
    ) -> Result<VerifiedAssertion, AssertionFault> {
        let response = &self.credential.response;
        if !client_data::is_of_own_window(&response.client_data_json) || !self.is_of(owner) {
            return Err(AssertionFault::Invalid);
        }
        let key = DiscoverableKey::from(&stored);
        let result = relying_party
            .webauthn
            .finish_discoverable_authentication_v2(&self.credential, self.state.clone(), &key)
            .map_err(|error| fault(&error))?;
        stored.update_credential(&result);
        let credential = serde_json::to_string(&stored).map_err(|_| AssertionFault::Invalid)?;
        Ok(VerifiedAssertion { credential, is_synced: result.backup_state() })
    }

    /// Whether its user handle is that of the owner. Without other proof of who the person is there must be one (section 7.2,
    /// step 6).
    fn is_of(&self, owner: Uuid) -> bool {
        match self.credential.response.user_handle.as_deref() {
            Some(handle) => handle == owner.as_bytes(),
            None => self.is_second_step,
        }
    }
}

/// An assertion that is right.
#[derive(Debug)]
pub(crate) struct VerifiedAssertion {
    /// The passkey with its new counter and flags.
    pub(crate) credential: String,
    /// Whether it is backed up.
    pub(crate) is_synced: bool,
}

const fn fault(error: &WebauthnError) -> AssertionFault {
    match error {
        WebauthnError::CredentialPossibleCompromise => AssertionFault::Counter,
        WebauthnError::CredentialBackupEligibilityInconsistent
        | WebauthnError::CredentialMayNotBeHardwareBound => AssertionFault::Eligibility,
        WebauthnError::UserNotVerified => AssertionFault::NotVerified,
        _ => AssertionFault::Invalid,
    }
}

/// A stored passkey as if it had never been used.
fn without_counter(credential: &str) -> Option<Passkey> {
    let mut stored: Value = serde_json::from_str(credential).ok()?;
    *stored.pointer_mut("/cred/counter")? = Value::from(0);
    serde_json::from_value(stored).ok()
}
