//! A passkey: as both steps in one, or as the second step after a password.
//!
//! ```text
//! posted ─▶ ceremony of this attempt, in time? ─▶ verified with nothing held ─▶ applied, and the ceremony claimed (one commit)
//! ```
//!
//! Nothing is charged to a person: an assertion is no guess. So this way stays open while codes or passwords wait.

use store::{
    CommitTracker, PasskeyId, Tx, UserId, passkey::PasskeyRow, user, user::UserWithPassword,
};

use super::{
    Answer, apply,
    apply::UnitOfWork,
    code_window::CodeValidity,
    machine::Input,
    method::{HeldMethod, HeldProof, Proof},
    refusal::{PasskeyRefusal, Refusal},
    second_step::{HeldVerifier, ProofOwner, SecondChecked, Verdict},
    state::{AwaitedProof, CompletedAttempt, PendingNewPassword, PendingSecondStep, State},
    typed_method::REPEAT_WINDOW,
};
use crate::{
    Cx, Error, Result,
    attempt::{self, Attempt, AttemptLookup, BrowserContext, LoadedAttempt},
    audit::{self, AuditEntry, event, outcome::PasskeyOutcome},
    device,
    network::{self, AuditSubject, CountedFailure},
    passkey::{
        assertion::{self, AssertionFault, PostedAssertion, VerifiedAssertion},
        ceremony::PageCeremony,
    },
};

/// How often a post is judged while another post of the same answer, or another use of the passkey, is faster.
const TRIES: usize = 3;

/// The seal of a passkey as the second step: only this file constructs one.
#[derive(Debug)]
pub(crate) struct PasskeyVerifier {
    _here: (),
}

impl HeldVerifier for PasskeyVerifier {
    const METHOD: HeldMethod = HeldMethod::PASSKEY;
}

/// The seal of a passkey as both steps: only this file constructs one.
#[derive(Debug)]
pub(crate) struct PasskeyUvVerifier {
    _here: (),
}

impl HeldVerifier for PasskeyUvVerifier {
    const METHOD: HeldMethod = HeldMethod::PASSKEY_UV;
}

/// Begins a ceremony for the page of an attempt whose password is due; none where passkeys cannot be used.
pub fn begin_sign_in(cx: &Cx, name: &str) -> Result<Option<PageCeremony>> {
    match attempt::id_of_name(cx, name) {
        Some(attempt) => assertion::begin_sign_in(cx, attempt),
        None => Ok(None),
    }
}

/// Begins a ceremony for the page of the second step, by one of these credentials.
pub fn begin_second_step(
    cx: &Cx,
    name: &str,
    credential_ids: &[String],
) -> Result<Option<PageCeremony>> {
    match attempt::id_of_name(cx, name) {
        Some(attempt) => assertion::begin_second_step(cx, attempt, credential_ids),
        None => Ok(None),
    }
}

/// Begins a ceremony again, for a page that has been open for longer than one lasts; none if none is due there.
pub async fn renew(
    cx: &Cx,
    browser_context: &BrowserContext,
    name: &str,
) -> Result<Option<PageCeremony>> {
    let mut conn = cx.db.read().await?;
    let found = attempt::find(cx, &mut conn, browser_context, name).await?;
    let AttemptLookup::ThisBrowser(attempt) = found else { return Ok(None) };
    match attempt.state() {
        State::Password => assertion::begin_sign_in(cx, attempt.id()),
        State::Second(PendingSecondStep {
            first,
            waiting: AwaitedProof::Held(HeldMethod::PASSKEY),
        }) => {
            let known = store::passkey::of_user(&mut conn, first.user).await?;
            let ids: Vec<String> = known.into_iter().map(|row| row.credential_id).collect();
            assertion::begin_second_step(cx, attempt.id(), &ids)
        }
        _ => Ok(None),
    }
}

/// Checks a posted assertion, to the end even if the client disconnects.
pub async fn post(
    cx: &Cx,
    browser_context: &BrowserContext,
    name: &str,
    (ceremony, answer): (&str, &str),
) -> Result<Answer> {
    let (cx, browser_context, name) = (cx.clone(), browser_context.clone(), name.to_owned());
    let (ceremony, answer) = (ceremony.to_owned(), answer.to_owned());
    CommitTracker::run_to_completion(async move {
        for _ in 0..TRIES {
            match judge(&cx, &browser_context, &name, (&ceremony, &answer)).await {
                Err(Error::Conflict) => {}
                other => return other,
            }
        }
        match attempt::id_of_name(&cx, &name) {
            Some(id) => Ok(Answer::Show(id, Some(PasskeyRefusal::Over.into()))),
            None => Ok(Answer::StartAgain),
        }
    })
    .await?
}

/// A post, with what it is about.
struct PasskeyPost {
    attempt: Attempt,
    assertion: PostedAssertion,
    row: PasskeyRow,
    person: UserWithPassword,
}

async fn judge(
    cx: &Cx,
    browser_context: &BrowserContext,
    name: &str,
    (ceremony, answer): (&str, &str),
) -> Result<Answer> {
    let mut conn = cx.db.read().await?;
    let (attempt, is_earlier) = match attempt::find(cx, &mut conn, browser_context, name).await? {
        AttemptLookup::ThisBrowser(attempt) => (attempt, false),
        AttemptLookup::PreviousCookie(loaded) if loaded.state.is_second_step_proven() => {
            (Attempt::Row(loaded), true)
        }
        _ => return Ok(Answer::StartAgain),
    };
    let id = attempt.id();
    let Some(assertion) = PostedAssertion::read(cx, id, ceremony, answer) else {
        return Ok(Answer::Show(id, Some(PasskeyRefusal::Over.into())));
    };
    let row = store::passkey::by_credential_id(&mut conn, &assertion.credential_id()).await?;
    let person = match &row {
        Some(row) => user::by_id_with_password(&mut conn, row.user_id).await?,
        None => None,
    };
    drop(conn);
    let (Some(row), Some(person)) = (row, person) else {
        if is_earlier {
            return Ok(Answer::StartAgain);
        }
        let unknown = (None, PasskeyOutcome::Unknown);
        return refuse(cx, browser_context, (&attempt, &assertion), unknown).await;
    };
    let is_foreign = attempt.state().user().is_some_and(|user| user != row.user_id);
    if assertion.is_second_step && is_foreign && !is_earlier {
        let foreign = (Some(row.id), PasskeyOutcome::OtherAccount);
        return refuse(cx, browser_context, (&attempt, &assertion), foreign).await;
    }
    let post = PasskeyPost { attempt, assertion, row, person };
    match post.repeated_proof() {
        Some(repeated) => post.repeat(cx, browser_context, repeated).await,
        // With an earlier value of its cookie a browser reaches only what it has proven: nothing new begins there.
        None if is_earlier => Ok(Answer::StartAgain),
        None => post.apply(cx, browser_context).await,
    }
}

/// Refuses a passkey that is not of the person of the attempt: no account has it, or another one.
async fn refuse(
    cx: &Cx,
    browser_context: &BrowserContext,
    (attempt, assertion): (&Attempt, &PostedAssertion),
    (passkey, outcome): (Option<PasskeyId>, PasskeyOutcome),
) -> Result<Answer> {
    let (user, client) = (attempt.state().user(), attempt.request().client_id());
    let failure = match count_failure(cx, (user, client), true).await? {
        Ok(failure) => failure,
        Err(limit) => return Ok(Answer::Show(attempt.id(), Some(limit))),
    };
    let answer = cx
        .db
        .write(async |tx| {
            let loaded = ensure_row(cx, browser_context, tx, attempt).await?;
            claim(tx, &loaded, assertion).await?;
            let event = event::PasskeyChecked { passkey, synced: None };
            let entry = AuditEntry::new(event, outcome).user(user).client(client);
            audit::record(cx, tx, entry).await?;
            Ok(Answer::Show(loaded.row.id, Some(refusal_of(outcome).into())))
        })
        .await;
    settle(failure, &answer).await;
    answer
}

/// Counts a refused passkey of a stranger as a failure of its network, or returns the limit that is reached. No counter of a
/// person is charged.
async fn count_failure(
    cx: &Cx,
    (user, client): (Option<UserId>, Option<&str>),
    is_stranger: bool,
) -> Result<Result<CountedFailure, Refusal>> {
    let about = async || Ok(AuditSubject { user, client: client.map(str::to_owned) });
    let counted = network::count_failure(cx, is_stranger, about).await?;
    Ok(counted.map_err(Refusal::NetworkPaused))
}

/// Keeps a failure, unless its post is judged again.
async fn settle(failure: CountedFailure, answer: &Result<Answer>) {
    if matches!(answer, Err(Error::Conflict)) {
        failure.refund().await;
    } else {
        failure.keep();
    }
}

/// The row of an attempt, which the first post makes.
async fn ensure_row(
    cx: &Cx,
    browser_context: &BrowserContext,
    tx: &mut Tx,
    attempt: &Attempt,
) -> Result<LoadedAttempt> {
    match attempt {
        Attempt::Row(loaded) => Ok((**loaded).clone()),
        sealed @ Attempt::Sealed { request, .. } => {
            let work = UnitOfWork::for_attempt(cx, browser_context, sealed);
            let row = apply::new_row(&work, serde_json::to_string(&State::Password)?)?;
            // Otherwise another post has made it: this one is judged again.
            if !store::attempt::insert(tx, &row).await? {
                return Err(Error::Conflict);
            }
            Ok(LoadedAttempt { row, request: request.clone(), state: State::Password })
        }
    }
}

/// Claims the ceremony that an answer belongs to: after everything else, so that the person's row is locked first.
async fn claim(tx: &mut Tx, loaded: &LoadedAttempt, assertion: &PostedAssertion) -> Result<()> {
    if store::attempt::claim_ceremony(tx, loaded.row.id, assertion.begun_at).await? {
        Ok(())
    } else {
        Err(Error::Conflict)
    }
}

impl PasskeyPost {
    /// The proof that this very ceremony has led to the present state by, if it has.
    fn repeated_proof(&self) -> Option<(&LoadedAttempt, HeldProof)> {
        let Attempt::Row(loaded) = &self.attempt else { return None };
        let (State::NewPassword(PendingNewPassword { proof, .. })
        | State::Complete(CompletedAttempt { proof: Some(proof), .. })) = &loaded.state
        else {
            return None;
        };
        match proof {
            Proof::Held(held)
                if held.row == self.row.id.uuid()
                    && loaded.row.ceremony_at == Some(self.assertion.begun_at) =>
            {
                Some((loaded, *held))
            }
            Proof::Held(_) | Proof::Mailed(_) => None,
        }
    }

    /// The answer that was accepted a moment ago, from the browser that it has signed in: a double click, or a lost answer.
    async fn repeat(
        &self,
        cx: &Cx,
        browser_context: &BrowserContext,
        (loaded, proof): (&LoadedAttempt, HeldProof),
    ) -> Result<Answer> {
        let relying_party = cx.relying_party.as_ref().ok_or(Error::Conflict)?;
        let handle = self.person.user.user_handle;
        // The passkey may have been used elsewhere since.
        let proven_at = loaded.row.completed_at.unwrap_or(self.row.last_used_at);
        let is_recent = cx.now.since(proven_at) <= REPEAT_WINDOW;
        if !is_recent || self.assertion.verify_again(relying_party, &self.row, handle).is_err() {
            return Ok(Answer::Show(loaded.row.id, Some(PasskeyRefusal::Over.into())));
        }
        let work = UnitOfWork::for_passkey_post(cx, browser_context, loaded, &self.person);
        let checked = self.checked(proof.mark, Verdict::Repeated);
        cx.db
            .write(async |tx| {
                let state = loaded.state.clone();
                let answer = apply::run(&work, tx, state, Input::Second(checked)).await?;
                self.record(cx, tx, PasskeyOutcome::Repeated, None).await?;
                Ok(answer)
            })
            .await
    }

    async fn apply(&self, cx: &Cx, browser_context: &BrowserContext) -> Result<Answer> {
        let verified = self.verify(cx);
        if verified.is_ok() {
            return self.apply_verified(cx, browser_context, &verified).await;
        }
        let is_stranger = self.is_stranger(cx, browser_context).await?;
        let about = (Some(self.person.user.id), self.attempt.request().client_id());
        let failure = match count_failure(cx, about, is_stranger).await? {
            Ok(failure) => failure,
            Err(limit) => return Ok(Answer::Show(self.attempt.id(), Some(limit))),
        };
        let answer = self.apply_verified(cx, browser_context, &verified).await;
        settle(failure, &answer).await;
        answer
    }

    async fn apply_verified(
        &self,
        cx: &Cx,
        browser_context: &BrowserContext,
        verified: &Result<VerifiedAssertion, PasskeyOutcome>,
    ) -> Result<Answer> {
        let verdict = match verified {
            Ok(_) => Verdict::Right(CodeValidity::Valid),
            Err(outcome) => Verdict::Refused(refusal_of(*outcome).into()),
        };
        cx.db
            .write(async |tx| {
                let loaded = ensure_row(cx, browser_context, tx, &self.attempt).await?;
                let work = UnitOfWork::for_passkey_post(cx, browser_context, &loaded, &self.person);
                let checked = self.checked(self.row.uses.saturating_add(1), verdict);
                let state = loaded.state.clone();
                let answer = apply::run(&work, tx, state, Input::Second(checked)).await?;
                claim(tx, &loaded, &self.assertion).await?;
                match verified {
                    // The machine has not used it: another step is due, or the account may not be used.
                    Ok(_) if matches!(answer, Answer::Show(..)) => {
                        self.record(cx, tx, PasskeyOutcome::OutOfTurn, None).await?;
                    }
                    Ok(found) => {
                        self.record(cx, tx, PasskeyOutcome::Right, Some(found)).await?;
                        let (id, synced) = (self.row.id, found.is_synced);
                        let credential = &found.credential;
                        store::passkey::update_credential(tx, id, credential, synced).await?;
                    }
                    Err(outcome) => self.record(cx, tx, *outcome, None).await?,
                }
                Ok(answer)
            })
            .await
    }

    async fn is_stranger(&self, cx: &Cx, browser_context: &BrowserContext) -> Result<bool> {
        let mut conn = cx.db.read().await?;
        let name = self.person.user.counter_name();
        Ok(device::find_known(cx, &mut conn, browser_context, &name).await?.is_none())
    }

    /// Records the check, and whether the passkey has begun or ceased to be backed up.
    async fn record(
        &self,
        cx: &Cx,
        tx: &mut Tx,
        outcome: PasskeyOutcome,
        verified: Option<&VerifiedAssertion>,
    ) -> Result<()> {
        let synced = verified.map(|found| found.is_synced).filter(|new| *new != self.row.synced);
        let event = event::PasskeyChecked { passkey: Some(self.row.id), synced };
        let (user, client) = (self.person.user.id, self.attempt.request().client_id());
        audit::record(cx, tx, AuditEntry::new(event, outcome).user(user).client(client)).await
    }

    /// Verifies the assertion, with nothing held.
    fn verify(&self, cx: &Cx) -> Result<VerifiedAssertion, PasskeyOutcome> {
        let relying_party = cx.relying_party.as_ref().ok_or(PasskeyOutcome::Invalid)?;
        let handle = self.person.user.user_handle;
        self.assertion.verify(relying_party, &self.row, handle).map_err(|fault| match fault {
            AssertionFault::Counter => PasskeyOutcome::Counter,
            AssertionFault::Eligibility => PasskeyOutcome::Eligibility,
            AssertionFault::NotVerified => PasskeyOutcome::NotVerified,
            AssertionFault::Invalid => PasskeyOutcome::Invalid,
        })
    }

    fn checked(&self, mark: i64, verdict: Verdict) -> SecondChecked {
        let owner = ProofOwner { user: self.person.user.id, epoch: self.person.user.epoch };
        let row = self.row.id.uuid();
        if self.assertion.is_second_step {
            SecondChecked::held(&PasskeyVerifier { _here: () }, row, mark, owner, verdict)
        } else {
            SecondChecked::held(&PasskeyUvVerifier { _here: () }, row, mark, owner, verdict)
        }
    }
}

/// What the page says.
const fn refusal_of(outcome: PasskeyOutcome) -> PasskeyRefusal {
    match outcome {
        PasskeyOutcome::OtherAccount => PasskeyRefusal::OtherAccount,
        PasskeyOutcome::NotVerified => PasskeyRefusal::NotVerified,
        PasskeyOutcome::Counter | PasskeyOutcome::Eligibility => PasskeyRefusal::Suspicious,
        PasskeyOutcome::Unknown => PasskeyRefusal::Unknown,
        PasskeyOutcome::Right
        | PasskeyOutcome::Repeated
        | PasskeyOutcome::OutOfTurn
        | PasskeyOutcome::Invalid => PasskeyRefusal::Invalid,
    }
}
