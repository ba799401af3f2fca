//! Choosing another method for the second step.

use store::user;

use super::{
    Answer, apply, find_own_attempt,
    machine::Input,
    method::Method,
    offered::second_methods,
    state::{AwaitedProof, PendingSecondStep, State},
};
use crate::{
    Cx, Result,
    attempt::{self, Attempt, AttemptLookup, BrowserContext},
};

/// The methods that an attempt can be continued with.
#[derive(Clone, Debug)]
pub struct OtherWays {
    /// The method that is awaited now.
    pub awaited: Method,
    /// Every method that the person may answer with, the default first.
    pub offered: Vec<Method>,
    /// The address that codes are mailed to, masked.
    pub masked_address: String,
}

/// Lists the methods, if the first step is proven in this browser; `None` before, so that no client learns which methods an
/// account has from its address alone.
pub async fn list(
    cx: &Cx,
    browser_context: &BrowserContext,
    name: &str,
) -> Result<Option<OtherWays>> {
    let mut conn = cx.db.read().await?;
    let AttemptLookup::ThisBrowser(Attempt::Row(loaded)) =
        attempt::find(cx, &mut conn, browser_context, name).await?
    else {
        return Ok(None);
    };
    let State::Second(PendingSecondStep { first, waiting }) = &loaded.state else {
        return Ok(None);
    };
    let person = user::by_id_with_password(&mut conn, first.user).await?;
    let Some(person) = person.filter(|person| person.user.epoch == first.epoch) else {
        return Ok(None);
    };
    let awaited = match waiting {
        AwaitedProof::Mailed(challenge) => Method::Mailed(challenge.method),
        AwaitedProof::Held(method) => Method::Held(*method),
    };
    let address = person.user.email.as_deref().unwrap_or_default();
    let masked_address = crate::email::mask_address(address);
    Ok(Some(OtherWays {
        awaited,
        offered: second_methods(&person, loaded.request.goal()),
        masked_address,
    }))
}

/// Choosing another method for the second step: nothing is proven and nothing lost.
pub async fn choose(
    cx: &Cx,
    browser_context: &BrowserContext,
    name: &str,
    method: &str,
) -> Result<Answer> {
    let attempt = match find_own_attempt(cx, browser_context, name).await? {
        Ok(Attempt::Row(loaded)) => loaded,
        Ok(sealed @ Attempt::Sealed { .. }) => return Ok(Answer::Show(sealed.id(), None)),
        Err(answer) => return Ok(answer),
    };
    // A method that proves both steps is never awaited after the first: it has its own form.
    let Some(method) = Method::from_name(method).filter(|method| !method.proves_both()) else {
        return Ok(Answer::Show(attempt.row.id, None));
    };
    apply::apply_input(cx, browser_context, &attempt, Input::Choose(method)).await
}
