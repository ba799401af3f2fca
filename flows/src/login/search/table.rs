//! The machine alone, without a world: every state, every verdict and every fact, also those that no executor would ever
//! bring together. What holds here needs no faith in anything around the machine.

use super::{
    super::{
        email_code::{CodeChecked, CodeVerdict},
        follow::SessionChecked,
        machine::{
            Completed, Effect, Facts, First, Input, NewPassword, Person, Second, SecondChecked,
            SecondMethod, State, Step, Time, Waiting, step,
        },
        new_password::NewPasswordChecked,
        password::{PasswordChecked, PasswordVerdict},
        refusal::{CodeRefusal, MailRefusal, Refusal},
        resend::{ResendChecked, ResendVerdict},
    },
    executor::StepFn,
    world::{challenge_id, session_id, user_id},
};
use crate::account::password::BadPassword;
use store::Timestamp;

const TIME: Timestamp = Timestamp::from_millis(0);

fn firsts() -> Vec<First> {
    let first = |user, epoch, password_version| First { user, epoch, password_version };
    let (mine, other) = (user_id(0), user_id(1));
    vec![first(mine, 0, 0), first(mine, 1, 0), first(mine, 0, 1), first(other, 0, 0)]
}

fn states() -> Vec<State> {
    let mut states = vec![State::Password, State::Cancelled];
    for first in firsts() {
        for challenge in [0, 1] {
            let waiting = Waiting::EmailCode(challenge_id(challenge));
            states.push(State::Second(Second { first, waiting }));
        }
        let second = SecondMethod::EmailCode;
        for challenge in [None, Some(0), Some(1)] {
            let challenge = challenge.map(challenge_id);
            states.push(State::NewPassword(NewPassword { first, second, challenge }));
        }
    }
    for user in [0, 1] {
        for challenge in [None, Some(0), Some(1)] {
            let challenge = challenge.map(challenge_id);
            let (user, session) = (user_id(user), session_id(0));
            states.push(State::Complete(Completed { user, session, challenge }));
        }
    }
    states
}

fn code_verdicts() -> Vec<CodeVerdict> {
    let refusals = [
        Refusal::Code(CodeRefusal::Wrong(1)),
        Refusal::Mail(MailRefusal::Superseded),
        Refusal::Code(CodeRefusal::Used),
        Refusal::Mail(MailRefusal::OtherBrowser),
        Refusal::Mail(MailRefusal::Exhausted),
        Refusal::Code(CodeRefusal::Paused(TIME)),
    ];
    [Time::Open, Time::Late, Time::Past]
        .map(CodeVerdict::Right)
        .into_iter()
        .chain([CodeVerdict::Past, CodeVerdict::Repeated])
        .chain(refusals.map(CodeVerdict::Refused))
        .collect()
}

/// Inputs are not `Clone`: a verdict is used once. So they are made anew for every call.
fn inputs() -> Vec<Box<dyn Fn() -> Input>> {
    let mut inputs: Vec<Box<dyn Fn() -> Input>> =
        vec![Box::new(|| Input::Restart), Box::new(|| Input::Cancel)];
    let passwords = [PasswordVerdict::Wrong, PasswordVerdict::Paused(TIME)];
    for verdict in firsts().into_iter().map(PasswordVerdict::Right).chain(passwords) {
        inputs.push(Box::new(move || Input::Password(PasswordChecked::assume(verdict))));
    }
    for challenge in [0, 1, 2].map(challenge_id) {
        for verdict in [ResendVerdict::Same, ResendVerdict::New, ResendVerdict::Later(TIME)] {
            inputs.push(Box::new(move || Input::Resend(ResendChecked::assume(challenge, verdict))));
        }
        for (user, epoch) in [(0, 0), (0, 1), (1, 0)] {
            for verdict in code_verdicts() {
                inputs.push(Box::new(move || {
                    let checked = CodeChecked::assume(challenge, user_id(user), epoch, verdict);
                    Input::Second(SecondChecked::EmailCode(checked))
                }));
            }
        }
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

fn facts() -> Vec<Facts> {
    let mut people = vec![None];
    for First { user, epoch, password_version } in firsts() {
        for must_change in [false, true] {
            people.push(Some(Person { user, epoch, password_version, must_change }));
        }
    }
    let mut facts = Vec::new();
    for person in people {
        for challenge in [0, 2].map(challenge_id) {
            for current in [None, Some(0), Some(1)] {
                let (current, session) = (current.map(challenge_id), session_id(2));
                facts.push(Facts { person, challenge, current, session });
            }
        }
    }
    facts
}

/// The first step of a state, if what was proven still counts.
fn alive(state: &State, facts: &Facts) -> Option<First> {
    let first = match state {
        State::Second(second) => second.first,
        State::NewPassword(pending) => pending.first,
        State::Password | State::Complete(_) | State::Cancelled => return None,
    };
    let now = facts.person?;
    let same = (now.user, now.epoch, now.password_version)
        == (first.user, first.epoch, first.password_version);
    same.then_some(first)
}

/// The challenge whose code is right here and now: of this person, of this epoch, awaited, and in time.
fn right_code(state: &State, input: &Input, facts: &Facts) -> Option<(First, store::ChallengeId)> {
    let first = alive(state, facts)?;
    let (State::Second(second), Input::Second(SecondChecked::EmailCode(checked))) = (state, input)
    else {
        return None;
    };
    let Waiting::EmailCode(own) = second.waiting;
    let challenge = checked.challenge();
    let right = checked.verdict() == CodeVerdict::Right(Time::Open)
        && (checked.user(), checked.epoch()) == (first.user, first.epoch)
        && (challenge == own || facts.current == Some(challenge));
    right.then_some((first, challenge))
}

/// What may be asked for, and nothing else.
fn may(effect: &Effect, state: &State, input: &Input, facts: &Facts) -> bool {
    let code = right_code(state, input, facts);
    let must_change = facts.person.is_some_and(|person| person.must_change);
    let changed = match (state, input) {
        (State::NewPassword(pending), Input::NewPassword(checked)) => {
            checked.user() == pending.first.user && checked.refused().is_none()
        }
        _ => false,
    };
    let open = alive(state, facts);
    match effect {
        Effect::SignIn(proof) => {
            let by_code = code.is_some() && !must_change;
            (by_code || changed) && open == Some(proof.first()) && proof.session() == facts.session
        }
        Effect::UseChallenge(first, id) => code == Some((*first, *id)),
        Effect::ChangePassword(first) => changed && open == Some(*first),
        Effect::FollowSession(session) => match input {
            Input::Follow(checked) => {
                let now = facts.person.is_some_and(|person| {
                    (person.user, person.epoch) == (checked.user(), checked.epoch())
                });
                let first = match state {
                    State::Second(second) => Some(second.first.user),
                    State::NewPassword(pending) => Some(pending.first.user),
                    _ => None,
                };
                checked.session() == *session && now && first == Some(checked.user())
            }
            _ => false,
        },
        Effect::Reissue(session) => match (state, input) {
            (State::Complete(done), Input::Second(SecondChecked::EmailCode(checked))) => {
                checked.verdict() == CodeVerdict::Repeated
                    && done.challenge == Some(checked.challenge())
                    && (done.user, done.session) == (checked.user(), *session)
            }
            _ => false,
        },
        Effect::OpenChallenge(first, id) => match input {
            Input::Password(checked) => {
                checked.verdict() == PasswordVerdict::Right(*first) && *id == facts.challenge
            }
            _ => false,
        },
        Effect::ReplaceChallenge { first, old, new } => {
            open == Some(*first) && old != new && *new == facts.challenge
        }
        Effect::SendAgain(_) => open.is_some(),
        Effect::ChangeBrowser => {
            let again = match (state, input) {
                (State::NewPassword(pending), Input::Second(SecondChecked::EmailCode(checked))) => {
                    checked.verdict() == CodeVerdict::Repeated
                        && pending.challenge == Some(checked.challenge())
                        && pending.first.user == checked.user()
                }
                _ => false,
            };
            (code.is_some() && must_change) || (again && open.is_some())
        }
    }
}

/// Where an attempt may go from here.
fn leads(before: &State, input: &Input, facts: &Facts, step: &Step) -> bool {
    let effect = |is: fn(&Effect) -> bool| step.effects.iter().filter(|e| is(e)).count() == 1;
    if step.state == *before {
        return true;
    }
    let ended = matches!(before, State::Complete(_) | State::Cancelled);
    !ended
        && match &step.state {
            State::Password => {
                matches!(input, Input::Restart | Input::Password(_))
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
                right_code(before, input, facts).is_some_and(|(first, _)| first == pending.first)
                    && effect(|e| matches!(e, Effect::UseChallenge(..)))
                    && effect(|e| matches!(e, Effect::ChangeBrowser))
            }
            State::Complete(_) => {
                let used = effect(|e| matches!(e, Effect::UseChallenge(..)));
                let changed = effect(|e| matches!(e, Effect::ChangePassword(_)));
                let signed_in = effect(|e| matches!(e, Effect::SignIn(_)));
                let followed = effect(|e| matches!(e, Effect::FollowSession(_)));
                (signed_in && (used != changed)) != followed
            }
        }
}

/// Tries everything; returns how much that was, or what went wrong first.
fn try_all(machine: StepFn) -> Result<usize, String> {
    let (states, inputs, facts) = (states(), inputs(), facts());
    for state in &states {
        for make in &inputs {
            for facts in &facts {
                let after = machine(state.clone(), make(), facts);
                let input = make();
                let silent = after.effects.is_empty() && after.state == *state;
                let holds = after.effects.iter().all(|effect| may(effect, state, &input, facts))
                    && leads(state, &input, facts, &after)
                    // Whoever gets nowhere is told why.
                    && (!silent || after.refusal.is_some() || matches!(input, Input::Restart));
                if !holds {
                    return Err(format!("{state:?}\n{input:?}\n{facts:?}\n{after:?}"));
                }
            }
        }
    }
    Ok(states.len() * inputs.len() * facts.len())
}

#[test]
fn every_state_and_every_verdict() {
    let tried = try_all(step).unwrap_or_else(|wrong| panic!("{wrong}"));
    println!("every state and every verdict: {tried} steps");
}

#[test]
fn a_machine_that_does_not_look_whose_code_it_is() {
    fn machine(state: State, input: Input, facts: &Facts) -> Step {
        let (State::Second(second), Input::Second(SecondChecked::EmailCode(checked))) =
            (&state, &input)
        else {
            return step(state, input, facts);
        };
        let (user, epoch) = (second.first.user, second.first.epoch);
        let mine = CodeChecked::assume(checked.challenge(), user, epoch, checked.verdict());
        step(state, Input::Second(SecondChecked::EmailCode(mine)), facts)
    }
    assert!(try_all(machine).is_err());
}

#[test]
fn a_machine_that_replaces_a_challenge_by_itself() {
    fn machine(state: State, input: Input, facts: &Facts) -> Step {
        let resend = matches!(&input, Input::Resend(c) if c.verdict() == ResendVerdict::New);
        let mut step = step(state, input, facts);
        if let (true, [Effect::SendAgain(same)], State::Second(second)) =
            (resend, step.effects.as_slice(), &step.state)
        {
            let (first, old, new) = (second.first, *same, *same);
            step.effects = vec![Effect::ReplaceChallenge { first, old, new }];
        }
        step
    }
    assert!(try_all(machine).is_err());
}
