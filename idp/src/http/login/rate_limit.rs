//! A post whose network is beyond its limit (decision 4): refused, unless it comes from a known device of its account, or
//! from a browser that has proven both steps. Those are counted by their account, within a limit of their own.

use flows::{
    device,
    email::EmailAddress,
    login::{Due, heard},
    network::{self, Crowded},
};
use keys::Account;

use crate::http::{error::Failure, extract::BrowserRequest};

/// The limit that refuses a post of a step, whose account is that of its attempt.
pub(super) async fn of_attempt(
    request: &BrowserRequest,
    attempt: &str,
    due: Due,
) -> Result<Option<Crowded>, Failure> {
    let Some(crowded) = request.rate_limited else { return Ok(None) };
    let account = heard::account(&request.cx, &request.visit, attempt, due).await?;
    Ok(of_account(request, crowded, account).await)
}

/// The limit that refuses a post of the first step, whose account is that of the address that was typed.
pub(super) async fn of_address(
    request: &BrowserRequest,
    email: &str,
) -> flows::Result<Option<Crowded>> {
    let Some(crowded) = request.rate_limited else { return Ok(None) };
    let account = match EmailAddress::parse(email) {
        Ok(email) => device::account(&request.cx, &request.visit, email.canonical()).await?,
        Err(_) => None,
    };
    Ok(of_account(request, crowded, account).await)
}

/// Refuses a post of a step whose page has nothing typed to keep.
pub(super) async fn check(
    request: &BrowserRequest,
    attempt: &str,
    due: Due,
) -> Result<(), Failure> {
    match of_attempt(request, attempt, due).await? {
        Some(crowded) => Err(Failure::TooMany(crowded, crowded.until.since(request.cx.now))),
        None => Ok(()),
    }
}

async fn of_account(
    request: &BrowserRequest,
    crowded: Crowded,
    account: Option<Account>,
) -> Option<Crowded> {
    match account {
        Some(account) => network::post_of_account(&request.cx, &account).await,
        None => Some(crowded),
    }
}
