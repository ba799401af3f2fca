//! The form by which a page's script posts the answer of an authenticator.

use flows::{login::passkey, passkey::ceremony::PageCeremony};

use crate::{
    http::{error::Failure, extract::BrowserRequest, step},
    view::PasskeyForm,
};

/// The form of the page of the password, for a person who needs no password.
pub(super) fn sign_in_form(
    request: &BrowserRequest,
    attempt: &str,
) -> Result<Option<PasskeyForm>, Failure> {
    let ceremony = passkey::begin_sign_in(&request.cx, attempt)?;
    Ok(ceremony.map(|ceremony| passkey_form(request, attempt, ceremony)))
}

/// The form of a ceremony.
pub(super) fn passkey_form(
    request: &BrowserRequest,
    attempt: &str,
    ceremony: PageCeremony,
) -> PasskeyForm {
    let browser = &request.browser_context.browser;
    let token = request.cx.root.form_token(browser, attempt, step::PASSKEY.form_name);
    let renew = step::PASSKEY.address(attempt, None);
    let PageCeremony { sealed, options } = ceremony;
    PasskeyForm { path: step::PASSKEY.path, token, ceremony: sealed, options, renew }
}
