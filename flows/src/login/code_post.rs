//! A post of the second step with its rows: read once, for verifier, charge and executor. Later transactions read again only
//! what guards need.

use store::{
    Sql,
    email_challenge::{ChallengePurpose, ChallengeWithUser, EmailChallenge},
    user::UserWithPassword,
};

use super::{
    mailed_method::{self, ChallengeState},
    state::State,
    throttle_subject::ThrottleSubject,
};
use crate::{
    Cx, Result,
    attempt::{BrowserContext, LoadedAttempt},
    network::AuditSubject,
};

/// An attempt that waits for a mailed code, or was continued by one, with everything that is needed to check a post of it.
pub(super) struct CodePost {
    /// The attempt.
    pub(super) attempt: Box<LoadedAttempt>,
    /// The challenge that is answered: see [`answered_challenge`].
    pub(super) challenge: EmailChallenge,
    /// The person whose code it is.
    pub(super) person: UserWithPassword,
    /// The throttle subject of this browser and that person.
    pub(super) throttle_subject: ThrottleSubject,
}

impl CodePost {
    /// Reads the remaining rows: `open_challenges` were read with the attempt. Returns the attempt if no challenge is
    /// answered.
    pub(super) async fn read(
        cx: &Cx,
        sql: &mut impl Sql,
        browser_context: &BrowserContext,
        attempt: Box<LoadedAttempt>,
        open_challenges: Vec<ChallengeWithUser>,
    ) -> Result<Result<Self, Box<LoadedAttempt>>> {
        let Some(found) =
            answered_challenge(sql, browser_context, &attempt.state, open_challenges).await?
        else {
            return Ok(Err(attempt));
        };
        let ChallengeWithUser { challenge, person } = found;
        let throttle_subject =
            ThrottleSubject::for_user(cx, sql, browser_context, &person.user).await?;
        Ok(Ok(Self { attempt, challenge, person, throttle_subject }))
    }

    /// The client of the request, if there is one.
    pub(super) fn client_id(&self) -> Option<&str> {
        self.attempt.request.client_id()
    }

    /// The subject in the trail of a post that is not checked.
    pub(super) fn audit_subject(&self) -> AuditSubject {
        AuditSubject {
            user: Some(self.challenge.user_id),
            client: self.client_id().map(str::to_owned),
        }
    }

    /// Whether the challenge is checked in this state.
    pub(super) fn is_judged(&self) -> bool {
        mailed_method::is_judged(&self.attempt.state, ChallengeState::of(&self.challenge))
    }

    /// The challenge, if it is the open one of this person in this browser.
    pub(super) fn open_challenge(
        &self,
        browser_context: &BrowserContext,
    ) -> Option<&EmailChallenge> {
        let is_open = self.challenge.is_open() && self.challenge.browser == browser_context.browser;
        is_open.then_some(&self.challenge)
    }
}

/// The challenge that an attempt is answered with: the one that it waits for or, when another tab of this browser has
/// superseded that, its successor, so that the newest code works in every tab. `open_challenges` are those of the browser
/// that owns the attempt.
pub(super) async fn answered_challenge(
    sql: &mut impl Sql,
    browser_context: &BrowserContext,
    state: &State,
    open_challenges: Vec<ChallengeWithUser>,
) -> Result<Option<ChallengeWithUser>> {
    let Some(awaited) = state.challenge() else { return Ok(None) };
    let mut open_challenges = open_challenges.into_iter();
    if let Some(open) = open_challenges.find(|open| open.challenge.id == awaited.id) {
        return Ok(Some(open));
    }
    let awaited_challenge = store::email_challenge::by_id_with_user(sql, awaited.id).await?;
    let is_own =
        |own: &ChallengeWithUser| own.challenge.purpose == ChallengePurpose::SignIn.as_str();
    let Some(own) = awaited_challenge.filter(is_own) else { return Ok(None) };
    let (fate, epoch) = (ChallengeState::of(&own.challenge), own.challenge.epoch);
    if fate != ChallengeState::Superseded {
        return Ok(Some(own));
    }
    let user = own.challenge.user_id;
    let open = store::email_challenge::find_open(
        sql,
        user,
        &browser_context.browser,
        ChallengePurpose::SignIn,
    )
    .await?;
    Ok(Some(match open.filter(|open| mailed_method::is_successor(fate, epoch, open.epoch)) {
        Some(challenge) => ChallengeWithUser { challenge, person: own.person },
        None => own,
    }))
}
