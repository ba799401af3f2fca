//! What must never happen, checked in every step, after every commit and in every state.

use super::{
    super::{
        effect::{Delivery, Effect},
        machine::Transition,
    },
    conversion::{from_machine_first, session_number},
    executor::Rules,
    world::{
        ATTACKER_BROWSER, AttemptState, Awaited, ChallengeState, CodeValidity, CodeVerdict,
        CookieJar, FirstProof, GoalKind, HeldMark, InFlightPost, JudgedPost, Proof, Proven,
        ProvenFirst, ReadRows, VICTIM, World, proof_of,
    },
    writes::ModelWork,
};

/// A rule that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Violation(pub(super) &'static str);

fn require(holds: bool, rule: &'static str) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation(rule)) }
}

/// Checks the effects that the machine orders, whether or not the executor's guards let them pass.
pub(super) fn check_proposed(
    world: &World,
    flight: &InFlightPost,
    loaded: AttemptState,
    read: Option<ReadRows>,
    step: &Transition,
    rules: &Rules,
) -> Result<(), Violation> {
    if matches!(loaded, AttemptState::Complete { .. } | AttemptState::Cancelled) {
        require(rules.offered.model_state(&step.state) == loaded, "an ended attempt changed")?;
        let again = |effect: &Effect| matches!(effect, Effect::Reissue(_) | Effect::End(_));
        require(step.effects.iter().all(again), "an ended attempt acted")?;
    }
    for effect in &step.effects {
        match effect {
            Effect::SignIn(proof) => {
                let proves = proves_second(world, flight, (loaded, read), rules);
                require(proves, "signed in without a second step")?;
                let first = from_machine_first(proof.first());
                require(read.is_some_and(|read| is_now(read, first)), "signed in by old proof")?;
            }
            Effect::Consume(_, proof) => {
                let right = right_and_open(flight) == Some(rules.offered.proof_of(proof));
                require(right, "a code was used up that was not right")?;
            }
            Effect::FollowSession(session) => require(
                flight.post == JudgedPost::Follow { session: session_number(*session) },
                "followed an unchecked session",
            )?,
            Effect::Reissue(session) => require(
                repeats(flight, loaded, session_number(*session)),
                "reissued to a browser that did not complete it",
            )?,
            Effect::Deliver(Delivery::Replace { old, new, .. }) => {
                require(old != new, "a challenge was replaced by itself")?;
            }
            Effect::ChangeBrowser => require(
                right_and_open(flight).is_some() || leads_on_again(flight, loaded),
                "a browser changed its value without the code",
            )?,
            Effect::End(goal) => {
                let own = GoalKind::of(*goal) == world.tab(flight.tab).end;
                require(own, "ended at another goal than its own")?;
            }
            Effect::Deliver(Delivery::Open(..) | Delivery::SendAgain(_))
            | Effect::ChangePassword(_) => {}
        }
    }
    Ok(())
}

/// Whether a first step is of the person that was read, in its current state.
fn is_now(read: ReadRows, first: ProvenFirst) -> bool {
    let same = match first.by {
        FirstProof::Password(version) => version == read.person.version,
        FirstProof::Both => true,
    };
    same && (read.user, read.person.epoch) == (first.user, first.epoch)
}

/// The proof that a post has, if it is right and in time.
const fn right_and_open(flight: &InFlightPost) -> Option<Proof> {
    match flight.post {
        JudgedPost::Code { challenge, code: CodeVerdict::Right(CodeValidity::Valid) } => {
            Some(Proof::Code(challenge))
        }
        JudgedPost::Held { mark, code: CodeVerdict::Right(CodeValidity::Valid), .. } => {
            Some(Proof::Held(mark))
        }
        _ => None,
    }
}

/// Whether this post, in this state, completes the second step.
fn proves_second(
    world: &World,
    flight: &InFlightPost,
    (loaded, read): (AttemptState, Option<ReadRows>),
    rules: &Rules,
) -> bool {
    let Some(read) = read else { return false };
    let proof = right_and_open(flight);
    match (loaded, proof) {
        (AttemptState::NewPassword { first, .. }, None) => {
            flight.post == JudgedPost::NewPassword { user: first.user, good: true }
        }
        (AttemptState::Complete { .. } | AttemptState::Cancelled, _) | (_, None) => false,
        (_, Some(Proof::Held(mark))) if rules.offered.proves_both(mark.method) => {
            mark.user == read.user && !read.person.must_change
        }
        (
            AttemptState::Second { first, awaited: Awaited::Held(method) },
            Some(Proof::Held(mark)),
        ) => (mark.user, mark.method) == (first.user, method) && !read.person.must_change,
        (AttemptState::Second { first, awaited: Awaited::Code(own) }, Some(Proof::Code(right))) => {
            let row = world.challenge(right);
            let current = read.open.filter(|open| world.challenge(*open).epoch == first.epoch);
            (right == own || Some(right) == current)
                && row.method == world.challenge(own).method
                && (row.user, row.epoch) == (first.user, first.epoch)
                && !read.person.must_change
        }
        (
            AttemptState::Second { .. } | AttemptState::Password | AttemptState::NewPassword { .. },
            Some(_),
        ) => false,
    }
}

/// The proof that is posted again, if it is the one that the state was reached by.
fn repeated(flight: &InFlightPost, loaded: AttemptState) -> bool {
    let again = match flight.post {
        JudgedPost::Code { challenge, code: CodeVerdict::Repeated } => Proof::Code(challenge),
        JudgedPost::Held { mark, code: CodeVerdict::Repeated, .. } => Proof::Held(mark),
        _ => return false,
    };
    proof_of(loaded) == Some(again)
}

fn leads_on_again(flight: &InFlightPost, loaded: AttemptState) -> bool {
    matches!(loaded, AttemptState::NewPassword { .. }) && repeated(flight, loaded)
}

fn repeats(flight: &InFlightPost, loaded: AttemptState, session: u8) -> bool {
    matches!(loaded, AttemptState::Complete { session: own, .. } if own == session)
        && repeated(flight, loaded)
}

/// Whether a proof can no longer be used.
fn is_used_up(world: &World, proof: Proof) -> bool {
    match proof {
        Proof::Code(challenge) => world.challenge(challenge).state == ChallengeState::Used,
        Proof::Held(HeldMark { user, method, value: mark }) => {
            mark <= world.last_marks[usize::from(user)][usize::from(method)]
        }
    }
}

/// Compares what a committed transaction has done with the truth.
pub(super) fn check_committed(
    work: &ModelWork<'_>,
    step: &Transition,
    cookies: Option<CookieJar>,
) -> Result<(), Violation> {
    let proven = work.world.tab(work.flight.tab).proven;
    if let (Some(proof), AttemptState::NewPassword { .. } | AttemptState::Complete { .. }) =
        (right_and_open(work.flight), work.after)
        && work.after != work.loaded
    {
        require(is_used_up(&work.world, proof), "an accepted code can be used again")?;
    }
    for effect in &step.effects {
        match effect {
            Effect::SignIn(proof) => {
                let first = from_machine_first(proof.first());
                require(proven.first == Some(first), "signed in without the password")?;
                require(work.before.counts(first), "signed in after a reset or another password")?;
                let second = Some((first.user, first.epoch));
                require(
                    proven.second == second,
                    "signed in without the code of this person and browser",
                )?;
                require(!work.world.person(first.user).must_change, "a reset was skipped")?;
                check_completed_as(work, first.user, session_number(proof.session()))?;
            }
            Effect::FollowSession(session) => {
                let session = session_number(*session);
                let live = work.before.live(work.flight.session);
                let Some((_, row)) = live.filter(|(number, _)| *number == session) else {
                    return Err(Violation("followed a foreign or an ended session"));
                };
                let user = proven.first.map(|first| first.user);
                require(user == Some(row.user), "followed a session without the password")?;
                require(!work.world.person(row.user).must_change, "a reset was skipped")?;
                check_completed_as(work, row.user, session)?;
            }
            Effect::Reissue(session) => {
                let live = work.before.live(Some(session_number(*session)));
                require(live.is_some(), "reissued for an ended session")?;
                check_completed_as(
                    work,
                    live.map_or(u8::MAX, |(_, row)| row.user),
                    session_number(*session),
                )?;
            }
            Effect::Deliver(_)
            | Effect::Consume(..)
            | Effect::ChangeBrowser
            | Effect::End(_)
            | Effect::ChangePassword(_) => {}
        }
    }
    check_sessions(work)?;
    check_goal_reached(work, step)?;
    check_attacker_session(work.flight.by, cookies, &work.world)
}

/// Whatever the effects and the goal: a session is created only by both steps of its person.
fn check_sessions(work: &ModelWork<'_>) -> Result<(), Violation> {
    let Proven { first, second } = work.world.tab(work.flight.tab).proven;
    for (before, after) in work.before.sessions.iter().zip(&work.world.sessions) {
        if let (None, Some(row)) = (before, after) {
            let of_person = Some((row.user, row.epoch));
            let both = first.map(|first| (first.user, first.epoch)) == of_person;
            require(both && second == of_person, "a session began without both steps")?;
        }
    }
    Ok(())
}

/// Every attempt that got a session has ended at its own goal, and no other has ended.
fn check_goal_reached(work: &ModelWork<'_>, step: &Transition) -> Result<(), Violation> {
    let given = step.effects.iter().any(|effect| {
        matches!(effect, Effect::SignIn(_) | Effect::FollowSession(_) | Effect::Reissue(_))
    });
    let own = work.before.tab(work.flight.tab).end;
    require(work.ended == given.then_some(own), "an attempt did not reach its goal")
}

/// A sign-in ends its attempt, with its own person and session.
fn check_completed_as(work: &ModelWork<'_>, user: u8, session: u8) -> Result<(), Violation> {
    let right = matches!(work.after, AttemptState::Complete { user: u, session: s, .. } if (u, s) == (user, session));
    require(right, "completed for another person or session than was proven")
}

/// The attacker's browser never gets anything of the victim's.
fn check_attacker_session(
    by: u8,
    cookies: Option<CookieJar>,
    world: &World,
) -> Result<(), Violation> {
    let session = match cookies {
        Some(jar) => jar.session,
        None => world.jars[usize::from(by)].session,
    };
    let victims = world.live(session).is_some_and(|(_, row)| row.user == VICTIM);
    require(by != ATTACKER_BROWSER || !victims, "the attacker's browser got the victim's session")
}

/// What holds in every state.
pub(super) fn check_state(world: &World) -> Result<(), Violation> {
    for tab in &world.tabs {
        let Proven { first: proven, second } = tab.proven;
        match tab.at {
            AttemptState::Second { first, .. } => {
                require(proven == Some(first), "waits for a second step without the first")?;
            }
            AttemptState::NewPassword { first, .. } => {
                require(proven == Some(first), "asks for a new password without the old one")?;
                let of_person = Some((first.user, first.epoch));
                require(second == of_person, "asks for a new password without the code")?;
                let away = world.jars[usize::from(ATTACKER_BROWSER)].browser == tab.browser;
                require(first.user != VICTIM || !away, "the attacker can choose the new password")?;
            }
            AttemptState::Password | AttemptState::Complete { .. } | AttemptState::Cancelled => {}
        }
    }
    for (number, row) in world.sessions.iter().enumerate() {
        let live = world.live(row.map(|_| super::world::number(number)));
        let reset = live.is_some_and(|(_, row)| world.person(row.user).must_change);
        require(!reset, "a session outlived a reset")?;
    }
    check_attacker_session(ATTACKER_BROWSER, Some(world.jars[usize::from(ATTACKER_BROWSER)]), world)
}
