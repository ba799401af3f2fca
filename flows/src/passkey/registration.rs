//! Registering a passkey (WebAuthn Level 3, section 7.1).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use store::{PasskeyId, SessionId, Timestamp, passkey::PasskeyRow, user::User};
use webauthn_rs::prelude::{
    Passkey, PasskeyRegistration, RegisterPublicKeyCredential, WebauthnError,
};

use super::{
    ceremony::{self, CeremonyPurpose, PageCeremony},
    client_data, model_names,
};
use crate::{Cx, Error, Result};

/// Begins the registration of another passkey of a person in a session. Their other ones are named, so that no authenticator
/// makes a second one beside its first.
pub(crate) fn begin(
    cx: &Cx,
    session: SessionId,
    user: &User,
    others: &[PasskeyRow],
) -> Result<Option<PageCeremony>> {
    let Some(relying_party) = &cx.relying_party else { return Ok(None) };
    let account = user.email.as_deref().unwrap_or(&user.name);
    let (options, state) = relying_party
        .webauthn
        .start_passkey_registration(user.user_handle, account, &user.name, None)
        .map_err(Error::Passkey)?;
    let mut options = serde_json::to_value(options.public_key)?;
    if let Some(options) = options.as_object_mut() {
        let known =
            others.iter().map(|other| json!({ "type": "public-key", "id": other.credential_id }));
        options.insert("excludeCredentials".to_owned(), Value::Array(known.collect()));
        // One that browsers offer by itself, where the authenticator has room for it.
        let selection = json!({
            "residentKey": "preferred", "requireResidentKey": false, "userVerification": "required",
        });
        options.insert("authenticatorSelection".to_owned(), selection);
        options.remove("extensions");
    }
    let purpose = CeremonyPurpose::Registration(session, cx.new_id());
    ceremony::seal(cx, purpose, &state, &options).map(Some)
}

/// Why a registration is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RegistrationFault {
    /// The ceremony is over, or of another session.
    Over,
    /// The authenticator did not verify the person, and may not be able to.
    NotVerified,
    /// Anything else.
    Invalid,
}

/// A registered passkey that is not stored yet.
#[derive(Debug)]
pub(crate) struct NewPasskey {
    /// The id of its row: the same for each post of the ceremony.
    pub(crate) id: PasskeyId,
    /// When the ceremony was begun.
    pub(crate) begun_at: Timestamp,
    /// The RP ID that it was made under.
    pub(crate) rp_id: String,
    /// The credential id, in base64url.
    pub(crate) credential_id: String,
    /// Public key, counter and flags.
    pub(crate) credential: String,
    /// Whether it is backed up.
    pub(crate) is_synced: bool,
    /// The name of the authenticator's model, if it is a well-known one.
    pub(crate) model: Option<&'static str>,
}

/// Verifies the answer to a registration of this session.
pub(crate) fn finish(
    cx: &Cx,
    session: SessionId,
    sealed: &str,
    answer: &str,
) -> Result<NewPasskey, RegistrationFault> {
    let relying_party = cx.relying_party.as_ref().ok_or(RegistrationFault::Over)?;
    let ceremony =
        ceremony::open::<PasskeyRegistration>(cx, sealed).ok_or(RegistrationFault::Over)?;
    let CeremonyPurpose::Registration(own, id) = ceremony.purpose else {
        return Err(RegistrationFault::Over);
    };
    if own != session {
        return Err(RegistrationFault::Over);
    }
    let credential: RegisterPublicKeyCredential =
        serde_json::from_str(answer).map_err(|_| RegistrationFault::Invalid)?;
    if !client_data::is_of_own_window(&credential.response.client_data_json) {
        return Err(RegistrationFault::Invalid);
    }
    let passkey = relying_party
        .webauthn
        .finish_passkey_registration(&credential, &ceremony.state)
        .map_err(|error| match error {
            WebauthnError::UserNotVerified => RegistrationFault::NotVerified,
            _ => RegistrationFault::Invalid,
        })?;
    let is_synced = is_synced(&passkey).ok_or(RegistrationFault::Invalid)?;
    Ok(NewPasskey {
        id,
        begun_at: ceremony.at,
        rp_id: relying_party.id().to_owned(),
        credential_id: URL_SAFE_NO_PAD.encode(passkey.cred_id()),
        credential: serde_json::to_string(&passkey).map_err(|_| RegistrationFault::Invalid)?,
        is_synced,
        model: model_names::of_attestation(&credential.response.attestation_object),
    })
}

/// Whether it is backed up: the library tells it of assertions alone.
fn is_synced(passkey: &Passkey) -> Option<bool> {
    serde_json::to_value(passkey).ok()?.pointer("/cred/backup_state")?.as_bool()
}
