//! Sealing: encryption of values that must be read back, for one place and with one root key.
//!
//! A sealed value is `length of the key's id | id | nonce | ciphertext and tag`. AES-GCM-SIV (RFC 8452), because nonces are
//! random and pages are sealed by the million: a repeated nonce reveals only whether two texts are equal.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::{KeyError, Rng};

/// A key that seals.
#[derive(Debug)]
pub(crate) struct SealingKey(LessSafeKey);

impl SealingKey {
    pub(crate) fn new(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let key =
            UnboundKey::new(&AES_256_GCM_SIV, bytes).map_err(|_| KeyError::InvalidSealedValue)?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Seals under `id`. `aad` names the place: a value that was moved elsewhere does not open.
    pub(crate) fn seal(
        &self,
        rng: &Rng,
        id: &str,
        aad: &[u8],
        plain: &[u8],
    ) -> Result<Vec<u8>, KeyError> {
        let nonce = rng.bytes::<NONCE_LEN>();
        let mut ciphertext = plain.to_vec();
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(aad),
                &mut ciphertext,
            )
            .map_err(|_| KeyError::InvalidSealedValue)?;
        let mut sealed = Vec::with_capacity(1 + id.len() + NONCE_LEN + ciphertext.len());
        sealed.push(u8::try_from(id.len()).map_err(|_| KeyError::InvalidSealedValue)?);
        sealed.extend_from_slice(id.as_bytes());
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&ciphertext);
        Ok(sealed)
    }

    pub(crate) fn open(&self, aad: &[u8], sealed: &SealedValue<'_>) -> Result<Vec<u8>, KeyError> {
        let mut plaintext = sealed.ciphertext.to_vec();
        let nonce = Nonce::assume_unique_for_key(*sealed.nonce);
        let length = self
            .0
            .open_in_place(nonce, Aad::from(aad), &mut plaintext)
            .map_err(|_| KeyError::InvalidSealedValue)?
            .len();
        plaintext.truncate(length);
        Ok(plaintext)
    }
}

/// A parsed sealed value.
#[derive(Debug)]
pub(crate) struct SealedValue<'a> {
    /// Id of the key.
    pub(crate) id: &'a str,
    nonce: &'a [u8; NONCE_LEN],
    ciphertext: &'a [u8],
}

impl<'a> SealedValue<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first()?;
        let (id, rest) = rest.split_at_checked(usize::from(*length))?;
        let (nonce, ciphertext) = rest.split_first_chunk()?;
        Some(Self { id: std::str::from_utf8(id).ok()?, nonce, ciphertext })
    }
}
