//! The redirect URI of a request is one that its client has registered.

use super::{Draft, RequestRefusal, page_error};

pub(super) fn registered(draft: &mut Draft<'_>) -> Result<(), RequestRefusal> {
    let given =
        draft.params.get("redirect_uri").ok_or_else(|| page_error("redirect_uri is missing"))?;
    let client = draft.client.as_ref().ok_or_else(|| page_error("no client"))?;
    if !client.has_redirect_uri(given) {
        return Err(page_error("redirect_uri is not registered for this client"));
    }
    given.clone_into(&mut draft.request.redirect_uri);
    Ok(())
}
