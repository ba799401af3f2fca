//! Whatever is a breach when it leaks: the root key and what is derived from it, signing keys, password hashes, opaque
//! tokens, mailed codes.
//!
//! One rule: a secret has a type that prints nothing, and only its hash or its sealed form leaves for `store`.

pub mod blocklist;
mod carried;
mod device;
mod email_code;
mod error;
mod gate;
mod hasher;
mod hasher_load;
mod jwt;
mod password;
mod ring;
mod rng;
mod root;
mod seal;
mod signing_key;
mod token;
mod trail;

pub use device::DeviceToken;
pub use email_code::EmailCode;
pub use error::{KeyError, PasswordError};
pub use gate::{Account, Guest};
pub use hasher::{Busy, Hasher, HasherConfig, Slot};
pub use hasher_load::{HasherHistory, HasherLoad};
pub use jwt::{Expected, TokenRefused, TokenType};
pub use password::{Password, PasswordHash};
pub use ring::{EndedKey, Jwks, KeyRing, RingKey};
pub use rng::Rng;
pub use root::{RootKey, RootKeys};
pub use signing_key::{Algorithm, SigningKey};
pub use token::{OpaqueToken, hash_text};
pub use trail::Trail;
