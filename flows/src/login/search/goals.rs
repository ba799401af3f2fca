//! The goal of an attempt does not change the steps to it. The other searches have both goals; here each is alone, and
//! machines that use the goal are caught.

use super::{
    super::{
        code_window::CodeValidity,
        effect::Effect,
        goal::Goal,
        machine::{Facts, Input, Transition, step},
        method::Proof,
        second_step::{ProofOwner, SecondChecked, Verdict},
        state::{AwaitedProof, PendingSecondStep, State},
    },
    Bounds, CLIENT_GOALS, FULL_BOUNDS, PAGE_GOALS, SearchStats, UNMODIFIED, VICTIM_ONLY,
    executor::{Rules, StepFn},
    mutants::{assert_caught, broken_rule},
    run_search,
    single_step::FIRST_OF_EACH,
    test_methods::ACCOUNT,
};

#[test]
fn page_and_client_worlds_are_equal() {
    let bounds = Bounds { people: VICTIM_ONLY, ..FULL_BOUNDS };
    let clients =
        run_search("ends at clients", &bounds, &Rules { goals: CLIENT_GOALS, ..UNMODIFIED });
    let pages = run_search("ends at pages", &bounds, &Rules { goals: PAGE_GOALS, ..UNMODIFIED });
    assert_eq!(clients, SearchStats { at_page: 0, ..pages });
}

/// With another goal every decision is the same except for the final effect.
#[test]
fn goal_affects_only_final_effect() {
    let way = |state: &State, input, facts: &Facts<'_>| {
        let mut step = step(state.clone(), input, facts);
        let ends = |effect: &Effect| matches!(effect, Effect::End(goal) if *goal == facts.goal);
        step.effects.retain(|effect| !ends(effect));
        step
    };
    let of = FIRST_OF_EACH;
    let (inputs, facts) = (of.inputs(), of.facts());
    for state in of.states() {
        for make in &inputs {
            for facts in &facts {
                let client = way(&state, make(), facts);
                let page = way(&state, make(), &Facts { goal: ACCOUNT, ..*facts });
                let input = make();
                assert!(of.are_steps_equivalent(page, &client), "{state:?} {input:?} {facts:?}");
            }
        }
    }
}

/// Accepts the password alone for an attempt that ends at a page of ours.
fn one_step(state: State, input: Input, facts: &Facts<'_>) -> Transition {
    let is_password = matches!(input, Input::Password(_));
    let first_step = step(state, input, facts);
    let State::Second(PendingSecondStep { first, waiting: AwaitedProof::Mailed(own) }) =
        &first_step.state
    else {
        return first_step;
    };
    if facts.goal == Goal::Client || !is_password {
        return first_step;
    }
    let (proof, owner) = (Proof::Mailed(*own), ProofOwner { user: first.user, epoch: first.epoch });
    let checked = SecondChecked::assume(proof, owner, Verdict::Right(CodeValidity::Valid));
    let mut step = step(first_step.state, Input::Second(checked), facts);
    step.effects.retain(|effect| !matches!(effect, Effect::Consume(..)));
    step
}

#[test]
fn one_step_page_is_caught() {
    assert_caught(one_step, "signed in without a second step");
    let clients = Rules { step: one_step, goals: CLIENT_GOALS, ..UNMODIFIED };
    assert_eq!(broken_rule(&FULL_BOUNDS, &clients), None, "only the other end shows it");
}

#[test]
fn wrong_goal_is_caught() {
    let machine: StepFn =
        |state, input, facts| step(state, input, &Facts { goal: Goal::Client, ..*facts });
    assert_caught(machine, "ended at another goal than its own");
}

#[test]
fn session_without_end_is_caught() {
    let machine: StepFn = |state, input, facts| {
        let mut step = step(state, input, facts);
        step.effects.retain(|effect| !matches!(effect, Effect::End(_)));
        step
    };
    assert_caught(machine, "an attempt did not reach its goal");
}
