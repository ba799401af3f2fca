//! Secrets: the root key and what is derived from it, signing keys, password hashes, opaque tokens and mailed codes.
//!
//! Each secret has a type that `Debug` does not print, and only its hash or its sealed form is passed to `store`.

mod admission_queue;
mod audit_mac;
pub mod blocklist;
mod carried_secrets;
mod device_token;
mod email_code;
mod error;
mod hasher;
mod hasher_stats;
mod jwt;
mod key_ring;
mod lane_shares;
mod limited_counts;
mod opaque_token;
mod password;
mod recovery_code;
mod rng;
mod root_keys;
mod seal;
mod signing_key;

pub use admission_queue::{AccountKey, HashingCaller, NetworkKey};
pub use audit_mac::AuditMacKind;
pub use device_token::DeviceToken;
pub use email_code::EmailCode;
pub use error::{KeyError, PasswordError};
pub use hasher::{Hasher, HasherBusy, HasherConfig, HashingPermit};
pub use hasher_stats::{HasherStats, HasherTotals};
pub use jwt::{ExpectedClaims, InvalidToken, TokenType};
pub use key_ring::{EndedKey, Jwks, KeyRing, PublishedKey};
pub use opaque_token::{OpaqueToken, hash_bytes, hash_text};
pub use password::{Password, PasswordHash};
pub use recovery_code::RecoveryCode;
pub use rng::Rng;
pub use root_keys::{RootKey, RootKeys};
pub use signing_key::{Algorithm, SigningKey};
