//! Nobody is ever stuck: from every state the password and the newest mail lead to a completed sign-in.

use super::{
    executor::{self, Ran, Rules},
    invariants::Violation,
    moves::{begun_anew, flight},
    verdicts::answered,
    world::{At, Awaited, Code, FLIGHTS, Fate, HOME, Mark, Post, Time, VICTIM, World, number},
};

/// What the victim, at home, with nobody else acting meanwhile, gets out of this state.
pub(super) fn check(world: &World, rules: &Rules) -> Result<(), Violation> {
    let mut quiet = *world;
    quiet.flights = [None; FLIGHTS];
    newest_code_works(&quiet, 0, rules)?;
    newest_code_works(&quiet, 1, rules)?;
    starting_again_works(&quiet, rules)
}

/// The code of the newest mail works in every tab of the browser that asked for it, unless the tab has nothing to answer.
fn newest_code_works(world: &World, tab: u8, rules: &Rules) -> Result<(), Violation> {
    let row = world.tab(tab);
    let browser = world.jars[usize::from(HOME)].browser;
    let At::Second { first, awaited: Awaited::Code(challenge) } = row.at else { return Ok(()) };
    if row.browser != browser || !world.counts(first) {
        return Ok(());
    }
    let newest = match world.challenge(challenge).fate {
        Fate::Open => Some(challenge),
        Fate::Replaced => world.open(first.user, browser, world.challenge(challenge).method),
        Fate::Used => None,
    };
    let in_time = |c: &u8| {
        let row = world.challenge(*c);
        row.epoch == first.epoch && row.time == Time::Open
    };
    let Some(challenge) = newest.filter(in_time) else { return Ok(()) };
    if answered(world, row.at, browser, rules) != Some(challenge) {
        return Err(Violation("the newest code does not work in this tab"));
    }
    let right = Post::Code { challenge, code: Code::Right(Time::Open) };
    for after in act(world, tab, right, rules)? {
        if !matches!(after.tab(tab).at, At::NewPassword { .. } | At::Complete { .. }) {
            return Err(Violation("the newest code does not work"));
        }
    }
    Ok(())
}

/// Start again, password, code, and a new password if a reset demands one.
fn starting_again_works(world: &World, rules: &Rules) -> Result<(), Violation> {
    let starts = match begun_anew(world, HOME, 0, world.tab(0).end) {
        Some(anew) => vec![anew],
        None => act(world, 0, Post::Restart, rules)?,
    };
    for start in starts {
        for asked in act(&start, 0, Post::Password(start.first(VICTIM)), rules)? {
            second_step_works(&asked, rules)?;
            for method in 1..number(rules.offered.0.len()) {
                for chosen in act(&asked, 0, Post::Choose { method }, rules)? {
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
        At::Second { awaited: Awaited::Code(code), .. } => Some(world.challenge(code).method),
        At::Second { awaited: Awaited::Held(method), .. } => Some(method),
        _ => None,
    }
}

/// What is awaited leads on.
fn second_step_works(world: &World, rules: &Rules) -> Result<(), Violation> {
    let code = Code::Right(Time::Open);
    let right = match world.tab(0).at {
        At::Second { awaited: Awaited::Code(challenge), .. } => Post::Code { challenge, code },
        At::Second { first, awaited: Awaited::Held(method) } => {
            let (user, mark) = (first.user, *world.fresh(first.user, method).start());
            let mark = Mark { user, method, value: mark };
            Post::Held { mark, epoch: world.person(user).epoch, code }
        }
        _ => return Err(Violation("a dead end: the password does not lead on")),
    };
    for after in act(world, 0, right, rules)? {
        ends_well(&after, rules)?;
    }
    Ok(())
}

fn ends_well(world: &World, rules: &Rules) -> Result<(), Violation> {
    let ends = match world.tab(0).at {
        At::Complete { user: VICTIM, .. } => return Ok(()),
        At::NewPassword { first, .. } => {
            act(world, 0, Post::NewPassword { user: first.user, good: true }, rules)?
        }
        _ => return Err(Violation("a dead end: password and code do not lead on")),
    };
    if ends.iter().all(|end| matches!(end.tab(0).at, At::Complete { user: VICTIM, .. })) {
        Ok(())
    } else {
        Err(Violation("a dead end: a new password does not lead on"))
    }
}

/// The worlds after a post whose answer arrives.
fn act(world: &World, tab: u8, post: Post, rules: &Rules) -> Result<Vec<World>, Violation> {
    let flight = flight(world, HOME, tab, post);
    let at = world.tab(tab).at;
    let mut ends = Vec::new();
    for read in executor::reads(world, &flight, at, rules) {
        match executor::run(world, &flight, read, (at, false), rules)? {
            Ran::Lost => return Err(Violation("lost without anybody else acting")),
            Ran::Shown(mut after, browser) => {
                if let Some(browser) = browser {
                    after.jars[usize::from(HOME)].browser = browser;
                }
                ends.push(after);
            }
            Ran::SignedIn(mut after, cookies) => {
                if let Some(cookies) = cookies {
                    after.jars[usize::from(HOME)] = cookies;
                }
                ends.push(after);
            }
        }
    }
    Ok(ends)
}
