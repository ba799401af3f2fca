//! What may happen next: what people can do, what the verifiers conclude from it, and what happens without a request.

use super::{
    executor::{self, Rules, RunOutcome},
    invariants::Violation,
    verdicts::possible_posts,
    world::{
        ATTACKER_BROWSER, AttemptState, Challenge, ChallengeState, CodeValidity, CodeVerdict,
        CookieJar, GoalKind, InFlightPost, JudgedPost, Person, ResendAnswer, TABS, Tab, VICTIM,
        VICTIM_BROWSER, World, number,
    },
};

/// The bounds of a search.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    /// Posts that are checked and not applied, beside those that are checked and applied at once.
    pub(super) in_flight: usize,
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
    pub(super) new_attempts: bool,
}

/// One event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// A post is checked, and applied at once.
    Post { by: u8, tab: u8, post: JudgedPost },
    /// A post is checked, and stays in flight.
    Send { by: u8, tab: u8, post: JudgedPost },
    /// The transaction of a post in flight begins and reads.
    Begin(usize),
    /// A post in flight is applied.
    Land(usize),
    /// A reset of the victim is forced.
    Reset,
    /// The victim's password is changed elsewhere.
    Change,
    /// A browser signs out, or its session expires.
    SignOut { by: u8 },
    /// A tab begins a new attempt.
    NewAttempt { by: u8, tab: u8, end: GoalKind },
    /// The validity of a challenge changes.
    Clock { challenge: u8, time: CodeValidity },
    /// The last try at a challenge is spent.
    Spend { challenge: u8 },
}

/// The kind of result of a move, to count what was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MoveOutcome {
    Quiet,
    Conflict,
    SignedIn,
    AfterNewPassword,
    Followed,
    Reissued,
}

/// The results of all moves from one world.
pub(super) struct Successors {
    from: World,
    /// The worlds that differ from it.
    pub(super) next: Vec<(Move, World)>,
    /// The outcome of every move.
    pub(super) outcomes: Vec<MoveOutcome>,
    /// How many of the sign-ins among them ended at a page of ours.
    pub(super) at_page: usize,
}

impl Successors {
    pub(super) fn of(world: &World) -> Self {
        Self { from: *world, next: Vec::new(), outcomes: Vec::new(), at_page: 0 }
    }

    fn push(&mut self, by: Move, seen: MoveOutcome, world: World) {
        self.outcomes.push(seen);
        if world != self.from {
            self.next.push((by, world.canonicalize()));
        }
    }
}

/// The move that broke a rule.
pub(super) type BrokenRule = (Move, Violation);

/// Everything that can happen next.
pub(super) fn next(
    world: &World,
    bounds: &Bounds,
    rules: &Rules,
    out: &mut Successors,
) -> Result<(), BrokenRule> {
    let mut posts = Vec::new();
    for by in [VICTIM_BROWSER, ATTACKER_BROWSER] {
        for &tab in bounds.tabs {
            let acts = rules.planted || (by == ATTACKER_BROWSER) == (usize::from(tab) == TABS - 1);
            if !acts {
                continue;
            }
            posts.clear();
            possible_posts(world, (by, tab), bounds, rules, &mut posts);
            for &post in &posts {
                send(world, (by, tab, post), bounds, rules, out)?;
            }
            if bounds.new_attempts {
                start_new_attempts(world, (by, tab), rules, out);
            }
        }
        sign_out(world, by, out);
    }
    flights(world, bounds, rules, out)?;
    outside_events(world, bounds, rules, out);
    Ok(())
}

pub(super) fn flight(world: &World, by: u8, tab: u8, post: JudgedPost) -> InFlightPost {
    let CookieJar { browser, session } = world.jars[usize::from(by)];
    let row = match post {
        JudgedPost::Code { code: CodeVerdict::Repeated, .. }
        | JudgedPost::Held { code: CodeVerdict::Repeated, .. } => world.tab(tab).browser,
        _ => browser,
    };
    InFlightPost { by, tab, browser, session, row, post, begun: false, read: None }
}

/// Applies a post at once, and also leaves it in flight if its verdict can become stale.
fn send(
    world: &World,
    (by, tab, post): (u8, u8, JudgedPost),
    bounds: &Bounds,
    rules: &Rules,
    out: &mut Successors,
) -> Result<(), BrokenRule> {
    let flight = flight(world, by, tab, post);
    apply_post(world, &flight, (Move::Post { by, tab, post }, rules), out)?;
    let free = world.in_flight.iter().flatten().count() < bounds.in_flight;
    if free && can_go_stale(post) {
        let mut after = *world;
        let slot = after.in_flight.iter().position(Option::is_none).expect("one is free");
        after.in_flight[slot] = Some(flight);
        out.push(Move::Send { by, tab, post }, MoveOutcome::Quiet, after);
    }
    Ok(())
}

/// Whether it matters when a checked post is applied. A post that only resets an attempt loses when it comes late, and a
/// refused one does nothing at any time.
const fn can_go_stale(post: JudgedPost) -> bool {
    match post {
        JudgedPost::Password(_)
        | JudgedPost::Follow { .. }
        | JudgedPost::NewPassword { good: true, .. }
        | JudgedPost::Choose { .. }
        | JudgedPost::Resend { again: ResendAnswer::Same | ResendAnswer::New, .. }
        | JudgedPost::Code {
            code: CodeVerdict::Right(_) | CodeVerdict::Expired | CodeVerdict::Repeated,
            ..
        }
        | JudgedPost::Held {
            code: CodeVerdict::Right(_) | CodeVerdict::Expired | CodeVerdict::Repeated,
            ..
        } => true,
        JudgedPost::WrongPassword
        | JudgedPost::NewPassword { good: false, .. }
        | JudgedPost::Resend { again: ResendAnswer::Later, .. }
        | JudgedPost::Code { code: CodeVerdict::Refused(_), .. }
        | JudgedPost::Held { code: CodeVerdict::Refused(_), .. }
        | JudgedPost::Restart
        | JudgedPost::Cancel => false,
    }
}

/// Runs a post's transaction to its end, with every possible result.
fn apply_post(
    world: &World,
    flight: &InFlightPost,
    (by, rules): (Move, &Rules),
    out: &mut Successors,
) -> Result<(), BrokenRule> {
    let Tab { at, end, .. } = *world.tab(flight.tab);
    for read in executor::possible_reads(world, flight, at, rules) {
        let ran = executor::run(world, flight, read, (at, false), rules);
        match ran.map_err(|violation| (by, violation))? {
            RunOutcome::Conflict => out.push(by, MoveOutcome::Conflict, *world),
            RunOutcome::Shown(after, browser) => {
                let mut after =
                    drop_stale_posts(world, after, rules).map_err(|violation| (by, violation))?;
                out.push(by, MoveOutcome::Quiet, after);
                if let Some(browser) = browser {
                    // Above, the answer did not reach the browser.
                    after.jars[usize::from(flight.by)].browser = browser;
                    out.push(by, MoveOutcome::Quiet, after);
                }
            }
            RunOutcome::SignedIn(after, cookies) => {
                let mut after =
                    drop_stale_posts(world, after, rules).map_err(|violation| (by, violation))?;
                let seen = outcome_of(flight.post);
                let before = out.outcomes.len();
                if let Some(cookies) = cookies {
                    // The answer may never reach the browser.
                    out.push(by, seen, after);
                    after.jars[usize::from(flight.by)] = cookies;
                }
                out.push(by, seen, after);
                if end == GoalKind::Page {
                    out.at_page += out.outcomes.len() - before;
                }
            }
        }
    }
    Ok(())
}

const fn outcome_of(post: JudgedPost) -> MoveOutcome {
    match post {
        JudgedPost::NewPassword { .. } => MoveOutcome::AfterNewPassword,
        JudgedPost::Follow { .. } => MoveOutcome::Followed,
        JudgedPost::Code { code: CodeVerdict::Repeated, .. }
        | JudgedPost::Held { code: CodeVerdict::Repeated, .. } => MoveOutcome::Reissued,
        _ => MoveOutcome::SignedIn,
    }
}

/// Drops what is in flight for an attempt that has changed: its compare-and-set fails. That it has no effect is not assumed
/// but run: at most it mails the same code once more.
fn drop_stale_posts(before: &World, mut after: World, rules: &Rules) -> Result<World, Violation> {
    for index in 0..after.in_flight.len() {
        let Some(flight) = after.in_flight[index] else { continue };
        let loaded = before.tab(flight.tab).at;
        if loaded == after.tab(flight.tab).at {
            continue;
        }
        after.in_flight[index] = None;
        for read in executor::possible_reads(&after, &flight, loaded, rules) {
            match executor::run(&after, &flight, read, (loaded, true), rules)? {
                RunOutcome::Conflict => {}
                RunOutcome::Shown(then, None)
                    if ignoring_resends(then) == ignoring_resends(after) => {}
                RunOutcome::Shown(..) | RunOutcome::SignedIn(..) => {
                    return Err(Violation("a post acted on an attempt that was changed"));
                }
            }
        }
    }
    Ok(after)
}

/// The world without the changes of mailing a code again.
fn ignoring_resends(mut world: World) -> World {
    world
        .challenges
        .iter_mut()
        .flatten()
        .for_each(|challenge| challenge.validity = CodeValidity::Valid);
    world
}

fn flights(
    world: &World,
    bounds: &Bounds,
    rules: &Rules,
    out: &mut Successors,
) -> Result<(), BrokenRule> {
    for (index, slot) in world.in_flight.iter().enumerate() {
        let Some(flight) = slot else { continue };
        let mut landed = *world;
        landed.in_flight[index] = None;
        if bounds.split && !flight.begun {
            let at = world.tab(flight.tab).at;
            for read in executor::possible_reads(world, flight, at, rules) {
                let mut begun = *world;
                begun.in_flight[index] = Some(InFlightPost { begun: true, read, ..*flight });
                out.push(Move::Begin(index), MoveOutcome::Quiet, begun);
            }
        } else {
            apply_post(&landed, flight, (Move::Land(index), rules), out)?;
        }
    }
    Ok(())
}

/// Events without a request.
fn outside_events(world: &World, bounds: &Bounds, rules: &Rules, out: &mut Successors) {
    let victim = world.person(VICTIM);
    let with = |person: Person| {
        let mut after = *world;
        after.people[usize::from(VICTIM)] = person;
        after
    };
    if victim.epoch < bounds.resets {
        let reset = Person { epoch: victim.epoch + 1, must_change: true, ..victim };
        out.push(Move::Reset, MoveOutcome::Quiet, with(reset));
    }
    if victim.version < bounds.changes && !victim.must_change {
        let changed = Person { version: victim.version + 1, ..victim };
        out.push(Move::Change, MoveOutcome::Quiet, with(changed));
    }
    if rules.clocks {
        clocks(world, out);
    }
}

fn clocks(world: &World, out: &mut Successors) {
    for (index, slot) in world.challenges.iter().enumerate() {
        let Some(row) = slot.filter(|row| row.state == ChallengeState::Open) else { continue };
        let challenge = number(index);
        let mut with = |by, time, spent| {
            let mut after = *world;
            after.challenges[index] = Some(Challenge { validity: time, spent, ..row });
            out.push(by, MoveOutcome::Quiet, after);
        };
        match row.validity {
            CodeValidity::Valid => {
                with(
                    Move::Clock { challenge, time: CodeValidity::Late },
                    CodeValidity::Late,
                    row.spent,
                );
            }
            CodeValidity::Late => {
                with(
                    Move::Clock { challenge, time: CodeValidity::Expired },
                    CodeValidity::Expired,
                    row.spent,
                );
            }
            CodeValidity::Expired => {}
        }
        if !row.spent && row.validity != CodeValidity::Expired {
            with(Move::Spend { challenge }, row.validity, true);
        }
    }
}

fn sign_out(world: &World, by: u8, out: &mut Successors) {
    if let Some((session, _)) = world.live(world.jars[usize::from(by)].session) {
        let mut after = *world;
        after.sessions[usize::from(session)].as_mut().expect("it is live").ended = true;
        out.push(Move::SignOut { by }, MoveOutcome::Quiet, after);
    }
}

fn start_new_attempts(world: &World, (by, tab): (u8, u8), rules: &Rules, out: &mut Successors) {
    for end in
        [GoalKind::Client, GoalKind::Page].into_iter().filter(|end| rules.goals.contains(end))
    {
        if let Some(after) = begin_new_attempt(world, by, tab, end) {
            out.push(Move::NewAttempt { by, tab, end }, MoveOutcome::Quiet, after);
        }
    }
}

/// A new attempt in a tab whose attempt has ended or can no longer be reached.
pub(super) fn begin_new_attempt(world: &World, by: u8, tab: u8, end: GoalKind) -> Option<World> {
    let row = world.tab(tab);
    let browser = world.jars[usize::from(by)].browser;
    let over = matches!(row.at, AttemptState::Complete { .. } | AttemptState::Cancelled)
        || row.browser != browser;
    let busy = world.in_flight.iter().flatten().any(|flight| flight.tab == tab);
    (over && !busy).then(|| {
        let mut after = *world;
        after.tabs[usize::from(tab)] = Tab::new(browser, end);
        after
    })
}
