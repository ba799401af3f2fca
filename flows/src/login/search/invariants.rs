//! What must never happen, looked at in every step, after every commit and in every state.

use super::{
    super::machine::{Effect, Step, Time},
    executor::Work,
    world::{
        AWAY, At, Code, Fate, Flight, Jar, Post, Proven, Read, VICTIM, World, at_of, first_of,
        session_number,
    },
};

/// A rule that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Violation(pub(super) &'static str);

fn must(holds: bool, rule: &'static str) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation(rule)) }
}

/// What the machine asks for, whether or not the executor's guards let it pass.
pub(super) fn proposed(
    world: &World,
    flight: &Flight,
    loaded: At,
    read: Option<Read>,
    step: &Step,
) -> Result<(), Violation> {
    if matches!(loaded, At::Complete { .. } | At::Cancelled) {
        must(at_of(&step.state) == loaded, "an ended attempt changed")?;
        let again = |effect: &Effect| matches!(effect, Effect::Reissue(_));
        must(step.effects.iter().all(again), "an ended attempt acted")?;
    }
    for effect in &step.effects {
        match effect {
            Effect::SignIn(proof) => {
                must(
                    proves_second(world, flight, loaded, read),
                    "signed in without a second step",
                )?;
                let first = first_of(proof.first());
                let now = read.map(|read| (read.user, read.person.epoch, read.person.version));
                must(now == Some((first.user, first.epoch, first.version)), "signed in for old")?;
            }
            Effect::UseChallenge(..) => {
                must(right_and_open(flight).is_some(), "a code was used up that was not right")?;
            }
            Effect::FollowSession(session) => must(
                flight.post == Post::Follow { session: session_number(*session) },
                "followed a session that nobody checked",
            )?,
            Effect::Reissue(session) => must(
                repeats(flight, loaded, session_number(*session)),
                "issued again to somebody who did not complete it",
            )?,
            Effect::ReplaceChallenge { old, new, .. } => {
                must(old != new, "a challenge was replaced by itself")?;
            }
            Effect::ChangeBrowser => must(
                right_and_open(flight).is_some() || leads_on_again(flight, loaded),
                "a browser changed its value without the code",
            )?,
            Effect::OpenChallenge(..) | Effect::SendAgain(_) | Effect::ChangePassword(_) => {}
        }
    }
    Ok(())
}

fn right_and_open(flight: &Flight) -> Option<u8> {
    match flight.post {
        Post::Code { challenge, code: Code::Right(Time::Open) } => Some(challenge),
        _ => None,
    }
}

fn proves_second(world: &World, flight: &Flight, loaded: At, read: Option<Read>) -> bool {
    match loaded {
        At::Second { first, challenge } => right_and_open(flight).is_some_and(|right| {
            let current = read.and_then(|read| read.current);
            let row = world.challenge(right);
            (right == challenge || Some(right) == current)
                && (row.user, row.epoch) == (first.user, first.epoch)
                && read.is_some_and(|read| !read.person.must_change)
        }),
        At::NewPassword { first, .. } => {
            flight.post == Post::NewPassword { user: first.user, good: true }
        }
        At::Password | At::Complete { .. } | At::Cancelled => false,
    }
}

fn leads_on_again(flight: &Flight, loaded: At) -> bool {
    match (loaded, flight.post) {
        (
            At::NewPassword { challenge: Some(used), .. },
            Post::Code { challenge, code: Code::Repeated },
        ) => used == challenge,
        _ => false,
    }
}

fn repeats(flight: &Flight, loaded: At, session: u8) -> bool {
    match (loaded, flight.post) {
        (
            At::Complete { session: own, challenge: Some(used), .. },
            Post::Code { challenge, code: Code::Repeated },
        ) => own == session && used == challenge,
        _ => false,
    }
}

/// What a committed transaction has done, held against the truth.
pub(super) fn committed(
    work: &Work<'_>,
    step: &Step,
    cookies: Option<Jar>,
) -> Result<(), Violation> {
    let proven = work.world.tab(work.flight.tab).proven;
    if let (Some(used), At::NewPassword { .. } | At::Complete { .. }, At::Second { .. }) =
        (right_and_open(work.flight), work.after, work.loaded)
    {
        must(work.world.challenge(used).fate == Fate::Used, "a code led on and can be used again")?;
    }
    for effect in &step.effects {
        match effect {
            Effect::SignIn(proof) => {
                let first = first_of(proof.first());
                must(proven.password == Some(first), "signed in without the password")?;
                must(work.before.counts(first), "signed in after a reset or another password")?;
                let code = Some((first.user, first.epoch));
                must(proven.code == code, "signed in without the code of this person and browser")?;
                must(!work.world.person(first.user).must_change, "a reset was passed over")?;
                ends(work, first.user, session_number(proof.session()))?;
            }
            Effect::FollowSession(session) => {
                let session = session_number(*session);
                let live = work.before.live(work.flight.session);
                let Some((_, row)) = live.filter(|(number, _)| *number == session) else {
                    return Err(Violation("followed a session of somebody else or a dead one"));
                };
                let user = proven.password.map(|first| first.user);
                must(user == Some(row.user), "followed a session without the password")?;
                must(!work.world.person(row.user).must_change, "a reset was passed over")?;
                ends(work, row.user, session)?;
            }
            Effect::Reissue(session) => {
                let live = work.before.live(Some(session_number(*session)));
                must(live.is_some(), "issued again for a dead session")?;
                ends(work, live.map_or(u8::MAX, |(_, row)| row.user), session_number(*session))?;
            }
            Effect::OpenChallenge(..)
            | Effect::ReplaceChallenge { .. }
            | Effect::UseChallenge(..)
            | Effect::SendAgain(_)
            | Effect::ChangeBrowser
            | Effect::ChangePassword(_) => {}
        }
    }
    away(work.flight.by, cookies, &work.world)
}

/// A sign-in ends its attempt, with the person and the session that it is about.
fn ends(work: &Work<'_>, user: u8, session: u8) -> Result<(), Violation> {
    let right =
        matches!(work.after, At::Complete { user: u, session: s, .. } if (u, s) == (user, session));
    must(right, "completed for another person or session than was proven")
}

/// Nothing of the victim's is ever handed to the attacker's browser.
fn away(by: u8, cookies: Option<Jar>, world: &World) -> Result<(), Violation> {
    let session = match cookies {
        Some(jar) => jar.session,
        None => world.jars[usize::from(by)].session,
    };
    let victims = world.live(session).is_some_and(|(_, row)| row.user == VICTIM);
    must(by != AWAY || !victims, "the attacker's browser got the victim's session")
}

/// What holds in every state.
pub(super) fn state(world: &World) -> Result<(), Violation> {
    for tab in &world.tabs {
        let Proven { password, code } = tab.proven;
        match tab.at {
            At::Second { first, .. } => {
                must(password == Some(first), "waits for a second step without the first")?;
            }
            At::NewPassword { first, .. } => {
                must(password == Some(first), "asks for a new password without the old one")?;
                let code_of = Some((first.user, first.epoch));
                must(code == code_of, "asks for a new password without the code")?;
                let away = world.jars[usize::from(AWAY)].browser == tab.browser;
                must(first.user != VICTIM || !away, "the attacker can choose the new password")?;
            }
            At::Password | At::Complete { .. } | At::Cancelled => {}
        }
    }
    for (number, row) in world.sessions.iter().enumerate() {
        let live = world.live(row.map(|_| super::world::number(number)));
        let reset = live.is_some_and(|(_, row)| world.person(row.user).must_change);
        must(!reset, "a session outlived a reset")?;
    }
    away(AWAY, Some(world.jars[usize::from(AWAY)]), world)
}
