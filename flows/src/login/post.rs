//! A post of the second step, as it is read: once, for verifier, charge and executor. The transactions that follow read again
//! only what guards.

use store::{
    Sql,
    email_challenge::{ChallengePurpose, ChallengeWithUser, EmailChallenge},
    user::UserWithPassword,
};

use super::{
    mailed::{self, Fate},
    state::State,
    tries::Guesser,
};
use crate::{
    Cx, Result,
    attempt::{Loaded, Visit},
    network::About,
};

/// An attempt that waits for a mailed code, or was led on by one, with everything that a post of it is judged by.
pub(super) struct Post {
    /// The attempt.
    pub(super) attempt: Box<Loaded>,
    /// The challenge that is answered: see [`current`].
    pub(super) challenge: EmailChallenge,
    /// Whose code it is.
    pub(super) person: UserWithPassword,
    /// What this browser is to that person.
    pub(super) guesser: Guesser,
}

impl Post {
    /// Reads what is left to read: `near` came with the attempt. Gives the attempt back where no challenge is answered.
    pub(super) async fn read(
        cx: &Cx,
        sql: &mut impl Sql,
        visit: &Visit,
        attempt: Box<Loaded>,
        near: Vec<ChallengeWithUser>,
    ) -> Result<Result<Self, Box<Loaded>>> {
        let Some(found) = current(sql, visit, &attempt.state, near).await? else {
            return Ok(Err(attempt));
        };
        let ChallengeWithUser { challenge, person } = found;
        let guesser = Guesser::of(cx, sql, visit, &person.user).await?;
        Ok(Ok(Self { attempt, challenge, person, guesser }))
    }

    /// Through which client.
    pub(super) fn client(&self) -> &str {
        &self.attempt.request.client_id
    }

    /// What the trail says of a post that is not judged.
    pub(super) fn about(&self) -> About {
        About { user: Some(self.challenge.user_id), client: Some(self.client().to_owned()) }
    }

    /// Whether the challenge is judged in this state.
    pub(super) fn is_judged(&self) -> bool {
        mailed::is_judged(&self.attempt.state, Fate::of(&self.challenge))
    }

    /// The challenge, if it is the open one of this person in this browser.
    pub(super) fn open(&self, visit: &Visit) -> Option<&EmailChallenge> {
        let is_open = self.challenge.is_open() && self.challenge.browser == visit.browser;
        is_open.then_some(&self.challenge)
    }
}

/// The challenge that an attempt is answered with: the one that it waits for or, when another tab of this browser has put
/// that aside, the one in its place, so that the newest code works in every tab. `near` are the open ones of the browser that
/// owns the attempt.
pub(super) async fn current(
    sql: &mut impl Sql,
    visit: &Visit,
    state: &State,
    near: Vec<ChallengeWithUser>,
) -> Result<Option<ChallengeWithUser>> {
    let Some(awaited) = state.challenge() else { return Ok(None) };
    let mut near = near.into_iter();
    if let Some(open) = near.find(|open| open.challenge.id == awaited.id) {
        return Ok(Some(open));
    }
    let own = store::email_challenge::by_id_with_user(sql, awaited.id).await?;
    let is_own =
        |own: &ChallengeWithUser| own.challenge.purpose == ChallengePurpose::SignIn.as_str();
    let Some(own) = own.filter(is_own) else { return Ok(None) };
    let (fate, epoch) = (Fate::of(&own.challenge), own.challenge.epoch);
    if fate != Fate::Replaced {
        return Ok(Some(own));
    }
    let user = own.challenge.user_id;
    let open =
        store::email_challenge::find_open(sql, user, &visit.browser, ChallengePurpose::SignIn)
            .await?;
    Ok(Some(match open.filter(|open| mailed::takes_place(fate, epoch, open.epoch)) {
        Some(challenge) => ChallengeWithUser { challenge, person: own.person },
        None => own,
    }))
}
