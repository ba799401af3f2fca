//! The relying party of passkeys: this provider, under the host of its issuer.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use store::Db;
use url::Url;
use webauthn_rs::{Webauthn, WebauthnBuilder};

use crate::Result;

/// How long a ceremony can be answered.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_mins(5);

/// This provider as browsers and authenticators know it.
#[derive(Clone, Debug)]
pub struct RelyingParty {
    pub(super) webauthn: Webauthn,
    id: String,
}

impl RelyingParty {
    /// The relying party of an issuer, under its host or `rp_id`, a domain above it; none for an issuer that has an address
    /// instead of a host name, under which no browser makes a passkey (WebAuthn Level 3, section 5.1.3). Apps for Android name
    /// the SHA-256 of the certificate that signs them as their origin.
    #[must_use]
    pub fn new<'a>(
        issuer: &str,
        rp_id: Option<&str>,
        name: &str,
        certificates: impl Iterator<Item = &'a [u8]>,
    ) -> Option<Self> {
        let origin: Url = issuer.parse().ok()?;
        let id = rp_id.or(origin.domain())?.to_owned();
        let mut builder = WebauthnBuilder::new(&id, &origin).ok()?;
        for certificate in certificates {
            let app = format!("android:apk-key-hash:{}", URL_SAFE_NO_PAD.encode(certificate));
            builder = builder.append_allowed_origin(&app.parse().ok()?);
        }
        let webauthn = builder.rp_name(name).timeout(ANSWER_WITHIN).build().ok()?;
        Some(Self { webauthn, id })
    }

    /// Another RP ID that passkeys were made under: they would not work here, and a browser says nothing about it.
    pub async fn other_in_use(&self, db: &Db) -> Result<Option<String>> {
        Ok(store::passkey::other_rp_id(&mut db.read().await?, &self.id).await?)
    }

    /// The RP ID (WebAuthn Level 3, section 4).
    #[must_use]
    pub(super) fn id(&self) -> &str {
        &self.id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rp_id_is_host_of_issuer() {
        let of = |issuer| {
            RelyingParty::new(issuer, None, "Health", std::iter::empty())
                .map(|rp| rp.id().to_owned())
        };
        assert_eq!(of("https://login.example.org").as_deref(), Some("login.example.org"));
        assert_eq!(of("http://localhost:8080").as_deref(), Some("localhost"));
        assert_eq!(of("https://192.0.2.1"), None);
        assert_eq!(of("https://[2001:db8::1]"), None);
    }
}
