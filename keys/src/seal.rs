//! Sealing: values that must be read back, encrypted for one place with one root key.
//!
//! A sealed value is `length of the key's id | id | nonce | ciphertext and tag`. AES-GCM-SIV (RFC 8452), because nonces
//! are random and pages are sealed by the million: a nonce that comes twice tells only that two texts are equal.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::{KeyError, Rng};

/// A key that seals.
#[derive(Debug)]
pub(crate) struct SealKey(LessSafeKey);

impl SealKey {
    pub(crate) fn new(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let key = UnboundKey::new(&AES_256_GCM_SIV, bytes).map_err(|_| KeyError::Sealed)?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Seals under `id`. `aad` names the place: what is moved elsewhere does not open there.
    pub(crate) fn seal(
        &self,
        rng: &Rng,
        id: &str,
        aad: &[u8],
        plain: &[u8],
    ) -> Result<Vec<u8>, KeyError> {
        let nonce = rng.bytes::<NONCE_LEN>();
        let mut text = plain.to_vec();
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(aad),
                &mut text,
            )
            .map_err(|_| KeyError::Sealed)?;
        let mut sealed = Vec::with_capacity(1 + id.len() + NONCE_LEN + text.len());
        sealed.push(u8::try_from(id.len()).map_err(|_| KeyError::Sealed)?);
        sealed.extend_from_slice(id.as_bytes());
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&text);
        Ok(sealed)
    }

    pub(crate) fn open(&self, aad: &[u8], sealed: &Sealed<'_>) -> Result<Vec<u8>, KeyError> {
        let mut text = sealed.text.to_vec();
        let nonce = Nonce::assume_unique_for_key(*sealed.nonce);
        let plain = self
            .0
            .open_in_place(nonce, Aad::from(aad), &mut text)
            .map_err(|_| KeyError::Sealed)?
            .len();
        text.truncate(plain);
        Ok(text)
    }
}

/// A sealed value, taken apart.
#[derive(Debug)]
pub(crate) struct Sealed<'a> {
    /// Id of the key.
    pub(crate) id: &'a str,
    nonce: &'a [u8; NONCE_LEN],
    text: &'a [u8],
}

impl<'a> Sealed<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first()?;
        let (id, rest) = rest.split_at_checked(usize::from(*length))?;
        let (nonce, text) = rest.split_first_chunk()?;
        Some(Self { id: std::str::from_utf8(id).ok()?, nonce, text })
    }
}
