//! Scopes: `openid` is required; unknown scopes are ignored (RFC 6749, section 3.3).

use super::{Draft, RequestRefusal, redirect_error};
use crate::claims;

pub(super) fn openid(draft: &mut Draft<'_>) -> Result<(), RequestRefusal> {
    let asked = draft.params.get("scope").unwrap_or_default();
    let asked: Vec<&str> = asked.split(' ').collect();
    if !asked.contains(&"openid") {
        return Err(redirect_error("invalid_scope", "scope must contain openid"));
    }
    draft.request.scopes = claims::SCOPES
        .iter()
        .filter(|scope| asked.contains(scope))
        .map(|scope| (*scope).to_owned())
        .collect();
    Ok(())
}
