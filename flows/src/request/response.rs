//! Checks of how the answer is requested: a code, in the query, with the request in plain parameters.

use super::{Draft, RequestRefusal, redirect_error};
use crate::client::ResponseType;

/// OpenID Connect Core 1.0, section 6: request objects are not supported.
pub(super) fn no_request_object(draft: &mut Draft<'_>) -> Result<(), RequestRefusal> {
    if draft.params.get("request").is_some() {
        return Err(redirect_error("request_not_supported", "request objects are not supported"));
    }
    if draft.params.get("request_uri").is_some() {
        return Err(redirect_error("request_uri_not_supported", "request_uri is not supported"));
    }
    Ok(())
}

/// Only `code` (RFC 9700, section 2.1.2).
pub(super) fn response_type(draft: &mut Draft<'_>) -> Result<(), RequestRefusal> {
    let may_ask =
        draft.client.as_ref().is_some_and(|client| client.has_response_type(ResponseType::Code));
    match draft.params.get("response_type") {
        Some("code") if may_ask => Ok(()),
        Some("code") => Err(redirect_error(
            "unauthorized_client",
            "the client is not registered for this response type",
        )),
        Some(_) => {
            Err(redirect_error("unsupported_response_type", "only response_type=code is supported"))
        }
        None => Err(redirect_error("invalid_request", "response_type is missing")),
    }
}

/// Only `query`, which is also the default of the code flow.
pub(super) fn response_mode(draft: &mut Draft<'_>) -> Result<(), RequestRefusal> {
    match draft.params.get("response_mode") {
        None | Some("query") => Ok(()),
        Some(_) => Err(redirect_error("invalid_request", "only response_mode=query is supported")),
    }
}
