//! PKCE with S256 (RFC 7636; RFC 9700, section 2.1.1). `plain` proves nothing and is refused.

use super::{Draft, RequestRefusal, redirect_error};
use crate::client::Pkce;

/// Base64url of a SHA-256: 43 characters.
const CHALLENGE_LENGTH: usize = 43;

pub(super) fn s256(draft: &mut Draft<'_>) -> Result<(), RequestRefusal> {
    let required =
        draft.client.as_ref().is_none_or(|client| client.operator.pkce == Pkce::Required);
    let challenge = draft.params.get("code_challenge");
    let method = draft.params.get("code_challenge_method");
    match (challenge, method) {
        (None, None) if required => {
            Err(redirect_error("invalid_request", "code_challenge is missing: PKCE is required"))
        }
        (None, None) => Ok(()),
        (None, Some(_)) => Err(redirect_error("invalid_request", "code_challenge is missing")),
        (Some(challenge), Some("S256")) if is_challenge(challenge) => {
            draft.request.code_challenge = Some(challenge.to_owned());
            Ok(())
        }
        (Some(_), Some("S256")) => {
            Err(redirect_error("invalid_request", "code_challenge is not a base64url SHA-256"))
        }
        (Some(_), _) => {
            Err(redirect_error("invalid_request", "code_challenge_method must be S256"))
        }
    }
}

fn is_challenge(text: &str) -> bool {
    text.len() == CHALLENGE_LENGTH
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}
