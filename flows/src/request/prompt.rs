//! `prompt` and `max_age` (OpenID Connect Core 1.0, section 3.1.2.1).

use serde::{Deserialize, Serialize};

use super::{Draft, RequestRefusal, redirect_error};

/// Values of `prompt`: what the client wants the person to be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "four independent words of one parameter")]
pub struct Prompt {
    /// Show no page.
    pub none: bool,
    /// Sign in, even with a session.
    pub login: bool,
    /// Consent, even if it was given.
    pub consent: bool,
    /// Ask which account.
    pub select_account: bool,
}

pub(super) fn prompt(draft: &mut Draft<'_>) -> Result<(), RequestRefusal> {
    let prompt = &mut draft.request.prompt;
    for word in draft.params.get("prompt").unwrap_or_default().split(' ') {
        match word {
            "none" => prompt.none = true,
            "login" => prompt.login = true,
            "consent" => prompt.consent = true,
            "select_account" => prompt.select_account = true,
            "" => {}
            _ => return Err(redirect_error("invalid_request", "prompt has an unknown value")),
        }
    }
    if prompt.none && (prompt.login || prompt.consent || prompt.select_account) {
        return Err(redirect_error("invalid_request", "prompt=none excludes every other value"));
    }
    Ok(())
}

pub(super) fn max_age(draft: &mut Draft<'_>) -> Result<(), RequestRefusal> {
    let Some(text) = draft.params.get("max_age") else { return Ok(()) };
    match text.parse::<i64>() {
        Ok(seconds) if seconds >= 0 => {
            draft.request.max_age = Some(seconds);
            Ok(())
        }
        _ => Err(redirect_error("invalid_request", "max_age is not a number of seconds")),
    }
}
