//! Opaque tokens: 256 random bits without a meaning, stored as their SHA-256.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use store::TokenHash;
use zeroize::Zeroizing;

use crate::Rng;

/// Length of a token as text: 32 bytes in base64url.
const LENGTH: usize = 43;

/// A random secret: a cookie's value, an authorization code, a client secret.
#[derive(Clone)]
pub struct OpaqueToken(Zeroizing<String>);

impl OpaqueToken {
    /// A new token.
    #[must_use]
    pub fn generate(rng: &Rng) -> Self {
        Self(Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(rng.bytes::<32>())))
    }

    /// Parses what a browser or client sent; `None` when it has another form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        (text.len() == LENGTH && text.bytes().all(plain))
            .then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The text, for the one message that contains it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Its hash, which is stored.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        hash_text(&self.0)
    }
}

impl fmt::Debug for OpaqueToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpaqueToken(..)")
    }
}

/// SHA-256 of a text.
#[must_use]
pub fn hash_text(text: &str) -> TokenHash {
    hash_bytes(text.as_bytes())
}

/// SHA-256 of bytes.
#[must_use]
pub fn hash_bytes(bytes: &[u8]) -> TokenHash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    TokenHash::from_bytes(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opaque_token_round_trips_redacted() {
        let token = OpaqueToken::generate(&Rng::system());
        assert_eq!(token.reveal().len(), LENGTH);
        assert_eq!(OpaqueToken::parse(token.reveal()).unwrap().hash(), token.hash());
        assert!(!format!("{token:?}").contains(token.reveal()));
        for text in ["", "short", &"a".repeat(44), &" ".repeat(43), &"é".repeat(43)] {
            assert!(OpaqueToken::parse(text).is_none(), "{text}");
        }
    }
}
