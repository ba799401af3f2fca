//! Who sends the request.

use super::{Draft, Refused, page, redirect};

/// What decides where an answer goes must come once: of two values nobody can say which was meant.
pub(super) fn once(draft: &mut Draft<'_>) -> Result<(), Refused> {
    match draft.params.repeated() {
        Some("client_id" | "redirect_uri" | "state") => {
            Err(page("client_id, redirect_uri or state came more than once"))
        }
        _ => Ok(()),
    }
}

/// The client is registered.
pub(super) fn known(draft: &mut Draft<'_>) -> Result<(), Refused> {
    let id = draft.params.get("client_id").ok_or_else(|| page("client_id is missing"))?;
    let client = draft.cx.client(id).ok_or_else(|| page("client_id is not registered"))?;
    id.clone_into(&mut draft.request.client_id);
    draft.client = Some(client.clone());
    Ok(())
}

/// RFC 6749, section 3.1: parameters must not be included more than once.
pub(super) fn parameters_once(draft: &mut Draft<'_>) -> Result<(), Refused> {
    match draft.params.repeated() {
        Some(_) => Err(redirect("invalid_request", "a parameter came more than once")),
        None => Ok(()),
    }
}
