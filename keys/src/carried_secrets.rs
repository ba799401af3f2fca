//! Secrets that must outlive the file of a root key, because what was made with them cannot be made again with the next:
//! only its owner knows the password of a hash, a counter does not contain its address, and an audit trail with new tags
//! would prove nothing. They are kept in the database, sealed with the current root key.

use aws_lc_rs::hmac;
use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use zeroize::Zeroizing;

/// Argon2's secret input, under a name that is stored with each hash.
#[derive(Clone)]
pub(crate) struct Pepper {
    /// Eight bytes that identify its root key: the size of the `keyid` parameter of a PHC string.
    pub(crate) id: [u8; 8],
    pub(crate) secret: Zeroizing<[u8; 32]>,
}

impl Pepper {
    /// The parameter by which the PHC string of a hash names it.
    pub(crate) fn phc_keyid(&self) -> String {
        format!("keyid={}", BASE64_STANDARD_NO_PAD.encode(self.id))
    }
}

/// The carried secrets of one root key.
pub(crate) struct CarriedSecrets {
    pub(crate) pepper: Pepper,
    pub(crate) counter_secret: Zeroizing<[u8; 32]>,
    pub(crate) audit_secret: Zeroizing<[u8; 32]>,
}

impl CarriedSecrets {
    /// The key of a person's counters.
    pub(crate) fn counter_key(&self, canonical: &str) -> [u8; 32] {
        let mut key = [0; 32];
        let mac = hmac::Key::new(hmac::HMAC_SHA256, &*self.counter_secret);
        key.copy_from_slice(hmac::sign(&mac, canonical.as_bytes()).as_ref());
        key
    }

    /// The key of the tags of known devices. Derived from the counter secret, so that it is carried with it; no address
    /// equals this label.
    pub(crate) fn device_tag_key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.counter_key("device-mark/v2"))
    }

    /// The key of the HMACs of recovery codes. Derived from the counter secret, as that of the tags is.
    pub(crate) fn recovery_code_key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.counter_key("recovery-code/v1"))
    }

    /// The key of the audit trail.
    pub(crate) fn audit_key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &*self.audit_secret)
    }

    /// The id of the pepper, the pepper, the counter secret and the audit secret.
    pub(crate) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let parts =
            [&self.pepper.id[..], &*self.pepper.secret, &*self.counter_secret, &*self.audit_secret];
        Zeroizing::new(parts.concat())
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (id, rest) = bytes.split_first_chunk::<8>()?;
        let (secret, rest) = rest.split_first_chunk::<32>()?;
        let (counter_secret, rest) = rest.split_first_chunk::<32>()?;
        let audit_secret: &[u8; 32] = rest.try_into().ok()?;
        let pepper = Pepper { id: *id, secret: Zeroizing::new(*secret) };
        Some(Self {
            pepper,
            counter_secret: Zeroizing::new(*counter_secret),
            audit_secret: Zeroizing::new(*audit_secret),
        })
    }
}
