//! The root key: 32 bytes outside the database, and the keys that HKDF derives from it (RFC 5869), with a label for each
//! purpose.
//!
//! The first of the list is current, the others open what was made under them. Every stored value that was made with a key
//! names it. Secrets whose values cannot be made again with the next key are carried over in the database
//! ([`crate::carried_secrets`]).

use std::fmt;

use aws_lc_rs::{hkdf, hmac};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use store::{ChallengeId, TokenHash, UserId};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{
    EmailCode, KeyError, RecoveryCode, Rng,
    audit_mac::{self, AuditMacKind},
    carried_secrets::{CarriedSecrets, Pepper},
    email_code,
    seal::{SealedValue, SealingKey},
};

/// One root key, as configured.
pub struct RootKey {
    id: String,
    secret: Zeroizing<[u8; 32]>,
}

impl RootKey {
    /// Parses the content of a key file: 32 bytes, or their base64 (`openssl rand -base64 32`).
    pub fn parse(id: &str, content: &[u8]) -> Result<Self, KeyError> {
        let bad = |why| KeyError::InvalidRootKey { id: id.to_owned(), why };
        let decoded = Zeroizing::new(match content.len() {
            32 => content.to_vec(),
            _ => BASE64_STANDARD.decode(content.trim_ascii()).map_err(|_| {
                bad("is neither 32 bytes nor base64; make one with `openssl rand -base64 32`")
            })?,
        });
        let secret = decoded.as_slice().try_into().map_err(|_| bad("is not 32 bytes long"))?;
        if id.is_empty() || id.len() > 32 {
            return Err(bad("needs an id of 1 to 32 characters"));
        }
        Ok(Self { id: id.to_owned(), secret: Zeroizing::new(secret) })
    }

    /// Checks that no key is there twice under two ids.
    ///
    /// # Errors
    ///
    /// [`KeyError::SameRootKey`], because a rotation to such a key replaces nothing.
    pub fn check_distinct(keys: &[Self]) -> Result<(), KeyError> {
        let twins = keys.iter().enumerate().find_map(|(nth, key)| {
            let is_same = |other: &&Self| bool::from(key.secret.ct_eq(&*other.secret));
            Some((key, keys.iter().take(nth).find(is_same)?))
        });
        match twins {
            Some((key, other)) => Err(KeyError::SameRootKey(other.id.clone(), key.id.clone())),
            None => Ok(()),
        }
    }

    /// The content of a new key file.
    #[must_use]
    pub fn generate_file_content(rng: &Rng) -> Zeroizing<String> {
        Zeroizing::new(format!("{}\n", BASE64_STANDARD.encode(Zeroizing::new(rng.bytes::<32>()))))
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RootKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The root keys and the keys derived from them.
pub struct RootKeys {
    /// Boxed: its keys are large, and it is moved through the futures of a start.
    current: Box<DerivedKeys>,
    older: Vec<DerivedKeys>,
    /// The secrets of every root key that has been current, the first one first.
    carried: Vec<(String, CarriedSecrets)>,
}

/// The keys derived from one root key.
struct DerivedKeys {
    id: String,
    seal: SealingKey,
    email_code: hmac::Key,
    form: hmac::Key,
    device_tag_v1: hmac::Key,
    carried: CarriedSecrets,
}

impl RootKeys {
    /// Derives all keys. The first root key is current.
    pub fn new(keys: &[RootKey]) -> Result<Self, KeyError> {
        RootKey::check_distinct(keys)?;
        let mut derived =
            keys.iter().map(DerivedKeys::from_root).collect::<Result<Vec<_>, _>>()?.into_iter();
        let current = derived.next().ok_or(KeyError::NoRootKey)?;
        Ok(Self { current: Box::new(current), older: derived.collect(), carried: Vec::new() })
    }

    /// The carried secrets of the current key, to be sealed.
    #[must_use]
    pub fn export_carried(&self) -> Zeroizing<Vec<u8>> {
        self.current.carried.to_bytes()
    }

    /// Imports the secrets of a root key that has been current. The caller imports them in the order in which they were
    /// current.
    ///
    /// # Errors
    /// [`KeyError::RootKeyMismatch`] when a configured key of this id is another one.
    pub fn import_carried(&mut self, id: &str, bytes: &[u8]) -> Result<(), KeyError> {
        let carried = CarriedSecrets::from_bytes(bytes).ok_or(KeyError::InvalidSealedValue)?;
        let configured = self.configured().find(|key| key.id == id);
        if configured.is_some_and(|key| key.carried.pepper.id != carried.pepper.id) {
            return Err(KeyError::RootKeyMismatch(id.to_owned()));
        }
        self.carried.push((id.to_owned(), carried));
        Ok(())
    }

    /// Ids of the configured keys, the current one first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.configured().map(|key| key.id.as_str())
    }

    /// The parameter that each password hash contains that was made under a key, if that key is known.
    #[must_use]
    pub fn phc_keyid(&self, id: &str) -> Option<String> {
        self.carried_of(id).map(|known| known.pepper.phc_keyid())
    }

    /// Id of the current key.
    #[must_use]
    pub fn current_id(&self) -> &str {
        &self.current.id
    }

    /// Seals a value that is stored; `aad` is its table and row id.
    pub fn seal(&self, rng: &Rng, aad: &[u8], plain: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.current.seal.seal(rng, &self.current.id, aad, plain)
    }

    /// The prefix of everything that is sealed with a key.
    #[must_use]
    pub fn seal_prefix(id: &str) -> Vec<u8> {
        let length = u8::try_from(id.len()).unwrap_or(u8::MAX);
        std::iter::once(length).chain(id.bytes()).collect()
    }

    /// Id of the key that a value is sealed with.
    #[must_use]
    pub fn sealing_key_id(sealed: &[u8]) -> Option<&str> {
        SealedValue::parse(sealed).map(|sealed| sealed.id)
    }

    /// Opens what [`RootKeys::seal`] made with the same `aad`.
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, KeyError> {
        let sealed = SealedValue::parse(sealed).ok_or(KeyError::InvalidSealedValue)?;
        self.by_id(sealed.id)?.seal.open(aad, &sealed)
    }

    /// Seals a value for a page or URL, in base64url.
    pub fn seal_text(&self, rng: &Rng, aad: &[u8], plain: &[u8]) -> Result<String, KeyError> {
        Ok(BASE64_URL_SAFE_NO_PAD.encode(self.seal(rng, aad, plain)?))
    }

    /// Opens what [`RootKeys::seal_text`] made.
    pub fn open_text(&self, aad: &[u8], sealed: &str) -> Result<Vec<u8>, KeyError> {
        let bytes =
            BASE64_URL_SAFE_NO_PAD.decode(sealed).map_err(|_| KeyError::InvalidSealedValue)?;
        self.open(aad, &bytes)
    }

    /// The code of a challenge.
    pub fn email_code(
        &self,
        key_id: &str,
        challenge: ChallengeId,
        nonce: &[u8],
        address: &str,
    ) -> Result<EmailCode, KeyError> {
        let key = &self.by_id(key_id)?.email_code;
        Ok(EmailCode::derive(key, challenge.uuid(), nonce, address))
    }

    /// A tag by which a repeated guess at a challenge is recognised.
    pub fn guess_tag(
        &self,
        key_id: &str,
        challenge: ChallengeId,
        guess: &str,
    ) -> Result<String, KeyError> {
        Ok(email_code::guess_tag(&self.by_id(key_id)?.email_code, challenge.uuid(), guess))
    }

    /// The HMAC of a recovery code of a person, with the root key of this id: even without its file, so that a printed sheet
    /// outlives it.
    pub fn recovery_code_mac(
        &self,
        key_id: &str,
        user: UserId,
        code: &RecoveryCode,
    ) -> Result<[u8; 32], KeyError> {
        let carried = self.carried_of(key_id);
        let known = carried.ok_or_else(|| KeyError::UnknownRootKey(key_id.to_owned()))?;
        Ok(code.mac(&known.recovery_code_key(), user.uuid()))
    }

    /// The key of a person's counters, from the canonical address, known or not. It is that of the first root key, even
    /// without its file: so counters continue, and replicas with and without a new key use the same ones.
    #[must_use]
    pub fn counter_key(&self, canonical: &str) -> [u8; 32] {
        self.first_carried().counter_key(canonical)
    }

    /// The carried secrets of the first root key; before they are imported, those of the current one, which is the first.
    fn first_carried(&self) -> &CarriedSecrets {
        self.carried.first().map_or(&self.current.carried, |(_, carried)| carried)
    }

    /// The form token of a browser, an attempt and a step (decision 13).
    #[must_use]
    pub fn form_token(&self, browser: &TokenHash, attempt: &str, step: &str) -> String {
        let tag = hmac::sign(&self.current.form, &form_message(browser, attempt, step));
        BASE64_URL_SAFE_NO_PAD.encode(tag)
    }

    /// Whether a form token is that of this browser, attempt and step, under any configured key.
    #[must_use]
    pub fn verify_form_token(
        &self,
        token: &str,
        browser: &TokenHash,
        attempt: &str,
        step: &str,
    ) -> bool {
        let Ok(token) = BASE64_URL_SAFE_NO_PAD.decode(token) else { return false };
        let message = form_message(browser, attempt, step);
        self.configured().any(|key| hmac::verify(&key.form, &message, &token).is_ok())
    }

    /// The HMAC of fields of the audit trail, with the root key of this id.
    pub fn audit_mac(
        &self,
        key_id: &str,
        kind: AuditMacKind,
        fields: &[Option<&[u8]>],
    ) -> Result<[u8; 32], KeyError> {
        let carried = self.carried_of(key_id);
        let known = carried.ok_or_else(|| KeyError::UnknownRootKey(key_id.to_owned()))?;
        Ok(audit_mac::mac(&known.audit_key(), kind, fields))
    }

    /// The tag of a known device, over its value and canonical address. Its key is that of the first root key, even without
    /// its file: so a known browser stays known.
    pub(crate) fn device_tag(&self, value: &TokenHash, canonical: &str) -> String {
        device_tag(&self.first_carried().device_tag_key(), value, canonical)
    }

    /// Whether a tag was made for this value and address.
    pub(crate) fn verify_device_tag(&self, tag: &str, value: &TokenHash, canonical: &str) -> bool {
        let matches = |key: &hmac::Key| -> bool {
            device_tag(key, value, canonical).as_bytes().ct_eq(tag.as_bytes()).into()
        };
        // The first version made tags with the root key that was current.
        matches(&self.first_carried().device_tag_key())
            || self.configured().any(|key| matches(&key.device_tag_v1))
    }

    /// The pepper of new password hashes.
    pub(crate) const fn pepper(&self) -> &Pepper {
        &self.current.carried.pepper
    }

    /// The pepper that a stored hash names, if it is known.
    pub(crate) fn pepper_of(&self, id: &[u8]) -> Option<&Pepper> {
        let configured = self.configured().map(|key| &key.carried);
        let carried = self.carried.iter().map(|(_, carried)| carried);
        configured.chain(carried).map(|known| &known.pepper).find(|pepper| pepper.id == id)
    }

    /// The secrets of a root key, whether it is still configured or not.
    fn carried_of(&self, id: &str) -> Option<&CarriedSecrets> {
        let configured = self.configured().find(|key| key.id == id).map(|key| &key.carried);
        let carried = || self.carried.iter().find(|(name, _)| name == id).map(|(_, known)| known);
        configured.or_else(carried)
    }

    fn by_id(&self, id: &str) -> Result<&DerivedKeys, KeyError> {
        self.configured()
            .find(|key| key.id == id)
            .ok_or_else(|| KeyError::UnknownRootKey(id.to_owned()))
    }

    fn configured(&self) -> impl Iterator<Item = &DerivedKeys> {
        std::iter::once(&*self.current).chain(&self.older)
    }
}

impl fmt::Debug for RootKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.configured().map(|key| &key.id)).finish()
    }
}

impl DerivedKeys {
    fn from_root(root: &RootKey) -> Result<Self, KeyError> {
        let derive =
            KeyDerivation(hkdf::Salt::new(hkdf::HKDF_SHA256, b"vestibule").extract(&*root.secret));
        let mac = |label| {
            Ok::<_, KeyError>(hmac::Key::new(hmac::HMAC_SHA256, &*derive.key::<32>(label)?))
        };
        Ok(Self {
            id: root.id.clone(),
            seal: SealingKey::new(&*derive.key(b"seal/v1")?)?,
            email_code: mac(b"email-code/v1")?,
            form: mac(b"form/v1")?,
            device_tag_v1: mac(b"device/v1")?,
            carried: CarriedSecrets {
                pepper: Pepper {
                    id: *derive.key(b"password-pepper-id/v1")?,
                    secret: derive.key(b"password-pepper/v1")?,
                },
                counter_secret: derive.key(b"lookup/v1")?,
                audit_secret: derive.key(b"audit-trail/v1")?,
            },
        })
    }
}

/// 128 bits: an attacker who guesses one gains only a slot in a queue.
fn device_tag(key: &hmac::Key, value: &TokenHash, canonical: &str) -> String {
    let message = [value.as_bytes(), canonical.as_bytes()].concat();
    let tag = hmac::sign(key, &message);
    BASE64_URL_SAFE_NO_PAD.encode(tag.as_ref().get(..16).unwrap_or_default())
}

struct KeyDerivation(hkdf::Prk);

impl KeyDerivation {
    fn key<const N: usize>(&self, label: &[u8]) -> Result<Zeroizing<[u8; N]>, KeyError> {
        let mut key = Zeroizing::new([0; N]);
        self.0
            .expand(&[label], OutputLength(N))
            .and_then(|okm| okm.fill(&mut *key))
            .map_err(|_| KeyError::NoRootKey)?;
        Ok(key)
    }
}

struct OutputLength(usize);

impl hkdf::KeyType for OutputLength {
    fn len(&self) -> usize {
        self.0
    }
}

/// The attempt's length precedes it, so that different inputs have different bytes.
fn form_message(browser: &TokenHash, attempt: &str, step: &str) -> Vec<u8> {
    let mut message = browser.as_bytes().to_vec();
    message.extend_from_slice(&u64::try_from(attempt.len()).unwrap_or(u64::MAX).to_be_bytes());
    message.extend_from_slice(attempt.as_bytes());
    message.extend_from_slice(step.as_bytes());
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(ids: &[(&str, u8)]) -> RootKeys {
        let keys: Vec<_> =
            ids.iter().map(|(id, byte)| RootKey::parse(id, &[*byte; 32]).unwrap()).collect();
        RootKeys::new(&keys).unwrap()
    }

    #[test]
    fn sealed_value_opens_only_in_place() {
        let rng = Rng::system();
        let (old, both) = (keys(&[("a", 1)]), keys(&[("b", 2), ("a", 1)]));
        let sealed = old.seal(&rng, b"signing_keys/1", b"secret").unwrap();
        assert_eq!(both.open(b"signing_keys/1", &sealed).unwrap(), b"secret");
        assert!(both.open(b"signing_keys/2", &sealed).is_err());
        assert!(keys(&[("b", 2)]).open(b"signing_keys/1", &sealed).is_err());
        assert!(keys(&[("a", 3)]).open(b"signing_keys/1", &sealed).is_err());
        for cut in 0..sealed.len() {
            assert!(old.open(b"signing_keys/1", &sealed[..cut]).is_err(), "{cut}");
        }
        assert_ne!(sealed, old.seal(&rng, b"signing_keys/1", b"secret").unwrap());
    }

    #[test]
    fn form_token_binds_browser_attempt_step() {
        let keys = keys(&[("a", 1)]);
        let (one, two) = (crate::hash_text("one"), crate::hash_text("two"));
        let token = keys.form_token(&one, "x", "password");
        assert!(keys.verify_form_token(&token, &one, "x", "password"));
        for (browser, attempt, step) in [
            (&two, "x", "password"),
            (&one, "xp", "assword"),
            (&one, "x", "code"),
            (&one, "", "xpassword"),
        ] {
            assert!(!keys.verify_form_token(&token, browser, attempt, step));
        }
        assert!(!keys.verify_form_token("", &one, "x", "password"));
    }

    /// In three rollouts, as an operator does it.
    #[test]
    fn carried_keys_outlive_root_file() {
        let old = keys(&[("a", 1)]);
        let carried = old.export_carried();
        for ids in [&[("a", 1), ("b", 2)][..], &[("b", 2), ("a", 1)], &[("b", 2)]] {
            let mut next = keys(ids);
            next.import_carried("a", &carried).unwrap();
            assert_eq!(next.counter_key("mere@example.org"), old.counter_key("mere@example.org"));
            assert!(next.pepper_of(&old.pepper().id).is_some());
            assert_eq!(next.phc_keyid("a"), old.phc_keyid("a"));
            let (value, owner) = (crate::hash_text("value"), "mere@example.org");
            assert!(next.verify_device_tag(&old.device_tag(&value, owner), &value, owner));
            assert!(old.verify_device_tag(&next.device_tag(&value, owner), &value, owner));
            assert!(!next.verify_device_tag(
                &old.device_tag(&value, owner),
                &value,
                "hemi@example.org"
            ));
        }
        let value = crate::hash_text("value");
        let first_version = device_tag(&old.current.device_tag_v1, &value, "mere@example.org");
        assert!(keys(&[("b", 2), ("a", 1)]).verify_device_tag(
            &first_version,
            &value,
            "mere@example.org"
        ));
        assert!(keys(&[("b", 2)]).pepper_of(&old.pepper().id).is_none());
        let another = keys(&[("a", 3)]).import_carried("a", &carried).unwrap_err();
        assert!(matches!(another, KeyError::RootKeyMismatch(id) if id == "a"));
        assert!(keys(&[("a", 1)]).import_carried("a", b"short").is_err());
    }

    #[test]
    fn sealed_value_names_its_key() {
        let sealed = keys(&[("2026a", 1)]).seal(&Rng::system(), b"x", b"secret").unwrap();
        assert_eq!(RootKeys::sealing_key_id(&sealed), Some("2026a"));
        assert!(sealed.starts_with(&RootKeys::seal_prefix("2026a")));
        assert!(!sealed.starts_with(&RootKeys::seal_prefix("2026")));
    }

    #[test]
    fn root_key_file_format_is_checked() {
        let text = RootKey::generate_file_content(&Rng::system());
        assert!(RootKey::parse("a", text.as_bytes()).is_ok());
        for (content, why) in [
            (
                &b"short"[..],
                "the root key a is neither 32 bytes nor base64; make one with `openssl rand -base64 32`",
            ),
            (b"c2hvcnQ=", "the root key a is not 32 bytes long"),
        ] {
            assert_eq!(RootKey::parse("a", content).unwrap_err().to_string(), why);
        }
        assert!(RootKeys::new(&[]).is_err());
        let key = |id, byte| RootKey::parse(id, &[byte; 32]).unwrap();
        assert!(RootKeys::new(&[key("b", 2), key("a", 1)]).is_ok());
        let same = RootKeys::new(&[key("c", 1), key("b", 2), key("a", 1)]).err().unwrap();
        assert!(same.to_string().contains("c and a are the same key"), "{same}");
        assert_eq!(format!("{:?}", keys(&[("b", 2), ("a", 1)])), "[\"b\", \"a\"]");
    }
}
