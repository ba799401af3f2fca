//! Lengths: what is handed back unchanged has a limit (decision 12).

use super::{Draft, RequestRefusal, page_error, redirect_error};

const MAX_STATE_LENGTH: usize = 2048;
const MAX_NONCE_LENGTH: usize = 512;

/// `state` comes back in an address, and addresses have an end. Too long, it cannot be handed back, so nothing can.
pub(super) fn state(draft: &mut Draft<'_>) -> Result<(), RequestRefusal> {
    let state = draft.params.get("state");
    if state.is_some_and(|state| state.chars().count() > MAX_STATE_LENGTH) {
        return Err(page_error("state is longer than 2048 characters"));
    }
    draft.request.state = state.map(str::to_owned);
    Ok(())
}

/// `nonce` travels in the ID token.
pub(super) fn nonce(draft: &mut Draft<'_>) -> Result<(), RequestRefusal> {
    let nonce = draft.params.get("nonce");
    if nonce.is_some_and(|nonce| nonce.chars().count() > MAX_NONCE_LENGTH) {
        return Err(redirect_error("invalid_request", "nonce is longer than 512 characters"));
    }
    draft.request.nonce = nonce.map(str::to_owned);
    Ok(())
}
