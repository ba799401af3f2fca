//! Every verdict that a post can get: what people know and do, and what the program's own verifiers conclude from what
//! they would find in the world.

use store::Timestamp;

use super::{
    super::{held, mailed, resend::ResendVerdict},
    executor::{Guard, Rules},
    moves::Bounds,
    world::{
        Again, At, Code, HOME, Mark, OTHER, Post, Proof, Time, VICTIM, Why, World, challenge_of,
        identified, number, proof_of,
    },
};

const TIMES: [Time; 3] = [Time::Open, Time::Late, Time::Past];
const EITHER: [bool; 2] = [true, false];
const LATER: Timestamp = Timestamp::from_millis(0);

/// Every verdict that a post of this browser to this tab can get.
pub(super) fn judged(
    world: &World,
    (by, tab): (u8, u8),
    bounds: &Bounds,
    rules: &Rules,
    out: &mut Vec<Post>,
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
    out.extend([Post::Restart, Post::Cancel, Post::WrongPassword]);
    // Every password is stolen: it is known at either browser.
    out.extend(bounds.people.iter().map(|user| Post::Password(world.first(*user))));
    held_methods(world, by, row.at, bounds, rules, out);
    match row.at {
        At::Second { .. } => {
            resends(world, by, row.at, rules, out);
            follows(world, by, row.at, out);
            misdirected(world, by, row.at, out);
            if rules.offered.0.len() > 1 {
                let methods = 0..number(rules.offered.0.len());
                out.extend(methods.map(|method| Post::Choose { method }));
            }
        }
        At::NewPassword { first, .. } => {
            follows(world, by, row.at, out);
            let user = first.user;
            out.extend([true, false].map(|good| Post::NewPassword { user, good }));
            out.push(Post::NewPassword { user: VICTIM + OTHER - user, good: true });
        }
        At::Password | At::Complete { .. } | At::Cancelled => {}
    }
}

const fn is_led_on(at: At) -> bool {
    matches!(at, At::NewPassword { .. } | At::Complete { .. })
}

/// Whether the mail of this challenge is read at this browser.
fn knows(by: u8, world: &World, challenge: u8) -> bool {
    has(by, world.challenge(challenge).user)
}

/// Whether what this person holds and reads is at this browser. The attacker may also sit at the victim's.
const fn has(by: u8, user: u8) -> bool {
    by == HOME || user == OTHER
}

/// The challenge that an attempt is answered with, as `email_code::current` finds it.
pub(super) fn answered(world: &World, at: At, browser: u8, rules: &Rules) -> Option<u8> {
    let own = challenge_of(at)?;
    let row = world.challenge(own);
    if !rules.has(Guard::Successor) {
        return Some(own);
    }
    let takes_place = |next: &u8| {
        let epoch = world.challenge(*next).epoch.into();
        mailed::takes_place(row.fate, row.epoch.into(), epoch)
    };
    Some(world.open(row.user, browser, row.method).filter(takes_place).unwrap_or(own))
}

/// Adds a post that is not there yet.
fn add(out: &mut Vec<Post>, post: Post) {
    if !out.contains(&post) {
        out.push(post);
    }
}

/// A code is posted.
fn codes(world: &World, by: u8, at: At, rules: &Rules, out: &mut Vec<Post>) {
    let browser = world.jars[usize::from(by)].browser;
    let Some(challenge) = answered(world, at, browser, rules) else { return };
    let row = world.challenge(challenge);
    if !mailed::is_judged(&rules.offered.state_of(world, at), row.fate) {
        // The session is followed, or the tab starts again: both are among the posts of this state anyway.
        return;
    }
    let times = if rules.clocks { vec![row.time] } else { TIMES.to_vec() };
    let mut judge = |is_right, time, another, is_repeat| {
        let (fate, is_led_on) = (row.fate, is_led_on(at));
        let found =
            mailed::Compared { is_right, fate, time, is_led_on, is_repeat, another, left: 1 };
        add(out, Post::Code { challenge, code: Code::of(mailed::verdict(found)) });
    };
    for &time in &times {
        if knows(by, world, challenge) {
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
                && knows(by, world, number(index))
            {
                judge(false, time, Some(other.fate), false);
            }
        }
    }
    add(out, Post::Code { challenge, code: Code::Refused(Why::Exhausted) });
}

fn concluded(found: held::Compared) -> Code {
    Code::of(held::verdict(found))
}

/// The proof by which a tab was led on is posted once more. The minute may have passed or not.
fn repeats(by: u8, at: At, rules: &Rules, out: &mut Vec<Post>) {
    let Some(Proof::Held(mark)) = proof_of(at) else { return };
    if !has(by, mark.user) {
        return;
    }
    let _ = rules;
    let epoch = match at {
        At::NewPassword { first, .. } => first.epoch,
        _ => 0,
    };
    for is_repeat in EITHER {
        let found = held::Compared { is_right: true, is_used: true, is_repeat, left: 1 };
        add(out, Post::Held { mark, epoch, code: concluded(found) });
    }
}

/// Something held is posted: right, wrong, used before, of the other person, or of a method that is not awaited.
fn held_methods(
    world: &World,
    by: u8,
    at: At,
    bounds: &Bounds,
    rules: &Rules,
    out: &mut Vec<Post>,
) {
    let second = matches!(at, At::Second { .. });
    for (method, both) in rules.offered.all_held() {
        for &user in bounds.people.iter().filter(|_| second || both) {
            let epoch = world.person(user).epoch;
            let mut judge = |mark, found| {
                let mark = Mark { user, method, value: mark };
                add(out, Post::Held { mark, epoch, code: concluded(found) });
            };
            let found =
                held::Compared { is_right: true, is_used: false, is_repeat: false, left: 1 };
            let last = world.last[usize::from(user)][usize::from(method)];
            judge(last, held::Compared { is_right: false, ..found });
            if has(by, user) {
                judge(last, held::Compared { is_used: true, ..found });
                world.fresh(user, method).for_each(|mark| judge(mark, found));
            }
        }
    }
}

/// Verdicts about a challenge that is not this attempt's, as a verifier with a fault would make them: codes that were
/// truly read in a mail, and typed where they do not belong.
fn misdirected(world: &World, by: u8, at: At, out: &mut Vec<Post>) {
    let Some(user) = identified(at) else { return };
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
        if elsewhere && knows(by, world, challenge) {
            out.push(Post::Code { challenge, code: Code::Right(Time::Open) });
            out.push(Post::Resend { challenge, again: Again::New });
        }
    }
}

/// "Send it again" is posted.
fn resends(world: &World, by: u8, at: At, rules: &Rules, out: &mut Vec<Post>) {
    let browser = world.jars[usize::from(by)].browser;
    let Some(challenge) = answered(world, at, browser, rules) else { return };
    let row = world.challenge(challenge);
    if !mailed::is_judged(&rules.offered.state_of(world, at), row.fate) {
        return;
    }
    let found = |later, is_spent, time| mailed::Asked { later, is_spent, time };
    let mut judge = |found| {
        let again = match mailed::resend_verdict(found) {
            ResendVerdict::Same => Again::Same,
            ResendVerdict::New => Again::New,
            ResendVerdict::Later(_) => Again::Later,
        };
        add(out, Post::Resend { challenge, again });
    };
    for later in [Some(LATER), None] {
        if rules.clocks {
            judge(found(later, row.spent, row.time));
        } else {
            for time in TIMES {
                judge(found(later, false, time));
            }
        }
    }
}

/// Another tab's session is followed, of whichever person: that it is the one who is identified here, the machine must
/// see to itself.
fn follows(world: &World, by: u8, at: At, out: &mut Vec<Post>) {
    if let Some((session, _)) = world.live(world.jars[usize::from(by)].session)
        && identified(at).is_some()
    {
        out.push(Post::Follow { session });
    }
}
