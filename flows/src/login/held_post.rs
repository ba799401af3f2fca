//! A post of a code that the person holds, with its rows.

use store::user::UserWithPassword;

use super::{method::HeldProof, throttle_subject::ThrottleSubject};
use crate::attempt::LoadedAttempt;

/// An attempt that waits for a held method, or was continued by one, with everything that is needed to check a post of it.
pub(super) struct HeldPost {
    pub(super) attempt: Box<LoadedAttempt>,
    pub(super) person: UserWithPassword,
    pub(super) subject: ThrottleSubject,
    /// The proof of the method that continued the attempt.
    pub(super) proven: Option<HeldProof>,
}
