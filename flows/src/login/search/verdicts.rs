//! Every verdict that a post can get: what people have and do, and what the program's own verifiers conclude from the rows
//! of the world.

use store::Timestamp;

use super::{
    super::{held_method, mailed_method, resend::ResendVerdict},
    executor::{Guard, Rules},
    transitions::Bounds,
    world::{
        ATTACKER_ACCOUNT, AttemptState, CodeFailure, CodeValidity, CodeVerdict, HeldMark,
        JudgedPost, Proof, ResendAnswer, VICTIM, VICTIM_BROWSER, World, challenge_of, number,
        person_of, proof_of,
    },
};

const TIMES: [CodeValidity; 3] = [CodeValidity::Valid, CodeValidity::Late, CodeValidity::Expired];
const EITHER: [bool; 2] = [true, false];
const LATER: Timestamp = Timestamp::from_millis(0);

/// Every verdict that a post of this browser to this tab can get.
pub(super) fn possible_posts(
    world: &World,
    (by, tab): (u8, u8),
    bounds: &Bounds,
    rules: &Rules,
    out: &mut Vec<JudgedPost>,
) {
    let row = world.tab(tab);
    let browser = world.jars[usize::from(by)].browser;
    let own = row.browser == browser;
    if own || (is_led_on(row.at) && row.previous == Some(browser)) {
        codes(world, by, row.at, rules, out);
        repeats(by, row.at, rules, out);
    }
    if !own {
        return;
    }
    out.extend([JudgedPost::Restart, JudgedPost::Cancel, JudgedPost::WrongPassword]);
    // Every password is stolen: either browser has it.
    out.extend(bounds.people.iter().map(|user| JudgedPost::Password(world.first(*user))));
    held_methods(world, by, row.at, bounds, rules, out);
    match row.at {
        AttemptState::Second { .. } => {
            resends(world, by, row.at, rules, out);
            follows(world, by, row.at, out);
            misdirected(world, by, row.at, out);
            if rules.offered.0.len() > 1 {
                let methods = 0..number(rules.offered.0.len());
                out.extend(methods.map(|method| JudgedPost::Choose { method }));
            }
        }
        AttemptState::NewPassword { first, .. } => {
            follows(world, by, row.at, out);
            let user = first.user;
            out.extend([true, false].map(|good| JudgedPost::NewPassword { user, good }));
            out.push(JudgedPost::NewPassword {
                user: VICTIM + ATTACKER_ACCOUNT - user,
                good: true,
            });
        }
        AttemptState::Password | AttemptState::Complete { .. } | AttemptState::Cancelled => {}
    }
}

const fn is_led_on(at: AttemptState) -> bool {
    matches!(at, AttemptState::NewPassword { .. } | AttemptState::Complete { .. })
}

/// Whether the mail of this challenge is read at this browser.
fn can_read_mail(by: u8, world: &World, challenge: u8) -> bool {
    has_access(by, world.challenge(challenge).user)
}

/// Whether this browser has what this person holds and reads. The attacker may also use the victim's browser.
const fn has_access(by: u8, user: u8) -> bool {
    by == VICTIM_BROWSER || user == ATTACKER_ACCOUNT
}

/// The challenge that an attempt is answered with, as `code_post::answered_challenge` finds it.
pub(super) fn answered_challenge(
    world: &World,
    at: AttemptState,
    browser: u8,
    rules: &Rules,
) -> Option<u8> {
    let own = challenge_of(at)?;
    let row = world.challenge(own);
    if !rules.has(Guard::Successor) {
        return Some(own);
    }
    let takes_place = |next: &u8| {
        let epoch = world.challenge(*next).epoch.into();
        mailed_method::is_successor(row.state, row.epoch.into(), epoch)
    };
    Some(world.open(row.user, browser, row.method).filter(takes_place).unwrap_or(own))
}

/// Adds a post unless it is there already.
fn add(out: &mut Vec<JudgedPost>, post: JudgedPost) {
    if !out.contains(&post) {
        out.push(post);
    }
}

/// A code is posted.
fn codes(world: &World, by: u8, at: AttemptState, rules: &Rules, out: &mut Vec<JudgedPost>) {
    let browser = world.jars[usize::from(by)].browser;
    let Some(challenge) = answered_challenge(world, at, browser, rules) else { return };
    let row = world.challenge(challenge);
    if !mailed_method::is_judged(&rules.offered.to_machine_state(world, at), row.state) {
        // The session is followed, or the tab starts again: both are among the posts of this state anyway.
        return;
    }
    let times = if rules.clocks { vec![row.validity] } else { TIMES.to_vec() };
    let mut judge = |is_right, time, another, is_repeat| {
        let (fate, is_led_on) = (row.state, is_led_on(at));
        let found = mailed_method::CodeComparison {
            is_right,
            challenge_state: fate,
            validity: time,
            is_second_step_proven: is_led_on,
            is_repeat,
            another,
            tries_left: 1,
        };
        add(
            out,
            JudgedPost::Code { challenge, code: CodeVerdict::of(mailed_method::verdict(found)) },
        );
    };
    for &time in &times {
        if can_read_mail(by, world, challenge) {
            // The minute may have passed or not.
            for is_repeat in EITHER {
                judge(true, time, None, is_repeat);
            }
        }
        judge(false, time, None, false);
        for (index, slot) in world.challenges.iter().enumerate() {
            if let Some(other) = slot
                && (other.user, other.method) == (row.user, row.method)
                && number(index) != challenge
                && can_read_mail(by, world, number(index))
            {
                judge(false, time, Some(other.state), false);
            }
        }
    }
    add(out, JudgedPost::Code { challenge, code: CodeVerdict::Refused(CodeFailure::Exhausted) });
}

fn held_verdict(found: held_method::HeldComparison) -> CodeVerdict {
    CodeVerdict::of(held_method::verdict(found))
}

/// The proof that a tab's state was reached by is posted again. The minute may have passed or not.
fn repeats(by: u8, at: AttemptState, rules: &Rules, out: &mut Vec<JudgedPost>) {
    let Some(Proof::Held(mark)) = proof_of(at) else { return };
    if !has_access(by, mark.user) {
        return;
    }
    let _ = rules;
    let epoch = match at {
        AttemptState::NewPassword { first, .. } => first.epoch,
        _ => 0,
    };
    for is_repeat in EITHER {
        let found =
            held_method::HeldComparison { is_right: true, is_used: true, is_repeat, tries_left: 1 };
        add(out, JudgedPost::Held { mark, epoch, code: held_verdict(found) });
    }
}

/// Something held is posted: right, wrong, used before, of the other person, or of a method that is not awaited.
fn held_methods(
    world: &World,
    by: u8,
    at: AttemptState,
    bounds: &Bounds,
    rules: &Rules,
    out: &mut Vec<JudgedPost>,
) {
    let second = matches!(at, AttemptState::Second { .. });
    for (method, both) in rules.offered.all_held() {
        for &user in bounds.people.iter().filter(|_| second || both) {
            let epoch = world.person(user).epoch;
            let mut judge = |mark, found| {
                let mark = HeldMark { user, method, value: mark };
                add(out, JudgedPost::Held { mark, epoch, code: held_verdict(found) });
            };
            let found = held_method::HeldComparison {
                is_right: true,
                is_used: false,
                is_repeat: false,
                tries_left: 1,
            };
            let last = world.last_marks[usize::from(user)][usize::from(method)];
            judge(last, held_method::HeldComparison { is_right: false, ..found });
            if has_access(by, user) {
                judge(last, held_method::HeldComparison { is_used: true, ..found });
                world.fresh_marks(user, method).for_each(|mark| judge(mark, found));
            }
        }
    }
}

/// Verdicts about a challenge that is not this attempt's, as a faulty verifier would give them: codes that were really read
/// in a mail, and typed for another challenge.
fn misdirected(world: &World, by: u8, at: AttemptState, out: &mut Vec<JudgedPost>) {
    let Some(user) = person_of(at) else { return };
    let own = challenge_of(at);
    let current = own.and_then(|own| {
        let method = world.challenge(own).method;
        world.open(user, world.jars[usize::from(by)].browser, method)
    });
    let current = current.filter(|c| world.challenge(*c).epoch == world.person(user).epoch);
    for (index, slot) in world.challenges.iter().enumerate() {
        let challenge = Some(number(index));
        let elsewhere = slot.is_some() && challenge != own && challenge != current;
        let challenge = number(index);
        if elsewhere && can_read_mail(by, world, challenge) {
            out.push(JudgedPost::Code { challenge, code: CodeVerdict::Right(CodeValidity::Valid) });
            out.push(JudgedPost::Resend { challenge, again: ResendAnswer::New });
        }
    }
}

/// "Send it again" is posted.
fn resends(world: &World, by: u8, at: AttemptState, rules: &Rules, out: &mut Vec<JudgedPost>) {
    let browser = world.jars[usize::from(by)].browser;
    let Some(challenge) = answered_challenge(world, at, browser, rules) else { return };
    let row = world.challenge(challenge);
    if !mailed_method::is_judged(&rules.offered.to_machine_state(world, at), row.state) {
        return;
    }
    let found = |later, is_spent, time| mailed_method::ResendFacts {
        earliest: later,
        is_exhausted: is_spent,
        validity: time,
    };
    let mut judge = |found| {
        let again = match mailed_method::resend_verdict(found) {
            ResendVerdict::Same => ResendAnswer::Same,
            ResendVerdict::New => ResendAnswer::New,
            ResendVerdict::Later(_) => ResendAnswer::Later,
        };
        add(out, JudgedPost::Resend { challenge, again });
    };
    for later in [Some(LATER), None] {
        if rules.clocks {
            judge(found(later, row.spent, row.validity));
        } else {
            for time in TIMES {
                judge(found(later, false, time));
            }
        }
    }
}

/// Another tab's session is followed, of any person: the machine itself must check that it is the one who is identified
/// here.
fn follows(world: &World, by: u8, at: AttemptState, out: &mut Vec<JudgedPost>) {
    if let Some((session, _)) = world.live(world.jars[usize::from(by)].session)
        && person_of(at).is_some()
    {
        out.push(JudgedPost::Follow { session });
    }
}
