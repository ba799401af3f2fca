//! The change of password that a forced reset requires (decision 6): after both steps, before anything is issued.

use keys::{HashingCaller, Password};
use store::{CommitTracker, UserId};

use super::{
    Answer, apply, apply::UnitOfWork, find_own_attempt, machine::Input, record_out_of_turn,
    show_on_conflict, state::State,
};
use crate::{
    Cx, Result,
    account::password::{self as policy, BadPassword},
    attempt::{Attempt, BrowserContext},
    network,
};

/// A checked new password. Only this file constructs one.
#[derive(Debug)]
pub struct NewPasswordChecked {
    user: UserId,
    refusal: Option<BadPassword>,
}

impl NewPasswordChecked {
    /// The person whose password it would be.
    #[must_use]
    pub const fn user(&self) -> UserId {
        self.user
    }

    /// Why it is not acceptable, if so.
    #[must_use]
    pub const fn refusal(&self) -> Option<BadPassword> {
        self.refusal
    }

    #[cfg(test)]
    pub(super) const fn assume(user: UserId, refused: Option<BadPassword>) -> Self {
        Self { user, refusal: refused }
    }
}

/// Checks and stores a new password, and completes the sign-in.
pub async fn post(
    cx: &Cx,
    browser_context: &BrowserContext,
    name: &str,
    typed: &str,
) -> Result<Answer> {
    let attempt = match find_own_attempt(cx, browser_context, name).await? {
        Ok(attempt) => attempt,
        Err(answer) => return Ok(answer),
    };
    let Attempt::Row(loaded) = &attempt else { return Ok(Answer::Show(attempt.id(), None)) };
    let State::NewPassword(pending) = &loaded.state else {
        record_out_of_turn(cx, loaded).await?;
        return Ok(Answer::Show(loaded.row.id, None));
    };
    let user = pending.first.user;
    let (password, caller) = match check_password(cx, user, typed).await? {
        Ok(acceptable) => acceptable,
        Err(bad) => {
            return Ok(Answer::Show(loaded.row.id, Some(bad.into())));
        }
    };
    let (hash, refused) = match policy::hash_if_new(cx, user, password, caller).await? {
        Ok(hash) => (Some(hash), None),
        Err(bad) => (None, Some(bad)),
    };
    let (cx, browser_context, loaded) = (cx.clone(), browser_context.clone(), loaded.clone());
    // To the end even if the client disconnects: a sign-in that is committed gives its network back what it used.
    CommitTracker::run_to_completion(async move {
        let mut work = UnitOfWork::for_row(&cx, &browser_context, &loaded);
        work.new_password = hash;
        let state = loaded.state.clone();
        let input = Input::NewPassword(NewPasswordChecked { user, refusal: refused });
        let outcome = cx.db.write(async |tx| apply::run(&work, tx, state, input).await).await;
        if let Some(failures) = work.failures.get() {
            network::refund_sign_in(&cx, *failures).await;
        }
        show_on_conflict(loaded.row.id, outcome)
    })
    .await?
}

/// The password, and the hashing caller: both steps are proven.
async fn check_password(
    cx: &Cx,
    user: UserId,
    typed: &str,
) -> Result<Result<(Password, HashingCaller), BadPassword>> {
    let mut conn = cx.db.read().await?;
    let Some(user) = store::user::by_id(&mut conn, user).await? else {
        return Ok(Err(BadPassword::Unchanged));
    };
    let caller = HashingCaller::Known(cx.root.counter_key(&user.counter_name()));
    let email = user.email.as_deref().unwrap_or_default();
    let checked = policy::check(typed, &policy::Context::of(cx, email, &user.name));
    Ok(checked.map(|password| (password, caller)))
}
