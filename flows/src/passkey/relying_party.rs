//! The relying party of passkeys: this provider, under the host of its issuer.

use std::time::Duration;

use url::Url;
use webauthn_rs::{Webauthn, WebauthnBuilder};

/// How long a ceremony can be answered.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_mins(5);

/// This provider as browsers and authenticators know it.
#[derive(Clone, Debug)]
pub struct RelyingParty {
    pub(super) webauthn: Webauthn,
    id: String,
}

impl RelyingParty {
    /// The relying party of an issuer; none for one that has an address instead of a host name, under which no browser
    /// makes a passkey (WebAuthn Level 3, section 5.1.3).
    #[must_use]
    pub fn of_issuer(issuer: &str, name: &str) -> Option<Self> {
        let origin: Url = issuer.parse().ok()?;
        let id = origin.domain()?.to_owned();
        let builder = WebauthnBuilder::new(&id, &origin).ok()?;
        let webauthn = builder.rp_name(name).timeout(ANSWER_WITHIN).build().ok()?;
        Some(Self { webauthn, id })
    }

    /// The RP ID (WebAuthn Level 3, section 4).
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rp_id_is_host_of_issuer() {
        let of = |issuer| RelyingParty::of_issuer(issuer, "Health").map(|rp| rp.id().to_owned());
        assert_eq!(of("https://login.example.org").as_deref(), Some("login.example.org"));
        assert_eq!(of("http://localhost:8080").as_deref(), Some("localhost"));
        assert_eq!(of("https://192.0.2.1"), None);
        assert_eq!(of("https://[2001:db8::1]"), None);
    }
}
