//! The code of a challenge, and its window: its digits and when it expires. Both are computed, and stored nowhere.

use keys::EmailCode;
use store::{Timestamp, email_challenge::EmailChallenge};

use crate::{Cx, Result};

/// The validity of a code, as the machine sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CodeValidity {
    /// Inside the window.
    Valid,
    /// Past the window, inside the cap.
    Late,
    /// Past the cap.
    Expired,
}

/// The code of a challenge, derived again whenever it is mailed or compared.
pub(crate) fn derive_code(cx: &Cx, challenge: &EmailChallenge) -> Result<EmailCode> {
    let EmailChallenge { key_id, id, nonce, address, .. } = challenge;
    Ok(cx.root.email_code(key_id, *id, nonce, address)?)
}

/// The validity of a challenge now, with the live window.
pub(crate) fn validity(cx: &Cx, challenge: &EmailChallenge) -> CodeValidity {
    if cx.now < valid_until(cx, challenge) {
        CodeValidity::Valid
    } else if cx.now < cap(cx, challenge) {
        CodeValidity::Late
    } else {
        CodeValidity::Expired
    }
}

/// When a code expires: at the cap until an acceptance is recorded.
pub(crate) fn valid_until(cx: &Cx, challenge: &EmailChallenge) -> Timestamp {
    let cap = cap(cx, challenge);
    challenge.last_accepted_at.map_or(cap, |at| at.plus(cx.settings.code_window).min(cap))
}

/// The time after which a challenge cannot be answered, however often its code is sent.
pub(crate) fn cap(cx: &Cx, challenge: &EmailChallenge) -> Timestamp {
    challenge.first_issued_at.plus(cx.settings.code_window * 2)
}

/// Whether a new tab joins this challenge: tries are left, and its code is still valid.
pub(super) fn can_be_joined(cx: &Cx, challenge: &EmailChallenge, tries: i64) -> bool {
    challenge.tries < tries && validity(cx, challenge) == CodeValidity::Valid
}
