//! Hints: what the client believes about the person. They save typing and prove nothing.

use keys::{ExpectedClaims, TokenType};
use serde::Deserialize;

use super::{Draft, RequestRefusal, redirect_error};

const MAX_HINT_LENGTH: usize = 254;

/// `login_hint` prefills the address. A value that is not an address is ignored.
#[expect(clippy::unnecessary_wraps, reason = "every check of the table has one shape")]
pub(super) fn login_hint(draft: &mut Draft<'_>) -> Result<(), RequestRefusal> {
    draft.request.login_hint = draft
        .params
        .get("login_hint")
        .filter(|hint| hint.len() <= MAX_HINT_LENGTH && !hint.chars().any(char::is_control))
        .map(str::to_owned);
    Ok(())
}

const MAX_LOCALES_LENGTH: usize = 200;

/// `ui_locales` that are not a list of language tags are ignored (section 3.1.2.1).
#[expect(clippy::unnecessary_wraps, reason = "every check of the table has one shape")]
pub(super) fn ui_locales(draft: &mut Draft<'_>) -> Result<(), RequestRefusal> {
    let is_tags = |text: &&str| {
        let tag = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b' ');
        text.len() <= MAX_LOCALES_LENGTH && text.bytes().all(tag)
    };
    draft.request.ui_locales = draft.params.get("ui_locales").filter(is_tags).map(str::to_owned);
    Ok(())
}

#[derive(Deserialize)]
struct IdTokenHint {
    sub: String,
}

/// `id_token_hint` must be an ID token of ours for this client; it may have expired.
pub(super) fn id_token_hint(draft: &mut Draft<'_>) -> Result<(), RequestRefusal> {
    let Some(token) = draft.params.get("id_token_hint") else { return Ok(()) };
    let expected = ExpectedClaims {
        issuer: &draft.cx.issuer,
        audience: Some(&draft.request.client_id),
        now: draft.cx.now,
        allow_expired: true,
    };
    match draft.cx.ring.verify::<IdTokenHint>(token, TokenType::Id, &expected) {
        Ok(hint) => {
            draft.request.hinted_subject = Some(hint.sub);
            Ok(())
        }
        Err(_) => Err(redirect_error(
            "invalid_request",
            "id_token_hint is not an ID token for this client",
        )),
    }
}
