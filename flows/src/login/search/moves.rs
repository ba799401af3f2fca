//! What may happen next: what people know and do, what the verifiers make of it, and what the world does by itself.

use super::{
    super::machine::Time,
    executor::{self, Guard, Ran, Rules, why_wrong},
    invariants::Violation,
    world::{
        AWAY, Again, At, Challenge, Code, Fate, Flight, HOME, Jar, OTHER, Person, Post, Proven,
        TABS, Tab, VICTIM, Why, World, awaited, identified, number,
    },
};

/// How far a search goes.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    /// Posts that are judged and not applied, beside those that are judged and applied at once.
    pub(super) flights: usize,
    /// Whether the transaction of a post in flight reads at one moment and writes at a later one (READ COMMITTED).
    pub(super) split: bool,
    /// Tabs that are used: of the three, the third is the attacker's.
    pub(super) tabs: &'static [u8],
    /// People that sign in.
    pub(super) people: &'static [u8],
    /// Forced resets of the victim.
    pub(super) resets: u8,
    /// Changes of the victim's password from outside.
    pub(super) changes: u8,
    /// Whether an ended tab begins a new attempt.
    pub(super) anew: bool,
}

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// A post is judged, and applied at once.
    Post { by: u8, tab: u8, post: Post },
    /// A post is judged, and stays in flight.
    Send { by: u8, tab: u8, post: Post },
    /// The transaction of a post in flight begins and reads.
    Begin(usize),
    /// A post in flight is applied.
    Land(usize),
    /// A reset of the victim is forced.
    Reset,
    /// The victim's password is changed elsewhere.
    Change,
    /// A browser signs out, or its session runs out.
    SignOut { by: u8 },
    /// A tab begins a new attempt.
    Anew { by: u8, tab: u8 },
    /// A challenge's clock moves on.
    Clock { challenge: u8, time: Time },
    /// The last try at a challenge is spent.
    Spend { challenge: u8 },
}

/// What a move leads to, for the count of what was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Quiet,
    Lost,
    SignedIn,
    AfterNewPassword,
    Followed,
    Reissued,
}

/// Where the moves out of one world lead.
pub(super) struct Out {
    from: World,
    /// The worlds that differ from it.
    pub(super) next: Vec<(Move, World)>,
    /// What was seen on every move.
    pub(super) seen: Vec<Seen>,
}

impl Out {
    pub(super) fn of(world: &World) -> Self {
        Self { from: *world, next: Vec::new(), seen: Vec::new() }
    }

    fn push(&mut self, by: Move, seen: Seen, world: World) {
        self.seen.push(seen);
        if world != self.from {
            self.next.push((by, world.tidy()));
        }
    }
}

/// A rule was broken by this move.
pub(super) type Broken = (Move, Violation);

/// Everything that can happen next.
pub(super) fn next(
    world: &World,
    bounds: &Bounds,
    rules: &Rules,
    out: &mut Out,
) -> Result<(), Broken> {
    let mut posts = Vec::new();
    for by in [HOME, AWAY] {
        for &tab in bounds.tabs {
            let acts = rules.planted || (by == AWAY) == (usize::from(tab) == TABS - 1);
            if !acts {
                continue;
            }
            posts.clear();
            judged(world, by, tab, bounds, rules, &mut posts);
            for &post in &posts {
                send(world, (by, tab, post), bounds, rules, out)?;
            }
            if bounds.anew {
                anew(world, by, tab, out);
            }
        }
        sign_out(world, by, out);
    }
    flights(world, bounds, rules, out)?;
    fate(world, bounds, rules, out);
    Ok(())
}

pub(super) fn flight(world: &World, by: u8, tab: u8, post: Post) -> Flight {
    let Jar { browser, session } = world.jars[usize::from(by)];
    let row = match post {
        Post::Code { code: Code::Repeated, .. } => world.tab(tab).browser,
        _ => browser,
    };
    Flight { by, tab, browser, session, row, post, begun: false, read: None }
}

/// Applies a post at once, and leaves it in flight besides if its verdict can grow old.
fn send(
    world: &World,
    (by, tab, post): (u8, u8, Post),
    bounds: &Bounds,
    rules: &Rules,
    out: &mut Out,
) -> Result<(), Broken> {
    let flight = flight(world, by, tab, post);
    land(world, &flight, (Move::Post { by, tab, post }, rules), out)?;
    let free = world.flights.iter().flatten().count() < bounds.flights;
    if free && grows_old(post) {
        let mut after = *world;
        let slot = after.flights.iter().position(Option::is_none).expect("one is free");
        after.flights[slot] = Some(flight);
        out.push(Move::Send { by, tab, post }, Seen::Quiet, after);
    }
    Ok(())
}

/// Whether it matters when a judged post is applied. What only sets an attempt back is lost when it comes late, and what
/// was refused does nothing whenever it comes.
const fn grows_old(post: Post) -> bool {
    match post {
        Post::Password(_)
        | Post::Follow { .. }
        | Post::NewPassword { good: true, .. }
        | Post::Resend { again: Again::Same | Again::New, .. }
        | Post::Code { code: Code::Right(_) | Code::Past | Code::Repeated, .. } => true,
        Post::WrongPassword
        | Post::NewPassword { good: false, .. }
        | Post::Resend { again: Again::Later, .. }
        | Post::Code { code: Code::Refused(_), .. }
        | Post::Restart
        | Post::Cancel => false,
    }
}

/// Runs a post's transaction to its end, in every way that it can go.
fn land(
    world: &World,
    flight: &Flight,
    (by, rules): (Move, &Rules),
    out: &mut Out,
) -> Result<(), Broken> {
    let at = world.tab(flight.tab).at;
    for read in executor::reads(world, flight, at, rules) {
        let ran = executor::run(world, flight, read, (at, false), rules);
        match ran.map_err(|violation| (by, violation))? {
            Ran::Lost => out.push(by, Seen::Lost, *world),
            Ran::Shown(after, browser) => {
                let mut after = ground(world, after, rules).map_err(|violation| (by, violation))?;
                out.push(by, Seen::Quiet, after);
                if let Some(browser) = browser {
                    // Above, the answer did not reach the browser.
                    after.jars[usize::from(flight.by)].browser = browser;
                    out.push(by, Seen::Quiet, after);
                }
            }
            Ran::SignedIn(after, cookies) => {
                let mut after = ground(world, after, rules).map_err(|violation| (by, violation))?;
                let seen = seen(flight.post);
                if let Some(cookies) = cookies {
                    // The answer may never reach the browser.
                    out.push(by, seen, after);
                    after.jars[usize::from(flight.by)] = cookies;
                }
                out.push(by, seen, after);
            }
        }
    }
    Ok(())
}

const fn seen(post: Post) -> Seen {
    match post {
        Post::NewPassword { .. } => Seen::AfterNewPassword,
        Post::Follow { .. } => Seen::Followed,
        Post::Code { code: Code::Repeated, .. } => Seen::Reissued,
        _ => Seen::SignedIn,
    }
}

/// Drops what is in flight for an attempt that has changed: its compare-and-set is lost. That it does nothing is not
/// taken on trust, it is run: at most it mails the same code once more.
fn ground(before: &World, mut after: World, rules: &Rules) -> Result<World, Violation> {
    for index in 0..after.flights.len() {
        let Some(flight) = after.flights[index] else { continue };
        let loaded = before.tab(flight.tab).at;
        if loaded == after.tab(flight.tab).at {
            continue;
        }
        after.flights[index] = None;
        for read in executor::reads(&after, &flight, loaded, rules) {
            match executor::run(&after, &flight, read, (loaded, true), rules)? {
                Ran::Lost => {}
                Ran::Shown(then, None) if but_for_mail(then) == but_for_mail(after) => {}
                Ran::Shown(..) | Ran::SignedIn(..) => {
                    return Err(Violation("a post acted on an attempt that was changed"));
                }
            }
        }
    }
    Ok(after)
}

/// The world without what mailing a code again changes.
fn but_for_mail(mut world: World) -> World {
    world.challenges.iter_mut().flatten().for_each(|challenge| challenge.time = Time::Open);
    world
}

fn flights(world: &World, bounds: &Bounds, rules: &Rules, out: &mut Out) -> Result<(), Broken> {
    for (index, slot) in world.flights.iter().enumerate() {
        let Some(flight) = slot else { continue };
        let mut landed = *world;
        landed.flights[index] = None;
        if bounds.split && !flight.begun {
            let at = world.tab(flight.tab).at;
            for read in executor::reads(world, flight, at, rules) {
                let mut begun = *world;
                begun.flights[index] = Some(Flight { begun: true, read, ..*flight });
                out.push(Move::Begin(index), Seen::Quiet, begun);
            }
        } else {
            land(&landed, flight, (Move::Land(index), rules), out)?;
        }
    }
    Ok(())
}

/// What happens without the browsers.
fn fate(world: &World, bounds: &Bounds, rules: &Rules, out: &mut Out) {
    let victim = world.person(VICTIM);
    let with = |person: Person| {
        let mut after = *world;
        after.people[usize::from(VICTIM)] = person;
        after
    };
    if victim.epoch < bounds.resets {
        let reset = Person { epoch: victim.epoch + 1, must_change: true, ..victim };
        out.push(Move::Reset, Seen::Quiet, with(reset));
    }
    if victim.version < bounds.changes && !victim.must_change {
        let changed = Person { version: victim.version + 1, ..victim };
        out.push(Move::Change, Seen::Quiet, with(changed));
    }
    if rules.clocks {
        clocks(world, out);
    }
}

fn clocks(world: &World, out: &mut Out) {
    for (index, slot) in world.challenges.iter().enumerate() {
        let Some(row) = slot.filter(|row| row.fate == Fate::Open) else { continue };
        let challenge = number(index);
        let mut with = |by, time, spent| {
            let mut after = *world;
            after.challenges[index] = Some(Challenge { time, spent, ..row });
            out.push(by, Seen::Quiet, after);
        };
        match row.time {
            Time::Open => {
                with(Move::Clock { challenge, time: Time::Late }, Time::Late, row.spent);
            }
            Time::Late => {
                with(Move::Clock { challenge, time: Time::Past }, Time::Past, row.spent);
            }
            Time::Past => {}
        }
        if !row.spent && row.time != Time::Past {
            with(Move::Spend { challenge }, row.time, true);
        }
    }
}

fn sign_out(world: &World, by: u8, out: &mut Out) {
    if let Some((session, _)) = world.live(world.jars[usize::from(by)].session) {
        let mut after = *world;
        after.sessions[usize::from(session)].as_mut().expect("it is live").ended = true;
        out.push(Move::SignOut { by }, Seen::Quiet, after);
    }
}

fn anew(world: &World, by: u8, tab: u8, out: &mut Out) {
    if let Some(after) = begun_anew(world, by, tab) {
        out.push(Move::Anew { by, tab }, Seen::Quiet, after);
    }
}

/// A new attempt in a tab whose attempt has ended or can no longer be reached.
pub(super) fn begun_anew(world: &World, by: u8, tab: u8) -> Option<World> {
    let row = world.tab(tab);
    let browser = world.jars[usize::from(by)].browser;
    let over = matches!(row.at, At::Complete { .. } | At::Cancelled) || row.browser != browser;
    let busy = world.flights.iter().flatten().any(|flight| flight.tab == tab);
    (over && !busy).then(|| {
        let mut after = *world;
        after.tabs[usize::from(tab)] =
            Tab { browser, previous: None, at: At::Password, proven: Proven::default() };
        after
    })
}

/// Every verdict that a post of this browser to this tab can get.
fn judged(world: &World, by: u8, tab: u8, bounds: &Bounds, rules: &Rules, out: &mut Vec<Post>) {
    let row = world.tab(tab);
    let browser = world.jars[usize::from(by)].browser;
    let own = row.browser == browser;
    let led_on = matches!(row.at, At::NewPassword { .. } | At::Complete { .. });
    if own || (led_on && row.previous == Some(browser)) {
        codes(world, by, row.at, rules, out);
    }
    if !own {
        return;
    }
    out.extend([Post::Restart, Post::Cancel, Post::WrongPassword]);
    // Every password is stolen: whoever sits at either browser knows it.
    out.extend(bounds.people.iter().map(|user| Post::Password(world.first(*user))));
    match row.at {
        At::Second { first, challenge } => {
            resends(world, by, row.at, rules, out);
            follows(world, by, row.at, out);
            misdirected(world, by, (first.user, challenge), out);
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

/// Whether whoever sits at this browser has read the mail of this challenge.
fn knows(by: u8, world: &World, challenge: u8) -> bool {
    by == HOME || world.challenge(challenge).user == OTHER
}

/// `email_code::current`: the challenge that an attempt is answered with.
pub(super) fn answered(world: &World, at: At, browser: u8, rules: &Rules) -> Option<u8> {
    let own = awaited(at)?;
    let row = world.challenge(own);
    if !rules.has(Guard::Successor) {
        return Some(own);
    }
    let successor = match row.fate {
        Fate::Open | Fate::Used => None,
        Fate::Replaced => world.open(row.user, browser),
    };
    Some(successor.filter(|next| world.challenge(*next).epoch == row.epoch).unwrap_or(own))
}

/// `email_code::post`.
fn codes(world: &World, by: u8, at: At, rules: &Rules, out: &mut Vec<Post>) {
    let browser = world.jars[usize::from(by)].browser;
    let Some(challenge) = answered(world, at, browser, rules) else { return };
    let row = world.challenge(challenge);
    let led_on = matches!(at, At::NewPassword { .. } | At::Complete { .. });
    if !led_on && row.fate != Fate::Open {
        // `follow::post`, or a restart: both are among the posts of this state anyway.
        return;
    }
    let mut judge = |code| out.push(Post::Code { challenge, code });
    if knows(by, world, challenge) {
        match row.fate {
            // The minute may have passed or not.
            Fate::Used => {
                judge(Code::Repeated);
                judge(Code::Refused(Why::Used));
            }
            Fate::Replaced => judge(Code::Refused(Why::Superseded)),
            Fate::Open if rules.clocks => judge(Code::Right(row.time)),
            Fate::Open => {
                for time in [Time::Open, Time::Late, Time::Past] {
                    judge(Code::Right(time));
                }
            }
        }
    }
    judge(Code::Refused(Why::Exhausted));
    let past = !rules.clocks || row.time == Time::Past;
    if past {
        judge(Code::Past);
    }
    if !rules.clocks || !past {
        judge(Code::Refused(Why::Wrong));
        let others = world.challenges.iter().enumerate().filter(|(index, slot)| {
            slot.is_some_and(|slot| slot.user == row.user)
                && number(*index) != challenge
                && knows(by, world, number(*index))
        });
        let mut told: Vec<Why> = others.filter_map(|(_, slot)| slot.map(why_wrong)).collect();
        told.sort_unstable();
        told.dedup();
        for why in told {
            judge(Code::Refused(why));
        }
    }
}

/// Verdicts about a challenge that is not this attempt's, as a verifier with a fault would make them: codes that were
/// truly read in a mail, and typed where they do not belong.
fn misdirected(world: &World, by: u8, (user, own): (u8, u8), out: &mut Vec<Post>) {
    let current = world.open(user, world.jars[usize::from(by)].browser);
    let current = current.filter(|c| world.challenge(*c).epoch == world.person(user).epoch);
    for (index, slot) in world.challenges.iter().enumerate() {
        let challenge = number(index);
        let elsewhere = slot.is_some() && challenge != own && Some(challenge) != current;
        if elsewhere && knows(by, world, challenge) {
            out.push(Post::Code { challenge, code: Code::Right(Time::Open) });
            out.push(Post::Resend { challenge, again: Again::New });
        }
    }
}

/// `resend::resend`.
fn resends(world: &World, by: u8, at: At, rules: &Rules, out: &mut Vec<Post>) {
    let browser = world.jars[usize::from(by)].browser;
    let Some(challenge) = answered(world, at, browser, rules) else { return };
    let row = world.challenge(challenge);
    if row.fate != Fate::Open {
        return;
    }
    let mut judge = |again| out.push(Post::Resend { challenge, again });
    judge(Again::Later);
    let new = row.spent || row.time == Time::Past;
    if new || !rules.clocks {
        judge(Again::New);
    }
    if !new {
        judge(Again::Same);
    }
}

/// `follow::post` with the session of this browser, whoever it is of: that it is the person's who is identified here, the
/// machine must see to itself.
fn follows(world: &World, by: u8, at: At, out: &mut Vec<Post>) {
    if let Some((session, _)) = world.live(world.jars[usize::from(by)].session)
        && identified(at).is_some()
    {
        out.push(Post::Follow { session });
    }
}
