//! Where an attempt ends changes nothing about the way there. The worlds beside this file have both ends; here each is alone,
//! and machines that look at the end are caught.

use super::{
    super::{
        code_window::Time,
        effect::Effect,
        goal::Goal,
        machine::{Facts, Input, Step, step},
        method::Proof,
        second::{Owner, SecondChecked, Verdict},
        state::{Second, State, Waiting},
    },
    Bounds, CLIENTS, EVERYBODY, Found, PAGES, SOUND, VICTIM,
    broken::{broken_rule, caught},
    cast::ACCOUNT,
    executor::{Rules, StepFn},
    search,
    table::FIRST_OF_EACH,
};

#[test]
fn page_and_client_worlds_are_equal() {
    let bounds = Bounds { people: VICTIM, ..EVERYBODY };
    let clients = search("ends at clients", &bounds, &Rules { ends: CLIENTS, ..SOUND });
    let pages = search("ends at pages", &bounds, &Rules { ends: PAGES, ..SOUND });
    assert_eq!(clients, Found { at_page: 0, ..pages });
}

/// With another goal every decision is the same but for the end itself.
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
                assert!(of.steps_alike(page, &client), "{state:?} {input:?} {facts:?}");
            }
        }
    }
}

/// Takes the password of an attempt that ends at a page of ours for both steps.
fn one_step(state: State, input: Input, facts: &Facts<'_>) -> Step {
    let is_password = matches!(input, Input::Password(_));
    let first_step = step(state, input, facts);
    let State::Second(Second { first, waiting: Waiting::Mailed(own) }) = &first_step.state else {
        return first_step;
    };
    if facts.goal == Goal::Client || !is_password {
        return first_step;
    }
    let (proof, owner) = (Proof::Mailed(*own), Owner { user: first.user, epoch: first.epoch });
    let checked = SecondChecked::assume(proof, owner, Verdict::Right(Time::Open));
    let mut step = step(first_step.state, Input::Second(checked), facts);
    step.effects.retain(|effect| !matches!(effect, Effect::Spend(..)));
    step
}

#[test]
fn one_step_page_is_caught() {
    caught(one_step, "signed in without a second step");
    let clients = Rules { step: one_step, ends: CLIENTS, ..SOUND };
    assert_eq!(broken_rule(&EVERYBODY, &clients), None, "only the other end shows it");
}

#[test]
fn wrong_goal_is_caught() {
    let machine: StepFn =
        |state, input, facts| step(state, input, &Facts { goal: Goal::Client, ..*facts });
    caught(machine, "ended elsewhere than it was begun for");
}

#[test]
fn session_without_end_is_caught() {
    let machine: StepFn = |state, input, facts| {
        let mut step = step(state, input, facts);
        step.effects.retain(|effect| !matches!(effect, Effect::End(_)));
        step
    };
    caught(machine, "an attempt did not reach its end");
}
