//! The machine alone, without a world: every state, every verdict and every fact, also those that no executor would ever
//! combine. What holds here does not depend on anything around the machine.

use store::Timestamp;
use uuid::Uuid;

use super::{
    super::{
        code_window::CodeValidity,
        effect::{Delivery, Effect},
        follow::SessionChecked,
        goal::Goal,
        machine::{Facts, Input, Person, Transition, step},
        method::{Challenge, HeldMethod, HeldProof, MailedMethod, Method, Proof},
        new_password::NewPasswordChecked,
        password::{PasswordChecked, PasswordVerdict},
        refusal::{CodeRefusal, MailRefusal, Refusal},
        resend::{ResendChecked, ResendVerdict},
        second_step::{HeldVerifier, MailedVerifier, ProofOwner, SecondChecked, Verdict},
        state::{
            AwaitedProof, CompletedAttempt, FirstStep, PendingNewPassword, PendingSecondStep,
            ProvenFirstStep, State,
        },
    },
    conversion::{challenge_id, session_id, user_id},
    executor::StepFn,
    test_methods,
};
use crate::account::password::BadPassword;

const TIME: Timestamp = Timestamp::from_millis(0);
/// The row of a held method.
const ROW: Uuid = Uuid::from_u128(7);

/// One method of each kind, as the table uses them.
#[derive(Clone, Copy)]
pub(super) struct MethodSet {
    pub(super) mailed: MailedMethod,
    pub(super) held: HeldMethod,
    pub(super) both: HeldMethod,
    /// The three of them.
    pub(super) all: &'static [Method],
}

/// The program's mailed method, and one of each other kind.
pub(super) const FIRST_OF_EACH: MethodSet = MethodSet {
    mailed: MailedMethod::EMAIL_CODE,
    held: test_methods::AppVerifier::METHOD,
    both: test_methods::KeyVerifier::METHOD,
    all: &[test_methods::EMAIL, test_methods::APP, test_methods::KEY],
};

/// Another one of each kind.
pub(super) const SECOND_OF_EACH: MethodSet = MethodSet {
    mailed: test_methods::PaperMailVerifier::METHOD,
    held: test_methods::ListVerifier::METHOD,
    both: test_methods::CardVerifier::METHOD,
    all: &[test_methods::PAPER_MAIL, test_methods::LIST, test_methods::CARD],
};

impl MethodSet {
    fn challenge(self, number: u8) -> Challenge {
        Challenge { method: self.mailed, id: challenge_id(number) }
    }

    fn code(self, number: u8) -> Proof {
        Proof::Mailed(self.challenge(number))
    }

    pub(super) fn states(self) -> Vec<State> {
        let mut states = vec![State::Password, State::Cancelled];
        for first in passwords().into_iter().chain([by_both()]) {
            let waiting = [0, 1].map(|number| AwaitedProof::Mailed(self.challenge(number)));
            for waiting in waiting.into_iter().chain([AwaitedProof::Held(self.held)]) {
                states.push(State::Second(PendingSecondStep { first, waiting }));
            }
            for proof in [self.code(0), self.code(1), held(self.held, 1)] {
                states.push(State::NewPassword(PendingNewPassword { first, proof }));
            }
        }
        for user in [0, 1].map(user_id) {
            let proofs = [self.code(0), self.code(1), held(self.held, 1)];
            for proof in proofs.into_iter().map(Some).chain([None]) {
                let session = session_id(0);
                states.push(State::Complete(CompletedAttempt { user, session, proof }));
            }
        }
        states
    }

    /// Inputs are not `Clone`: a verdict is used once. So they are constructed for every call.
    pub(super) fn inputs(self) -> Vec<Box<dyn Fn() -> Input>> {
        let mut inputs = other_inputs();
        for challenge in [0, 1, 2].map(|number| self.challenge(number)) {
            for verdict in [ResendVerdict::Same, ResendVerdict::New, ResendVerdict::Later(TIME)] {
                inputs.push(Box::new(move || {
                    Input::Resend(ResendChecked::assume(challenge, verdict))
                }));
            }
        }
        let codes = [0, 1, 2].map(|number| self.code(number));
        let held = [held(self.held, 1), held(self.held, 2), held(self.both, 1)];
        for proof in codes.into_iter().chain(held) {
            for (user, epoch) in [(0, 0), (0, 1), (1, 0)] {
                let owner = ProofOwner { user: user_id(user), epoch };
                for verdict in verdicts() {
                    inputs.push(Box::new(move || {
                        Input::Second(SecondChecked::assume(proof, owner, verdict))
                    }));
                }
            }
        }
        for &method in self.all {
            inputs.push(Box::new(move || Input::Choose(method)));
        }
        inputs
    }

    pub(super) fn facts(self) -> Vec<Facts<'static>> {
        let mut people = vec![None];
        for ProvenFirstStep { user, epoch, step } in passwords() {
            let FirstStep::Password { version: password_version } = step else { continue };
            for must_change in [false, true] {
                people.push(Some(Person { user, epoch, password_version, must_change }));
            }
        }
        let mut facts = Vec::new();
        let one = self.all.first_chunk::<1>().expect("the first");
        for person in people {
            for challenge in [0, 2].map(challenge_id) {
                for current in [None, Some(0), Some(1)] {
                    let current = current.map(|number| self.challenge(number));
                    let session = session_id(2);
                    for offered in [self.all, one] {
                        let goal = Goal::Client;
                        facts.push(Facts { person, offered, challenge, current, session, goal });
                    }
                }
            }
        }
        facts
    }
}

const fn held(method: HeldMethod, mark: i64) -> Proof {
    Proof::Held(HeldProof { method, row: ROW, mark })
}

fn passwords() -> Vec<ProvenFirstStep> {
    let first = |user, epoch, version| {
        let step = FirstStep::Password { version };
        ProvenFirstStep { user: user_id(user), epoch, step }
    };
    vec![first(0, 0, 0), first(0, 1, 0), first(0, 0, 1), first(1, 0, 0)]
}

/// The first step by a method that proves both.
fn by_both() -> ProvenFirstStep {
    ProvenFirstStep { user: user_id(0), epoch: 0, step: FirstStep::PasskeyUv { credential: ROW } }
}

fn verdicts() -> Vec<Verdict> {
    let refusals = [
        Refusal::Code(CodeRefusal::Wrong(1)),
        Refusal::Code(CodeRefusal::Used),
        Refusal::Code(CodeRefusal::Paused(TIME)),
        Refusal::Mail(MailRefusal::Superseded),
        Refusal::Mail(MailRefusal::OtherBrowser),
        Refusal::Mail(MailRefusal::Exhausted),
    ];
    [CodeValidity::Valid, CodeValidity::Late, CodeValidity::Expired]
        .map(Verdict::Right)
        .into_iter()
        .chain([Verdict::Expired, Verdict::Repeated])
        .chain(refusals.map(Verdict::Refused))
        .collect()
}

/// Inputs that do not concern a method of the second step.
fn other_inputs() -> Vec<Box<dyn Fn() -> Input>> {
    let mut inputs: Vec<Box<dyn Fn() -> Input>> =
        vec![Box::new(|| Input::Restart), Box::new(|| Input::Cancel)];
    let refused = [PasswordVerdict::Wrong, PasswordVerdict::Paused(TIME)];
    for verdict in passwords().into_iter().map(PasswordVerdict::Right).chain(refused) {
        inputs.push(Box::new(move || Input::Password(PasswordChecked::assume(verdict))));
    }
    for user in [0, 1].map(user_id) {
        for epoch in [0, 1] {
            inputs.push(Box::new(move || {
                Input::Follow(SessionChecked::assume(session_id(1), user, epoch))
            }));
        }
        for refused in [None, Some(BadPassword::Common)] {
            inputs.push(Box::new(move || {
                Input::NewPassword(NewPasswordChecked::assume(user, refused))
            }));
        }
    }
    inputs
}

/// Whether what was proven still counts.
fn counts(first: ProvenFirstStep, facts: &Facts<'_>) -> bool {
    facts.person.is_some_and(|now| {
        let same = match first.step {
            FirstStep::Password { version } => version == now.password_version,
            FirstStep::PasskeyUv { .. } => true,
        };
        same && (now.user, now.epoch) == (first.user, first.epoch)
    })
}

/// The first step of a state, if what was proven still counts.
fn alive(state: &State, facts: &Facts<'_>) -> Option<ProvenFirstStep> {
    let first = match state {
        State::Second(second) => second.first,
        State::NewPassword(pending) => pending.first,
        State::Password | State::Complete(_) | State::Cancelled => return None,
    };
    counts(first, facts).then_some(first)
}

const fn is_ended(state: &State) -> bool {
    matches!(state, State::Complete(_) | State::Cancelled)
}

/// The proof that is right at this point, with the first step that it completes: of this person, of this epoch, awaited or
/// of both steps, offered, and in time.
fn right_proof(
    state: &State,
    input: &Input,
    facts: &Facts<'_>,
) -> Option<(ProvenFirstStep, Proof)> {
    let Input::Second(checked) = input else { return None };
    let (proof, owner) = (*checked.proof(), checked.owner());
    let offered = facts.offered.contains(&proof.method());
    if checked.verdict() != Verdict::Right(CodeValidity::Valid) || !offered || is_ended(state) {
        return None;
    }
    if let Proof::Held(held) = proof
        && held.method.proves_both()
    {
        let step = FirstStep::PasskeyUv { credential: held.row };
        let first = ProvenFirstStep { user: owner.user, epoch: owner.epoch, step };
        return counts(first, facts).then_some((first, proof));
    }
    let first = alive(state, facts)?;
    let State::Second(PendingSecondStep { waiting, .. }) = state else { return None };
    let awaited = match (waiting, proof) {
        (AwaitedProof::Mailed(own), Proof::Mailed(code)) => {
            code == *own || facts.current == Some(code)
        }
        (AwaitedProof::Held(method), Proof::Held(held)) => held.method == *method,
        (AwaitedProof::Mailed(_), Proof::Held(_)) | (AwaitedProof::Held(_), Proof::Mailed(_)) => {
            false
        }
    };
    let own = (owner.user, owner.epoch) == (first.user, first.epoch);
    (awaited && own).then_some((first, proof))
}

/// The challenge that an input is about.
fn challenge_of_input(input: &Input) -> Option<Challenge> {
    match input {
        Input::Second(checked) => match checked.proof() {
            Proof::Mailed(challenge) => Some(*challenge),
            Proof::Held(_) => None,
        },
        Input::Resend(checked) => Some(checked.challenge()),
        _ => None,
    }
}

/// The effects that are allowed.
fn is_allowed_effect(effect: &Effect, state: &State, input: &Input, facts: &Facts<'_>) -> bool {
    let right = right_proof(state, input, facts);
    let must_change = facts.person.is_some_and(|person| person.must_change);
    let changed = match (state, input) {
        (State::NewPassword(pending), Input::NewPassword(checked))
            if checked.user() == pending.first.user && checked.refusal().is_none() =>
        {
            Some(pending)
        }
        _ => None,
    };
    let open = alive(state, facts);
    let again = match input {
        Input::Second(checked) if checked.verdict() == Verdict::Repeated => Some(checked),
        _ => None,
    };
    match effect {
        Effect::SignIn(complete) => {
            let of = |first, proof: Proof| {
                (complete.first(), complete.second_method()) == (first, proof.second_method())
            };
            let by_proof = right.is_some_and(|(first, proof)| of(first, proof)) && !must_change;
            let by_change = changed.is_some_and(|pending| of(pending.first, pending.proof))
                && open == Some(complete.first());
            (by_proof || by_change) && complete.session() == facts.session
        }
        Effect::Consume(first, proof) => right == Some((*first, *proof)),
        Effect::ChangePassword(first) => changed.is_some() && open == Some(*first),
        Effect::FollowSession(session) => match input {
            Input::Follow(checked) => {
                let now = facts.person.is_some_and(|person| {
                    (person.user, person.epoch) == (checked.user(), checked.epoch())
                });
                let own = !is_ended(state) && state.user() == Some(checked.user());
                checked.session() == *session && now && own
            }
            _ => false,
        },
        Effect::Reissue(session) => match (state, again) {
            (State::Complete(done), Some(checked)) => {
                done.proof == Some(*checked.proof())
                    && (done.user, done.session) == (checked.owner().user, *session)
            }
            _ => false,
        },
        Effect::ChangeBrowser => {
            let again = match (state, again) {
                (State::NewPassword(pending), Some(checked)) => {
                    pending.proof == *checked.proof() && pending.first.user == checked.owner().user
                }
                _ => false,
            };
            (right.is_some() && must_change) || (again && open.is_some())
        }
        Effect::End(goal) => *goal == facts.goal,
        Effect::Deliver(delivery) => may_deliver(*delivery, (state, input), facts),
    }
}

/// The deliveries that are allowed: only of a challenge, and only for a first step that counts.
fn may_deliver(delivery: Delivery, (state, input): (&State, &Input), facts: &Facts<'_>) -> bool {
    let open = alive(state, facts);
    match delivery {
        Delivery::Open(first, challenge) => {
            let asked = match input {
                Input::Password(checked) => {
                    let right = checked.verdict() == PasswordVerdict::Right(first);
                    facts.offered.first().filter(|_| right).copied()
                }
                Input::Choose(method) => Some(*method).filter(|_| open == Some(first)),
                _ => None,
            };
            asked == Some(Method::Mailed(challenge.method))
                && challenge.id == facts.challenge
                && counts(first, facts)
        }
        Delivery::Replace { first, old, new } => {
            let is_new = old != new && new.id == facts.challenge && old.method == new.method;
            is_new && open == Some(first) && challenge_of_input(input) == Some(old)
        }
        Delivery::SendAgain(challenge) => {
            open.is_some() && challenge_of_input(input) == Some(challenge)
        }
    }
}

/// The states that an attempt may reach from here.
fn is_allowed_transition(
    before: &State,
    input: &Input,
    facts: &Facts<'_>,
    step: &Transition,
) -> bool {
    let effect = |is: fn(&Effect) -> bool| step.effects.iter().filter(|e| is(e)).count() == 1;
    if step.state == *before {
        return true;
    }
    !is_ended(before)
        && match &step.state {
            State::Password => {
                let both = matches!(input, Input::Second(checked) if checked.is_about_both());
                matches!(input, Input::Restart | Input::Password(_))
                    || both
                    || alive(before, facts).is_none()
            }
            State::Cancelled => matches!(input, Input::Cancel),
            State::Second(second) => match input {
                Input::Password(checked) => {
                    checked.verdict() == PasswordVerdict::Right(second.first)
                        && alive(&step.state, facts).is_some()
                }
                _ => alive(before, facts) == Some(second.first),
            },
            State::NewPassword(pending) => {
                right_proof(before, input, facts) == Some((pending.first, pending.proof))
                    && effect(|e| matches!(e, Effect::Consume(..)))
                    && effect(|e| matches!(e, Effect::ChangeBrowser))
            }
            State::Complete(_) => {
                let spent = effect(|e| matches!(e, Effect::Consume(..)));
                let changed = effect(|e| matches!(e, Effect::ChangePassword(_)));
                let signed_in = effect(|e| matches!(e, Effect::SignIn(_)));
                let followed = effect(|e| matches!(e, Effect::FollowSession(_)));
                (signed_in && (spent != changed)) != followed
            }
        }
}

/// Whether an attempt ends exactly if a session is given.
fn ends_iff_session_given(step: &Transition) -> bool {
    let given = |effect: &&Effect| {
        matches!(effect, Effect::SignIn(_) | Effect::FollowSession(_) | Effect::Reissue(_))
    };
    let end = |effect: &&Effect| matches!(effect, Effect::End(_));
    let given = step.effects.iter().filter(given).count();
    given < 2 && step.effects.iter().filter(end).count() == given
}

/// Tries everything; returns the number of steps, or the first failure.
fn try_all(machine: StepFn) -> Result<usize, String> {
    let of = FIRST_OF_EACH;
    let (states, inputs, facts) = (of.states(), of.inputs(), of.facts());
    for state in &states {
        for make in &inputs {
            for facts in &facts {
                let after = machine(state.clone(), make(), facts);
                let input = make();
                let silent = after.effects.is_empty() && after.state == *state;
                let holds = after.effects.iter().all(|effect| is_allowed_effect(effect, state, &input, facts))
                    && is_allowed_transition(state, &input, facts, &after)
                    && ends_iff_session_given(&after)
                    // A step without progress has a refusal.
                    && (!silent
                        || after.refusal.is_some()
                        || matches!(input, Input::Restart | Input::Choose(_)));
                if !holds {
                    return Err(format!("{state:?}\n{input:?}\n{facts:?}\n{after:?}"));
                }
            }
        }
    }
    Ok(states.len() * inputs.len() * facts.len())
}

#[test]
fn every_state_and_verdict_is_safe() {
    let tried = try_all(step).unwrap_or_else(|wrong| panic!("{wrong}"));
    println!("every state and every verdict: {tried} steps");
}

#[test]
fn ignored_code_owner_is_caught() {
    fn machine(state: State, input: Input, facts: &Facts<'_>) -> Transition {
        let (State::Second(second), Input::Second(checked)) = (&state, &input) else {
            return step(state, input, facts);
        };
        let owner = ProofOwner { user: second.first.user, epoch: second.first.epoch };
        let mine = SecondChecked::assume(*checked.proof(), owner, checked.verdict());
        step(state, Input::Second(mine), facts)
    }
    assert!(try_all(machine).is_err());
}

#[test]
fn unoffered_method_is_caught() {
    fn machine(state: State, input: Input, facts: &Facts<'_>) -> Transition {
        step(state, input, &Facts { offered: FIRST_OF_EACH.all, ..*facts })
    }
    assert!(try_all(machine).is_err());
}

#[test]
fn self_replacing_challenge_is_caught() {
    fn machine(state: State, input: Input, facts: &Facts<'_>) -> Transition {
        let resend = matches!(&input, Input::Resend(c) if c.verdict() == ResendVerdict::New);
        let mut step = step(state, input, facts);
        if let (true, [Effect::Deliver(Delivery::SendAgain(same))], State::Second(second)) =
            (resend, step.effects.as_slice(), &step.state)
        {
            let (first, old, new) = (second.first, *same, *same);
            step.effects = vec![Effect::Deliver(Delivery::Replace { first, old, new })];
        }
        step
    }
    assert!(try_all(machine).is_err());
}
