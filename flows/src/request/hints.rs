//! Hints: what the client believes about the person. They save typing and prove nothing.

use keys::{ExpectedClaims, TokenType};
use serde::Deserialize;

use super::{Draft, Refused, redirect};

const MOST_HINT: usize = 254;

/// `login_hint` fills the address in. One that is no address is worth nothing, but no error either.
#[expect(clippy::unnecessary_wraps, reason = "every check of the table has one shape")]
pub(super) fn login_hint(draft: &mut Draft<'_>) -> Result<(), Refused> {
    draft.request.login_hint = draft
        .params
        .get("login_hint")
        .filter(|hint| hint.len() <= MOST_HINT && !hint.chars().any(char::is_control))
        .map(str::to_owned);
    Ok(())
}

const MOST_LOCALES: usize = 200;

/// `ui_locales` that are no list of language tags are worth nothing, but no error either (section 3.1.2.1).
#[expect(clippy::unnecessary_wraps, reason = "every check of the table has one shape")]
pub(super) fn ui_locales(draft: &mut Draft<'_>) -> Result<(), Refused> {
    let is_tags = |text: &&str| {
        let tag = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b' ');
        text.len() <= MOST_LOCALES && text.bytes().all(tag)
    };
    draft.request.ui_locales = draft.params.get("ui_locales").filter(is_tags).map(str::to_owned);
    Ok(())
}

#[derive(Deserialize)]
struct Hint {
    sub: String,
}

/// `id_token_hint` must be an ID token of ours for this client; it may have expired.
pub(super) fn id_token_hint(draft: &mut Draft<'_>) -> Result<(), Refused> {
    let Some(token) = draft.params.get("id_token_hint") else { return Ok(()) };
    let expected = ExpectedClaims {
        issuer: &draft.cx.issuer,
        audience: Some(&draft.request.client_id),
        now: draft.cx.now,
        allow_expired: true,
    };
    match draft.cx.ring.verify::<Hint>(token, TokenType::Id, &expected) {
        Ok(hint) => {
            draft.request.hinted_subject = Some(hint.sub);
            Ok(())
        }
        Err(_) => {
            Err(redirect("invalid_request", "id_token_hint is not an ID token for this client"))
        }
    }
}
