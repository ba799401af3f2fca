//! Checks of the client, and that parameters occur once.

use super::{Draft, RequestRefusal, page_error, redirect_error};

/// What decides where the answer is sent must occur once: of two values the intended one is unknown.
pub(super) fn redirect_parameters_once(draft: &mut Draft<'_>) -> Result<(), RequestRefusal> {
    match draft.params.duplicate() {
        Some("client_id" | "redirect_uri" | "state") => {
            Err(page_error("client_id, redirect_uri or state came more than once"))
        }
        _ => Ok(()),
    }
}

/// The client is registered.
pub(super) fn registered(draft: &mut Draft<'_>) -> Result<(), RequestRefusal> {
    let id = draft.params.get("client_id").ok_or_else(|| page_error("client_id is missing"))?;
    let client =
        draft.cx.find_client(id).ok_or_else(|| page_error("client_id is not registered"))?;
    id.clone_into(&mut draft.request.client_id);
    draft.client = Some(client.clone());
    Ok(())
}

/// RFC 6749, section 3.1: parameters must not be included more than once.
pub(super) fn parameters_once(draft: &mut Draft<'_>) -> Result<(), RequestRefusal> {
    match draft.params.duplicate() {
        Some(_) => Err(redirect_error("invalid_request", "a parameter came more than once")),
        None => Ok(()),
    }
}
