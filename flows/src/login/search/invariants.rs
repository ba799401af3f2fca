//! What must never happen, looked at in every step, after every commit and in every state.

use super::{
    super::{
        effect::{Delivery, Effect},
        machine::Step,
    },
    executor::Rules,
    names::{first_of, session_number},
    world::{
        AWAY, At, Awaited, By, Code, End, Fate, First, Flight, Jar, Mark, Post, Proof, Proven,
        Read, Time, VICTIM, World, proof_of,
    },
    writes::Work,
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
    rules: &Rules,
) -> Result<(), Violation> {
    if matches!(loaded, At::Complete { .. } | At::Cancelled) {
        must(rules.offered.at_of(&step.state) == loaded, "an ended attempt changed")?;
        let again = |effect: &Effect| matches!(effect, Effect::Reissue(_) | Effect::End(_));
        must(step.effects.iter().all(again), "an ended attempt acted")?;
    }
    for effect in &step.effects {
        match effect {
            Effect::SignIn(proof) => {
                let proves = proves_second(world, flight, (loaded, read), rules);
                must(proves, "signed in without a second step")?;
                let first = first_of(proof.first());
                must(read.is_some_and(|read| is_now(read, first)), "signed in for old")?;
            }
            Effect::Spend(_, proof) => {
                let right = right_and_open(flight) == Some(rules.offered.proof_of(proof));
                must(right, "a code was used up that was not right")?;
            }
            Effect::FollowSession(session) => must(
                flight.post == Post::Follow { session: session_number(*session) },
                "followed a session that nobody checked",
            )?,
            Effect::Reissue(session) => must(
                repeats(flight, loaded, session_number(*session)),
                "issued again to somebody who did not complete it",
            )?,
            Effect::Deliver(Delivery::Replace { old, new, .. }) => {
                must(old != new, "a challenge was replaced by itself")?;
            }
            Effect::ChangeBrowser => must(
                right_and_open(flight).is_some() || leads_on_again(flight, loaded),
                "a browser changed its value without the code",
            )?,
            Effect::End(goal) => {
                let own = End::of(*goal) == world.tab(flight.tab).end;
                must(own, "ended elsewhere than it was begun for")?;
            }
            Effect::Deliver(Delivery::Open(..) | Delivery::SendAgain(_))
            | Effect::ChangePassword(_) => {}
        }
    }
    Ok(())
}

/// Whether a first step is of the person that was read, as they are now.
fn is_now(read: Read, first: First) -> bool {
    let same = match first.by {
        By::Password(version) => version == read.person.version,
        By::Both => true,
    };
    same && (read.user, read.person.epoch) == (first.user, first.epoch)
}

/// The proof that a post has, if it is right and in time.
const fn right_and_open(flight: &Flight) -> Option<Proof> {
    match flight.post {
        Post::Code { challenge, code: Code::Right(Time::Open) } => Some(Proof::Code(challenge)),
        Post::Held { mark, code: Code::Right(Time::Open), .. } => Some(Proof::Held(mark)),
        _ => None,
    }
}

/// Whether this post, in this state, completes the second step.
fn proves_second(
    world: &World,
    flight: &Flight,
    (loaded, read): (At, Option<Read>),
    rules: &Rules,
) -> bool {
    let Some(read) = read else { return false };
    let proof = right_and_open(flight);
    match (loaded, proof) {
        (At::NewPassword { first, .. }, None) => {
            flight.post == Post::NewPassword { user: first.user, good: true }
        }
        (At::Complete { .. } | At::Cancelled, _) | (_, None) => false,
        (_, Some(Proof::Held(mark))) if rules.offered.proves_both(mark.method) => {
            mark.user == read.user && !read.person.must_change
        }
        (At::Second { first, awaited: Awaited::Held(method) }, Some(Proof::Held(mark))) => {
            (mark.user, mark.method) == (first.user, method) && !read.person.must_change
        }
        (At::Second { first, awaited: Awaited::Code(own) }, Some(Proof::Code(right))) => {
            let row = world.challenge(right);
            let current = read.open.filter(|open| world.challenge(*open).epoch == first.epoch);
            (right == own || Some(right) == current)
                && row.method == world.challenge(own).method
                && (row.user, row.epoch) == (first.user, first.epoch)
                && !read.person.must_change
        }
        (At::Second { .. } | At::Password | At::NewPassword { .. }, Some(_)) => false,
    }
}

/// The proof that is posted once more, if it is that by which the state was led on.
fn repeated(flight: &Flight, loaded: At) -> bool {
    let again = match flight.post {
        Post::Code { challenge, code: Code::Repeated } => Proof::Code(challenge),
        Post::Held { mark, code: Code::Repeated, .. } => Proof::Held(mark),
        _ => return false,
    };
    proof_of(loaded) == Some(again)
}

fn leads_on_again(flight: &Flight, loaded: At) -> bool {
    matches!(loaded, At::NewPassword { .. }) && repeated(flight, loaded)
}

fn repeats(flight: &Flight, loaded: At, session: u8) -> bool {
    matches!(loaded, At::Complete { session: own, .. } if own == session)
        && repeated(flight, loaded)
}

/// Whether a proof can be used no more.
fn is_used_up(world: &World, proof: Proof) -> bool {
    match proof {
        Proof::Code(challenge) => world.challenge(challenge).fate == Fate::Used,
        Proof::Held(Mark { user, method, value: mark }) => {
            mark <= world.last[usize::from(user)][usize::from(method)]
        }
    }
}

/// What a committed transaction has done, held against the truth.
pub(super) fn committed(
    work: &Work<'_>,
    step: &Step,
    cookies: Option<Jar>,
) -> Result<(), Violation> {
    let proven = work.world.tab(work.flight.tab).proven;
    if let (Some(proof), At::NewPassword { .. } | At::Complete { .. }) =
        (right_and_open(work.flight), work.after)
        && work.after != work.loaded
    {
        must(is_used_up(&work.world, proof), "a code led on and can be used again")?;
    }
    for effect in &step.effects {
        match effect {
            Effect::SignIn(proof) => {
                let first = first_of(proof.first());
                must(proven.first == Some(first), "signed in without the password")?;
                must(work.before.counts(first), "signed in after a reset or another password")?;
                let second = Some((first.user, first.epoch));
                must(
                    proven.second == second,
                    "signed in without the code of this person and browser",
                )?;
                must(!work.world.person(first.user).must_change, "a reset was passed over")?;
                ends(work, first.user, session_number(proof.session()))?;
            }
            Effect::FollowSession(session) => {
                let session = session_number(*session);
                let live = work.before.live(work.flight.session);
                let Some((_, row)) = live.filter(|(number, _)| *number == session) else {
                    return Err(Violation("followed a session of somebody else or a dead one"));
                };
                let user = proven.first.map(|first| first.user);
                must(user == Some(row.user), "followed a session without the password")?;
                must(!work.world.person(row.user).must_change, "a reset was passed over")?;
                ends(work, row.user, session)?;
            }
            Effect::Reissue(session) => {
                let live = work.before.live(Some(session_number(*session)));
                must(live.is_some(), "issued again for a dead session")?;
                ends(work, live.map_or(u8::MAX, |(_, row)| row.user), session_number(*session))?;
            }
            Effect::Deliver(_)
            | Effect::Spend(..)
            | Effect::ChangeBrowser
            | Effect::End(_)
            | Effect::ChangePassword(_) => {}
        }
    }
    sessions(work)?;
    reached(work, step)?;
    away(work.flight.by, cookies, &work.world)
}

/// Whatever the effects were, and wherever the attempt ends: a session comes into being by both steps of its person alone.
fn sessions(work: &Work<'_>) -> Result<(), Violation> {
    let Proven { first, second } = work.world.tab(work.flight.tab).proven;
    for (before, after) in work.before.sessions.iter().zip(&work.world.sessions) {
        if let (None, Some(row)) = (before, after) {
            let of_person = Some((row.user, row.epoch));
            let both = first.map(|first| (first.user, first.epoch)) == of_person;
            must(both && second == of_person, "a session came into being without both steps")?;
        }
    }
    Ok(())
}

/// Every attempt that a session was given for has ended at its own end, and no other has ended.
fn reached(work: &Work<'_>, step: &Step) -> Result<(), Violation> {
    let given = step.effects.iter().any(|effect| {
        matches!(effect, Effect::SignIn(_) | Effect::FollowSession(_) | Effect::Reissue(_))
    });
    let own = work.before.tab(work.flight.tab).end;
    must(work.ended == given.then_some(own), "an attempt did not reach its end")
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
        let Proven { first: proven, second } = tab.proven;
        match tab.at {
            At::Second { first, .. } => {
                must(proven == Some(first), "waits for a second step without the first")?;
            }
            At::NewPassword { first, .. } => {
                must(proven == Some(first), "asks for a new password without the old one")?;
                let of_person = Some((first.user, first.epoch));
                must(second == of_person, "asks for a new password without the code")?;
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
