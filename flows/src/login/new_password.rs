//! The change of password that a forced reset demands (decision 6): after both steps, before anything is issued.

use keys::{HashingCaller, Password};
use store::UserId;

use super::{Answer, apply, apply::Work, machine::Input, or_show, out_of_turn, own, state::State};
use crate::{
    Cx, Result,
    account::password::{self as policy, BadPassword},
    attempt::{Attempt, Visit},
    network,
};

/// What was found out about a new password. Only this file makes one.
#[derive(Debug)]
pub struct NewPasswordChecked {
    user: UserId,
    refused: Option<BadPassword>,
}

impl NewPasswordChecked {
    /// Whose password it would be.
    #[must_use]
    pub const fn user(&self) -> UserId {
        self.user
    }

    /// Why it is not acceptable, if it is not.
    #[must_use]
    pub const fn refused(&self) -> Option<BadPassword> {
        self.refused
    }

    #[cfg(test)]
    pub(super) const fn assume(user: UserId, refused: Option<BadPassword>) -> Self {
        Self { user, refused }
    }
}

/// Judges and stores a new password, and completes the sign-in.
pub async fn post(cx: &Cx, visit: &Visit, name: &str, typed: &str) -> Result<Answer> {
    let attempt = match own(cx, visit, name).await? {
        Ok(attempt) => attempt,
        Err(answer) => return Ok(answer),
    };
    let Attempt::Row(loaded) = &attempt else { return Ok(Answer::Show(attempt.id(), None)) };
    let State::NewPassword(pending) = &loaded.state else {
        out_of_turn(cx, loaded).await?;
        return Ok(Answer::Show(loaded.row.id, None));
    };
    let user = pending.first.user;
    let (password, guest) = match acceptable(cx, user, typed).await? {
        Ok(acceptable) => acceptable,
        Err(bad) => {
            return Ok(Answer::Show(loaded.row.id, Some(bad.into())));
        }
    };
    let (hash, refused) = match policy::hash_if_new(cx, user, password, guest).await? {
        Ok(hash) => (Some(hash), None),
        Err(bad) => (None, Some(bad)),
    };
    let mut work = Work::on_row(cx, visit, loaded);
    work.new_password = hash;
    let state = loaded.state.clone();
    let input = Input::NewPassword(NewPasswordChecked { user, refused });
    let outcome = cx.db.write(async |tx| apply::run(&work, tx, state, input).await).await;
    if let Some(failures) = work.failures.get() {
        network::completed(cx, *failures).await;
    }
    or_show(loaded.row.id, outcome)
}

/// The password, and as whom it is hashed: both steps are proven.
async fn acceptable(
    cx: &Cx,
    user: UserId,
    typed: &str,
) -> Result<Result<(Password, HashingCaller), BadPassword>> {
    let mut conn = cx.db.read().await?;
    let Some(user) = store::user::by_id(&mut conn, user).await? else {
        return Ok(Err(BadPassword::Same));
    };
    let guest = HashingCaller::Known(cx.root.counter_key(&user.counter_name()));
    let email = user.email.as_deref().unwrap_or_default();
    let checked = policy::check(typed, &policy::Context::of(cx, email, &user.name));
    Ok(checked.map(|password| (password, guest)))
}
