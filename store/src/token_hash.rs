//! What is stored of a random 256-bit secret: its SHA-256.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The SHA-256 of a random 256-bit secret. Only for high-entropy secrets: a hash of a low-entropy one can be searched.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type)]
#[sqlx(transparent)]
#[serde(transparent)]
pub struct TokenHash(Vec<u8>);

impl TokenHash {
    /// The stored form of a digest.
    #[must_use]
    pub fn from_bytes(digest: [u8; 32]) -> Self {
        Self(digest.to_vec())
    }

    /// The digest.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}
