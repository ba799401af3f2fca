//! Length limits of values that are returned unchanged (decision 12).

use super::{Draft, RequestRefusal, page_error, redirect_error};

const MAX_STATE_LENGTH: usize = 2048;
const MAX_NONCE_LENGTH: usize = 512;

/// `state` is returned in a URL, whose length is limited. A `state` that is too long cannot be returned, so neither can an
/// error.
pub(super) fn state(draft: &mut Draft<'_>) -> Result<(), RequestRefusal> {
    let state = draft.params.get("state");
    if state.is_some_and(|state| state.chars().count() > MAX_STATE_LENGTH) {
        return Err(page_error("state is longer than 2048 characters"));
    }
    draft.request.state = state.map(str::to_owned);
    Ok(())
}

/// `nonce` is copied into the ID token.
pub(super) fn nonce(draft: &mut Draft<'_>) -> Result<(), RequestRefusal> {
    let nonce = draft.params.get("nonce");
    if nonce.is_some_and(|nonce| nonce.chars().count() > MAX_NONCE_LENGTH) {
        return Err(redirect_error("invalid_request", "nonce is longer than 512 characters"));
    }
    draft.request.nonce = nonce.map(str::to_owned);
    Ok(())
}
