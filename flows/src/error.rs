//! Errors of flows: the machine is at fault. Refusals of people and clients are values, not errors.

use std::time::Duration;

/// The machine failed, or is full.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A key operation failed.
    #[error(transparent)]
    Keys(#[from] keys::KeyError),
    /// The hashing pool is full (decision 17): the request has waited in vain.
    #[error("the hashing pool is full")]
    Busy {
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// Another request changed the same attempt first. The caller renders the new state; the input is not applied again.
    #[error("another request was faster")]
    Conflict,
    /// A passkey ceremony could not be begun.
    #[error("passkeys: {0}")]
    Passkey(webauthn_rs::prelude::WebauthnError),
    /// A value of ours could not be serialised as JSON.
    #[error("encoding: {0}")]
    Encode(#[from] serde_json::Error),
}

impl From<keys::HasherBusy> for Error {
    fn from(busy: keys::HasherBusy) -> Self {
        Self::Busy { retry_after: busy.retry_after }
    }
}

/// Result of a flow.
pub type Result<T, E = Error> = std::result::Result<T, E>;
