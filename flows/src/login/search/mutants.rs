//! Mutation tests of the search: machines that are broken on purpose, and an executor without one of its guards, are caught.
//!
//! Each machine here calls the real one and changes one thing: its arguments or its result.

use super::{
    super::{
        code_window::CodeValidity,
        effect::Effect,
        follow::SessionChecked,
        machine::{Facts, Input, Transition, step},
        method::{HeldProof, Method, Proof},
        password::PasswordVerdict,
        refusal::{MailRefusal, Refusal},
        second_step::{ProofOwner, SecondChecked, Verdict},
        state::{
            AwaitedProof, FirstStep, PendingNewPassword, PendingSecondStep, ProvenFirstStep, State,
        },
    },
    Bounds, FULL_BOUNDS, UNMODIFIED, VICTIM_ONLY, VICTIM_TABS,
    executor::{Guard, Rules, StepFn},
    explore,
    method_kinds::offering,
    test_methods::{APP, EMAIL, KEY},
};

/// The rule that a search finds broken.
pub(super) fn broken_rule(bounds: &Bounds, rules: &Rules) -> Option<&'static str> {
    explore(bounds, rules).err().map(|report| report.rule)
}

pub(super) fn assert_caught(step: StepFn, rule: &str) {
    assert_eq!(broken_rule(&FULL_BOUNDS, &Rules { step, ..UNMODIFIED }), Some(rule));
}

fn without(guard: Guard) -> Rules {
    Rules { without: Some(guard), ..UNMODIFIED }
}

fn second(input: &Input) -> Option<&SecondChecked> {
    match input {
        Input::Second(checked) => Some(checked),
        _ => None,
    }
}

/// The same proof with another verdict.
fn with_verdict(checked: &SecondChecked, verdict: Verdict) -> Input {
    Input::Second(SecondChecked::assume(*checked.proof(), checked.owner(), verdict))
}

const RIGHT: Verdict = Verdict::Right(CodeValidity::Valid);

/// Calls the real machine with one verdict replaced by another.
fn treat_as_right(wrong: Verdict, state: State, input: Input, facts: &Facts<'_>) -> Transition {
    match second(&input) {
        Some(checked) if checked.verdict() == wrong => {
            let input = with_verdict(checked, RIGHT);
            step(state, input, facts)
        }
        _ => step(state, input, facts),
    }
}

#[test]
fn late_code_sign_in_is_caught() {
    assert_caught(
        |state, input, facts| {
            treat_as_right(Verdict::Right(CodeValidity::Late), state, input, facts)
        },
        "a code was used up that was not right",
    );
}

#[test]
fn expired_code_sign_in_is_caught() {
    assert_caught(
        |state, input, facts| {
            treat_as_right(Verdict::Right(CodeValidity::Expired), state, input, facts)
        },
        "a code was used up that was not right",
    );
}

#[test]
fn superseded_code_sign_in_is_caught() {
    assert_caught(
        |state, input, facts| {
            treat_as_right(
                Verdict::Refused(Refusal::Mail(MailRefusal::Superseded)),
                state,
                input,
                facts,
            )
        },
        "a code was used up that was not right",
    );
}

#[test]
fn other_browsers_code_is_caught() {
    assert_caught(
        |state, input, facts| {
            treat_as_right(
                Verdict::Refused(Refusal::Mail(MailRefusal::OtherBrowser)),
                state,
                input,
                facts,
            )
        },
        "a code was used up that was not right",
    );
}

#[test]
fn foreign_code_sign_in_is_caught() {
    fn machine(state: State, input: Input, facts: &Facts<'_>) -> Transition {
        let (
            State::Second(PendingSecondStep { first, waiting: AwaitedProof::Mailed(own) }),
            Some(checked),
        ) = (&state, second(&input))
        else {
            return step(state, input, facts);
        };
        if matches!(checked.proof(), Proof::Mailed(code) if facts.current == Some(*code)) {
            return step(state, input, facts);
        }
        let owner = ProofOwner { user: first.user, epoch: first.epoch };
        let mine = SecondChecked::assume(Proof::Mailed(*own), owner, checked.verdict());
        step(state, Input::Second(mine), facts)
    }
    assert_caught(machine, "a code was used up that was not right");
}

/// The facts of a person as if nothing had changed since the first step.
fn unchanged<'a>(first: ProvenFirstStep, facts: &Facts<'a>) -> Facts<'a> {
    let mut facts = *facts;
    if let (Some(person), FirstStep::Password { version }) = (&mut facts.person, first.step) {
        (person.epoch, person.password_version) = (first.epoch, version);
    }
    facts
}

#[test]
fn ignored_epoch_change_is_caught() {
    fn machine(state: State, input: Input, facts: &Facts<'_>) -> Transition {
        match &state {
            State::Second(PendingSecondStep { first, .. })
            | State::NewPassword(PendingNewPassword { first, .. }) => {
                let facts = unchanged(*first, facts);
                step(state, input, &facts)
            }
            _ => step(state, input, facts),
        }
    }
    assert_caught(machine, "signed in by old proof");
}

#[test]
fn skipped_password_change_is_caught() {
    fn machine(state: State, input: Input, facts: &Facts<'_>) -> Transition {
        let mut facts = *facts;
        if let Some(person) = &mut facts.person {
            person.must_change = false;
        }
        step(state, input, &facts)
    }
    assert_caught(machine, "signed in without a second step");
}

#[test]
fn ignored_account_switch_is_caught() {
    fn machine(state: State, input: Input, facts: &Facts<'_>) -> Transition {
        let stays = match (&state, &input) {
            (State::Second(second), Input::Password(checked)) => match checked.verdict() {
                PasswordVerdict::Right(first) => first.user != second.first.user,
                _ => false,
            },
            _ => false,
        };
        if stays {
            return Transition { state, effects: Vec::new(), refusal: None };
        }
        step(state, input, facts)
    }
    assert_caught(machine, "waits for a second step without the first");
}

#[test]
fn proof_kept_across_accounts_is_caught() {
    fn machine(state: State, input: Input, facts: &Facts<'_>) -> Transition {
        if let (State::NewPassword(pending), Input::Password(checked)) = (&state, &input)
            && let PasswordVerdict::Right(first) = checked.verdict()
        {
            let state = State::NewPassword(PendingNewPassword { first, ..pending.clone() });
            return Transition { state, effects: Vec::new(), refusal: None };
        }
        step(state, input, facts)
    }
    assert_caught(machine, "asks for a new password without the code");
}

#[test]
fn restart_keeping_proof_is_caught() {
    fn machine(state: State, input: Input, facts: &Facts<'_>) -> Transition {
        if matches!((&state, &input), (State::NewPassword(_), Input::Restart)) {
            return Transition { state, effects: Vec::new(), refusal: None };
        }
        step(state, input, facts)
    }
    assert_caught(machine, "asks for a new password without the old one");
}

#[test]
fn following_foreign_session_is_caught() {
    fn machine(state: State, input: Input, facts: &Facts<'_>) -> Transition {
        if let (State::Second(second), Input::Follow(checked)) = (&state, &input) {
            let first = second.first;
            let mine = SessionChecked::assume(checked.session(), first.user, first.epoch);
            return step(state, Input::Follow(mine), facts);
        }
        step(state, input, facts)
    }
    assert_caught(machine, "followed a session without the password");
}

#[test]
fn reissue_by_any_code_is_caught() {
    fn machine(state: State, input: Input, facts: &Facts<'_>) -> Transition {
        if let (State::Complete(_), Some(checked)) = (&state, second(&input)) {
            let input = with_verdict(checked, Verdict::Repeated);
            return step(state, input, facts);
        }
        step(state, input, facts)
    }
    assert_caught(machine, "reissued to a browser that did not complete it");
}

#[test]
fn reusable_code_is_caught() {
    fn machine(state: State, input: Input, facts: &Facts<'_>) -> Transition {
        let mut step = step(state, input, facts);
        step.effects.retain(|effect| !matches!(effect, Effect::Consume(..)));
        step
    }
    assert_caught(machine, "an accepted code can be used again");
}

#[test]
fn resumed_cancelled_attempt_is_caught() {
    fn machine(state: State, input: Input, facts: &Facts<'_>) -> Transition {
        let state = match (state, &input) {
            (State::Cancelled, Input::Password(_)) => State::Password,
            (state, _) => state,
        };
        step(state, input, facts)
    }
    assert_caught(machine, "an ended attempt changed");
}

#[test]
fn ignored_newest_code_is_caught() {
    fn machine(state: State, input: Input, facts: &Facts<'_>) -> Transition {
        step(state, input, &Facts { current: None, ..*facts })
    }
    assert_caught(machine, "the newest code does not work");
}

#[test]
fn dead_end_is_caught() {
    fn machine(state: State, input: Input, facts: &Facts<'_>) -> Transition {
        // A person with a mailed code must answer it, even after starting again.
        if facts.current.is_some() && matches!(input, Input::Password(_)) {
            return Transition { state, effects: Vec::new(), refusal: Some(Refusal::OutOfTurn) };
        }
        step(state, input, facts)
    }
    assert_caught(machine, "a dead end: the password does not lead on");
}

#[test]
fn missing_version_guard_is_caught() {
    let bounds = Bounds { in_flight: 1, ..FULL_BOUNDS };
    assert_eq!(
        broken_rule(&bounds, &without(Guard::Version)),
        Some("a post acted on an attempt that was changed")
    );
}

#[test]
fn missing_once_guard_is_caught() {
    let bounds = Bounds { in_flight: 1, tabs: VICTIM_TABS, people: VICTIM_ONLY, ..FULL_BOUNDS };
    assert_eq!(
        broken_rule(&bounds, &without(Guard::SingleUse)),
        Some("signed in without the code of this person and browser")
    );
}

#[test]
fn missing_lock_guard_is_caught() {
    let bounds =
        Bounds { in_flight: 1, split: true, tabs: VICTIM_TABS, people: VICTIM_ONLY, ..FULL_BOUNDS };
    assert_eq!(
        broken_rule(&bounds, &without(Guard::Lock)),
        Some("signed in after a reset or another password")
    );
}

#[test]
fn missing_successor_guard_is_caught() {
    let bounds = Bounds { tabs: VICTIM_TABS, people: VICTIM_ONLY, ..FULL_BOUNDS };
    assert_eq!(
        broken_rule(&bounds, &without(Guard::Successor)),
        Some("the newest code does not work in this tab")
    );
}

/// Accepts a code of any epoch as one of the current epoch.
fn any_epoch(state: State, input: Input, facts: &Facts<'_>) -> Transition {
    let (State::Second(PendingSecondStep { first, .. }), Some(checked)) = (&state, second(&input))
    else {
        return step(state, input, facts);
    };
    let owner = ProofOwner { epoch: first.epoch, ..checked.owner() };
    let checked = SecondChecked::assume(*checked.proof(), owner, checked.verdict());
    step(state, Input::Second(checked), facts)
}

/// A code that was mailed before a reset is refused by two guards: its challenge is not joined, and the machine refuses it.
#[test]
fn missing_epoch_guards_are_caught() {
    let bounds = Bounds { tabs: VICTIM_TABS, people: VICTIM_ONLY, ..FULL_BOUNDS };
    let machine = Rules { step: any_epoch, ..UNMODIFIED };
    assert_eq!(broken_rule(&bounds, &machine), None, "the executor's guard is enough");
    assert_eq!(
        broken_rule(&bounds, &without(Guard::Epoch)),
        Some("a dead end: password and code do not lead on"),
        "the machine's guard is enough, but no sign-in completes"
    );
    let neither = Rules { step: any_epoch, ..without(Guard::Epoch) };
    assert_eq!(
        broken_rule(&bounds, &neither),
        Some("signed in without the code of this person and browser")
    );
}

/// A browser that shares the cookie could choose the new password for the victim who typed the code. The `__Host-` prefix
/// prevents planting a cookie (decision 13); if it was planted all the same, the new value before that step prevents it.
#[test]
fn planted_cookie_cannot_choose_password() {
    let bounds = Bounds { tabs: &[0, 2], ..FULL_BOUNDS };
    let planted = Rules { planted: true, ..UNMODIFIED };
    if let Err(report) = explore(&bounds, &planted) {
        panic!("{report}");
    }
    assert_eq!(
        broken_rule(&bounds, &Rules { planted: true, ..without(Guard::ThisAndUnmoved) }),
        Some("the attacker can choose the new password")
    );
    assert_eq!(
        broken_rule(&bounds, &Rules { planted: true, ..without(Guard::Browser) }),
        Some("the attacker can choose the new password")
    );
}

/// The victim and the attacker, with either kind of method.
fn assert_caught_with_either_kind(step: StepFn, rule: &str) {
    let bounds = Bounds { people: VICTIM_ONLY, ..FULL_BOUNDS };
    let rules = Rules { step, ..offering(&[EMAIL, APP]) };
    assert_eq!(broken_rule(&bounds, &rules), Some(rule));
}

#[test]
fn reusable_held_proof_is_caught() {
    fn machine(state: State, input: Input, facts: &Facts<'_>) -> Transition {
        let mut step = step(state, input, facts);
        let held = |effect: &Effect| matches!(effect, Effect::Consume(_, Proof::Held(_)));
        step.effects.retain(|effect| !held(effect));
        step
    }
    assert_caught_with_either_kind(machine, "an accepted code can be used again");
}

#[test]
fn foreign_held_proof_is_caught() {
    fn machine(state: State, input: Input, facts: &Facts<'_>) -> Transition {
        if let (State::Second(PendingSecondStep { first, .. }), Input::Second(checked)) =
            (&state, &input)
            && let Proof::Held(_) = checked.proof()
        {
            let owner = ProofOwner { user: first.user, epoch: first.epoch };
            let mine = SecondChecked::assume(*checked.proof(), owner, checked.verdict());
            return step(state, Input::Second(mine), facts);
        }
        step(state, input, facts)
    }
    let rules = Rules { step: machine, ..offering(&[APP]) };
    assert_eq!(broken_rule(&FULL_BOUNDS, &rules), Some("signed in without a second step"));
}

#[test]
fn choice_as_proof_is_caught() {
    fn machine(state: State, input: Input, facts: &Facts<'_>) -> Transition {
        if let (
            State::Second(PendingSecondStep { first, waiting: AwaitedProof::Held(method) }),
            Input::Choose(_),
        ) = (&state, &input)
        {
            let row = first.user.uuid();
            let proof = Proof::Held(HeldProof { method: *method, row, mark: 1 });
            let owner = ProofOwner { user: first.user, epoch: first.epoch };
            let checked = SecondChecked::assume(proof, owner, RIGHT);
            return step(state, Input::Second(checked), facts);
        }
        step(state, input, facts)
    }
    assert_caught_with_either_kind(machine, "a code was used up that was not right");
}

#[test]
fn choice_reviving_stale_step_is_caught() {
    fn machine(state: State, input: Input, facts: &Facts<'_>) -> Transition {
        if let (State::Second(PendingSecondStep { first, .. }), Input::Choose(Method::Held(method))) =
            (&state, &input)
            && let Some(person) = facts.person
        {
            let step = FirstStep::Password { version: person.password_version };
            let first = ProvenFirstStep { epoch: person.epoch, step, ..*first };
            let state =
                State::Second(PendingSecondStep { first, waiting: AwaitedProof::Held(*method) });
            return Transition { state, effects: Vec::new(), refusal: None };
        }
        step(state, input, facts)
    }
    assert_caught_with_either_kind(machine, "waits for a second step without the first");
}

#[test]
fn unusable_offered_method_is_caught() {
    fn machine(state: State, input: Input, facts: &Facts<'_>) -> Transition {
        if matches!(input, Input::Choose(_)) {
            return Transition { state, effects: Vec::new(), refusal: Some(Refusal::OutOfTurn) };
        }
        step(state, input, facts)
    }
    assert_caught_with_either_kind(machine, "a method that is offered cannot be chosen");
}

#[test]
fn single_step_proving_both_is_caught() {
    fn machine(state: State, input: Input, facts: &Facts<'_>) -> Transition {
        if let (State::Password, Input::Second(checked)) = (&state, &input)
            && let Proof::Held(held) = checked.proof()
            && let Some(Method::Held(method)) = facts.offered.last()
        {
            let proof = Proof::Held(HeldProof { method: *method, ..*held });
            let checked = SecondChecked::assume(proof, checked.owner(), RIGHT);
            return step(state, Input::Second(checked), facts);
        }
        step(state, input, facts)
    }
    let rules = Rules { step: machine, ..offering(&[APP, KEY]) };
    assert_eq!(broken_rule(&FULL_BOUNDS, &rules), Some("a code was used up that was not right"));
}

#[test]
fn kept_earlier_first_step_is_caught() {
    fn machine(state: State, input: Input, facts: &Facts<'_>) -> Transition {
        let before = match &state {
            State::Second(second) => Some(second.first),
            _ => None,
        };
        let mut step = step(state, input, facts);
        if let (Some(first), State::NewPassword(pending)) = (before, &mut step.state) {
            pending.first = first;
        }
        step
    }
    let rules = Rules { step: machine, ..offering(&[APP, KEY]) };
    assert_eq!(broken_rule(&FULL_BOUNDS, &rules), Some("signed in without the password"));
}

#[test]
fn held_proof_used_twice_is_caught() {
    let bounds = Bounds { in_flight: 1, tabs: VICTIM_TABS, people: VICTIM_ONLY, ..FULL_BOUNDS };
    let rules = Rules { without: Some(Guard::SingleUse), ..offering(&[APP]) };
    assert_eq!(broken_rule(&bounds, &rules), Some("one proof counted twice"));
}
