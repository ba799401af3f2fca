//! An authenticator like that of a phone, which Chromium simulates for a tab (WebAuthn Level 3, section 11).

use chromiumoxide::cdp::browser_protocol::web_authn::{
    AddVirtualAuthenticatorParams, AuthenticatorId, AuthenticatorProtocol, AuthenticatorTransport,
    EnableParams, GetCredentialsParams, SetAutomaticPresenceSimulationParams,
    SetUserVerifiedParams, VirtualAuthenticatorOptions,
};

use crate::browser::Tab;

/// The authenticator of a tab: it keeps passkeys, and verifies its person.
#[derive(Debug)]
pub struct VirtualAuthenticator {
    id: AuthenticatorId,
}

impl VirtualAuthenticator {
    /// Gives a tab an authenticator whose person is present and verified.
    pub async fn add(tab: &Tab) -> Self {
        tab.page().execute(EnableParams::default()).await.expect("WebAuthn");
        let options = VirtualAuthenticatorOptions::builder()
            .protocol(AuthenticatorProtocol::Ctap2)
            .transport(AuthenticatorTransport::Internal)
            .has_resident_key(true)
            .has_user_verification(true)
            .is_user_verified(true)
            .automatic_presence_simulation(true)
            .build()
            .expect("options");
        let added = tab.page().execute(AddVirtualAuthenticatorParams::new(options)).await;
        Self { id: added.expect("an authenticator").result.authenticator_id.clone() }
    }

    /// Whether the person's finger is on the sensor.
    pub async fn set_present(&self, tab: &Tab, present: bool) {
        let params = SetAutomaticPresenceSimulationParams::new(self.id.clone(), present);
        tab.page().execute(params).await.expect("it is simulated");
    }

    /// Whether it is the right finger.
    pub async fn set_verified(&self, tab: &Tab, verified: bool) {
        let params = SetUserVerifiedParams::new(self.id.clone(), verified);
        tab.page().execute(params).await.expect("it is simulated");
    }

    /// How many passkeys it keeps.
    pub async fn passkeys(&self, tab: &Tab) -> usize {
        let params = GetCredentialsParams::new(self.id.clone());
        tab.page().execute(params).await.expect("a list").result.credentials.len()
    }
}
