//! The code of a challenge, and its window: what it is and until when it is good. Both are computed, and stored nowhere.

use keys::EmailCode;
use store::{Timestamp, email_challenge::EmailChallenge};

use crate::{Cx, Result};

/// Time, as the machine may know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CodeValidity {
    /// Inside the window.
    Valid,
    /// Past the window, inside the cap.
    Late,
    /// Past the cap.
    Expired,
}

/// The code of a challenge, derived anew whenever it is mailed or compared.
pub(crate) fn derive_code(cx: &Cx, challenge: &EmailChallenge) -> Result<EmailCode> {
    let EmailChallenge { key_id, id, nonce, address, .. } = challenge;
    Ok(cx.root.email_code(key_id, *id, nonce, address)?)
}

/// Where the clock stands for a challenge, with the live window.
pub(crate) fn validity(cx: &Cx, challenge: &EmailChallenge) -> CodeValidity {
    if cx.now < valid_until(cx, challenge) {
        CodeValidity::Valid
    } else if cx.now < cap(cx, challenge) {
        CodeValidity::Late
    } else {
        CodeValidity::Expired
    }
}

/// Until when a code is good. No acceptance recorded yet: until the cap.
pub(crate) fn valid_until(cx: &Cx, challenge: &EmailChallenge) -> Timestamp {
    let cap = cap(cx, challenge);
    challenge.last_accepted_at.map_or(cap, |at| at.plus(cx.settings.code_window).min(cap))
}

/// The time after which a challenge cannot be answered, however often it is sent.
pub(crate) fn cap(cx: &Cx, challenge: &EmailChallenge) -> Timestamp {
    challenge.first_issued_at.plus(cx.settings.code_window * 2)
}

/// Whether a new tab joins this challenge: tries are left, and its code is still good.
pub(super) fn can_be_joined(cx: &Cx, challenge: &EmailChallenge, tries: i64) -> bool {
    challenge.tries < tries && validity(cx, challenge) == CodeValidity::Valid
}
