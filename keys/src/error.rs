//! Errors of keys and passwords. No variant contains a secret.

/// A key operation failed.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A value was made under a root key that is not configured, perhaps not any more.
    #[error(
        "the root key {0} is needed and not configured: put its id and file into keys.root_file, behind the current one, \
         until `idp key root` says that it may go"
    )]
    UnknownRootKey(String),
    /// A configured root key is not the one that had its id before.
    #[error(
        "the file of the root key {0} in keys.root_file holds another key than the one that this database was made with: \
         put the right file back, or give the new key an id of its own"
    )]
    RootKeyMismatch(String),
    /// A root key cannot be used.
    #[error("the root key {id} {why}")]
    InvalidRootKey {
        /// Its id.
        id: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// One root key has two ids.
    #[error(
        "the root keys {0} and {1} are the same key, so a rotation from one to the other would replace nothing: give the file \
         of the new one another key (`openssl rand -base64 32`), or take one entry out of keys.root_file"
    )]
    SameRootKey(String, String),
    /// No root key is configured.
    #[error("no root key is configured")]
    NoRootKey,
    /// A sealed value was changed, moved to another row, or sealed under another key.
    #[error(
        "a sealed value cannot be opened: it was changed or moved, or the file of its root key is not the one that it was \
         sealed with; look at keys.root_file"
    )]
    InvalidSealedValue,
    /// A signing key cannot be made, read or used.
    #[error("the signing key {kid}: {why}")]
    SigningKey {
        /// `kid`.
        kid: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// No key signs with this algorithm.
    #[error("no key signs with {0}")]
    NoSigningKey(String),
    /// An algorithm that this build does not know.
    #[error("the algorithm {0} is not known")]
    UnknownAlgorithm(String),
    /// Claims could not be written.
    #[error("claims: {0}")]
    Claims(#[from] serde_json::Error),
    /// A text is not accepted as a password.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// A stored password hash cannot be read.
    #[error("a stored password hash cannot be read: {0}")]
    InvalidStoredHash(&'static str),
    /// The hashing pool has stopped.
    #[error("the hashing pool has stopped")]
    PoolClosed,
}

/// Why a text is not accepted as a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// More than 128 code points.
    #[error("a password has at most 128 characters")]
    TooLong,
}
