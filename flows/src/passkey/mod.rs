//! Passkeys (WebAuthn Level 3): the ceremonies in which a browser registers one or proves that it holds one.
//!
//! ```text
//! page with a ceremony (options, and its sealed state) ─▶ the browser's authenticator ─▶ post ─▶ opened, verified, used once
//! ```
//!
//! `webauthn-rs` verifies; what it leaves to its caller is checked here: the origin of a frame, the user handle, and that a
//! ceremony is answered once.

pub mod assertion;
pub mod ceremony;
mod client_data;
mod model_names;
pub mod registration;
pub mod relying_party;
