//! No person is ever stuck: from every state the password and the newest mail lead to a completed sign-in.

use super::{
    executor::{self, Rules, RunOutcome},
    invariants::Violation,
    transitions::{begin_new_attempt, flight},
    verdicts::answered_challenge,
    world::{
        AttemptState, Awaited, ChallengeState, CodeValidity, CodeVerdict, FLIGHTS, HeldMark,
        JudgedPost, VICTIM, VICTIM_BROWSER, World, number,
    },
};

/// What the victim, at the own browser and without concurrent requests, can reach from this state.
pub(super) fn check(world: &World, rules: &Rules) -> Result<(), Violation> {
    let mut quiet = *world;
    quiet.in_flight = [None; FLIGHTS];
    newest_code_works(&quiet, 0, rules)?;
    newest_code_works(&quiet, 1, rules)?;
    starting_again_works(&quiet, rules)
}

/// The code of the newest mail works in every tab of the browser that requested it, unless the tab awaits nothing.
fn newest_code_works(world: &World, tab: u8, rules: &Rules) -> Result<(), Violation> {
    let row = world.tab(tab);
    let browser = world.jars[usize::from(VICTIM_BROWSER)].browser;
    let AttemptState::Second { first, awaited: Awaited::Code(challenge) } = row.at else {
        return Ok(());
    };
    if row.browser != browser || !world.counts(first) {
        return Ok(());
    }
    let newest = match world.challenge(challenge).state {
        ChallengeState::Open => Some(challenge),
        ChallengeState::Superseded => {
            world.open(first.user, browser, world.challenge(challenge).method)
        }
        ChallengeState::Used => None,
    };
    let in_time = |c: &u8| {
        let row = world.challenge(*c);
        row.epoch == first.epoch && row.validity == CodeValidity::Valid
    };
    let Some(challenge) = newest.filter(in_time) else { return Ok(()) };
    if answered_challenge(world, row.at, browser, rules) != Some(challenge) {
        return Err(Violation("the newest code does not work in this tab"));
    }
    let right = JudgedPost::Code { challenge, code: CodeVerdict::Right(CodeValidity::Valid) };
    for after in post_and_deliver(world, tab, right, rules)? {
        if !matches!(
            after.tab(tab).at,
            AttemptState::NewPassword { .. } | AttemptState::Complete { .. }
        ) {
            return Err(Violation("the newest code does not work"));
        }
    }
    Ok(())
}

/// Start again, password, code, and a new password if a reset requires one.
fn starting_again_works(world: &World, rules: &Rules) -> Result<(), Violation> {
    let starts = match begin_new_attempt(world, VICTIM_BROWSER, 0, world.tab(0).end) {
        Some(anew) => vec![anew],
        None => post_and_deliver(world, 0, JudgedPost::Restart, rules)?,
    };
    for start in starts {
        for asked in post_and_deliver(&start, 0, JudgedPost::Password(start.first(VICTIM)), rules)?
        {
            second_step_works(&asked, rules)?;
            for method in 1..number(rules.offered.0.len()) {
                for chosen in post_and_deliver(&asked, 0, JudgedPost::Choose { method }, rules)? {
                    if awaited(&chosen) != Some(method) {
                        return Err(Violation("a method that is offered cannot be chosen"));
                    }
                    second_step_works(&chosen, rules)?;
                }
            }
        }
    }
    Ok(())
}

/// The method that the first tab waits for.
fn awaited(world: &World) -> Option<u8> {
    match world.tab(0).at {
        AttemptState::Second { awaited: Awaited::Code(code), .. } => {
            Some(world.challenge(code).method)
        }
        AttemptState::Second { awaited: Awaited::Held(method), .. } => Some(method),
        _ => None,
    }
}

/// What is awaited completes the step.
fn second_step_works(world: &World, rules: &Rules) -> Result<(), Violation> {
    let code = CodeVerdict::Right(CodeValidity::Valid);
    let right = match world.tab(0).at {
        AttemptState::Second { awaited: Awaited::Code(challenge), .. } => {
            JudgedPost::Code { challenge, code }
        }
        AttemptState::Second { first, awaited: Awaited::Held(method) } => {
            let (user, mark) = (first.user, *world.fresh_marks(first.user, method).start());
            let mark = HeldMark { user, method, value: mark };
            JudgedPost::Held { mark, epoch: world.person(user).epoch, code }
        }
        _ => return Err(Violation("a dead end: the password does not lead on")),
    };
    for after in post_and_deliver(world, 0, right, rules)? {
        ends_well(&after, rules)?;
    }
    Ok(())
}

fn ends_well(world: &World, rules: &Rules) -> Result<(), Violation> {
    let ends = match world.tab(0).at {
        AttemptState::Complete { user: VICTIM, .. } => return Ok(()),
        AttemptState::NewPassword { first, .. } => post_and_deliver(
            world,
            0,
            JudgedPost::NewPassword { user: first.user, good: true },
            rules,
        )?,
        _ => return Err(Violation("a dead end: password and code do not lead on")),
    };
    if ends.iter().all(|end| matches!(end.tab(0).at, AttemptState::Complete { user: VICTIM, .. })) {
        Ok(())
    } else {
        Err(Violation("a dead end: a new password does not lead on"))
    }
}

/// The worlds after a post whose answer arrives.
fn post_and_deliver(
    world: &World,
    tab: u8,
    post: JudgedPost,
    rules: &Rules,
) -> Result<Vec<World>, Violation> {
    let flight = flight(world, VICTIM_BROWSER, tab, post);
    let at = world.tab(tab).at;
    let mut ends = Vec::new();
    for read in executor::possible_reads(world, &flight, at, rules) {
        match executor::run(world, &flight, read, (at, false), rules)? {
            RunOutcome::Conflict => return Err(Violation("a conflict without another post")),
            RunOutcome::Shown(mut after, browser) => {
                if let Some(browser) = browser {
                    after.jars[usize::from(VICTIM_BROWSER)].browser = browser;
                }
                ends.push(after);
            }
            RunOutcome::SignedIn(mut after, cookies) => {
                if let Some(cookies) = cookies {
                    after.jars[usize::from(VICTIM_BROWSER)] = cookies;
                }
                ends.push(after);
            }
        }
    }
    Ok(ends)
}
