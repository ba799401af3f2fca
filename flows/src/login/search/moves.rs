//! What may happen next: what people know and do, what the verifiers make of it, and what the world does by itself.

use super::{
    executor::{self, Ran, Rules},
    invariants::Violation,
    verdicts::judged,
    world::{
        AWAY, Again, At, Challenge, Code, End, Fate, Flight, HOME, Jar, Person, Post, TABS, Tab,
        Time, VICTIM, World, number,
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
    Anew { by: u8, tab: u8, end: End },
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
    /// How many of the sign-ins among them ended at a page of ours.
    pub(super) at_page: usize,
}

impl Out {
    pub(super) fn of(world: &World) -> Self {
        Self { from: *world, next: Vec::new(), seen: Vec::new(), at_page: 0 }
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
            judged(world, (by, tab), bounds, rules, &mut posts);
            for &post in &posts {
                send(world, (by, tab, post), bounds, rules, out)?;
            }
            if bounds.anew {
                anew(world, (by, tab), rules, out);
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
        Post::Code { code: Code::Repeated, .. } | Post::Held { code: Code::Repeated, .. } => {
            world.tab(tab).browser
        }
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
        | Post::Choose { .. }
        | Post::Resend { again: Again::Same | Again::New, .. }
        | Post::Code { code: Code::Right(_) | Code::Past | Code::Repeated, .. }
        | Post::Held { code: Code::Right(_) | Code::Past | Code::Repeated, .. } => true,
        Post::WrongPassword
        | Post::NewPassword { good: false, .. }
        | Post::Resend { again: Again::Later, .. }
        | Post::Code { code: Code::Refused(_), .. }
        | Post::Held { code: Code::Refused(_), .. }
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
    let Tab { at, end, .. } = *world.tab(flight.tab);
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
                let before = out.seen.len();
                if let Some(cookies) = cookies {
                    // The answer may never reach the browser.
                    out.push(by, seen, after);
                    after.jars[usize::from(flight.by)] = cookies;
                }
                out.push(by, seen, after);
                if end == End::Page {
                    out.at_page += out.seen.len() - before;
                }
            }
        }
    }
    Ok(())
}

const fn seen(post: Post) -> Seen {
    match post {
        Post::NewPassword { .. } => Seen::AfterNewPassword,
        Post::Follow { .. } => Seen::Followed,
        Post::Code { code: Code::Repeated, .. } | Post::Held { code: Code::Repeated, .. } => {
            Seen::Reissued
        }
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

fn anew(world: &World, (by, tab): (u8, u8), rules: &Rules, out: &mut Out) {
    for end in [End::Client, End::Page].into_iter().filter(|end| rules.ends.contains(end)) {
        if let Some(after) = begun_anew(world, by, tab, end) {
            out.push(Move::Anew { by, tab, end }, Seen::Quiet, after);
        }
    }
}

/// A new attempt in a tab whose attempt has ended or can no longer be reached.
pub(super) fn begun_anew(world: &World, by: u8, tab: u8, end: End) -> Option<World> {
    let row = world.tab(tab);
    let browser = world.jars[usize::from(by)].browser;
    let over = matches!(row.at, At::Complete { .. } | At::Cancelled) || row.browser != browser;
    let busy = world.flights.iter().flatten().any(|flight| flight.tab == tab);
    (over && !busy).then(|| {
        let mut after = *world;
        after.tabs[usize::from(tab)] = Tab::new(browser, end);
        after
    })
}
