//! `apply.rs` and `complete.rs` over the small world: the same reads, the same guards, the same order.

use super::{
    super::machine::{Effect, Facts, Input, Person as Fact, State, Step, Time},
    invariants::{self, Violation},
    world::{
        Again, At, Challenge, Code, Fate, First, Flight, HOME, Jar, Post, Proven, Read, Session,
        Tab, Why, World, at_of, challenge_id, challenge_number, first_of, identified, session_id,
        session_number, state_of, user_id,
    },
};

/// The function under test, or a broken one.
pub(super) type StepFn = fn(State, Input, &Facts) -> Step;

/// A guard of the executor or a rule of a verifier, to be left out on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guard {
    /// The state is stored only if nobody changed it since it was read.
    Version,
    /// A challenge is used up only if it is open.
    Once,
    /// A challenge of an older epoch is not joined.
    Epoch,
    /// Epoch and password version are looked at again with the person's row locked.
    Lock,
    /// A tab whose challenge was put aside goes on with the one in its place.
    Successor,
    /// The browser gets a new value before the new password.
    Browser,
    /// A code that is posted once more moves along only what the value before could have led on.
    Along,
}

/// What a search runs, and how.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    pub(super) step: StepFn,
    pub(super) without: Option<Guard>,
    /// Whether both browsers began with the same cookie.
    pub(super) planted: bool,
    /// Whether challenges have clocks of their own, instead of any time at any moment.
    pub(super) clocks: bool,
}

impl Rules {
    pub(super) fn has(&self, guard: Guard) -> bool {
        self.without != Some(guard)
    }

    /// The browser that a challenge counts as asked for in. Two browsers that share a cookie are one to the server.
    pub(super) const fn origin(&self, by: u8) -> u8 {
        if self.planted { HOME } else { by }
    }
}

/// How a post ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ran {
    /// Rolled back: another one was faster.
    Lost,
    /// Committed: the step that is due is shown, under a new value of the browser cookie if there is one.
    Shown(World, Option<u8>),
    /// Committed, and signed in: by new cookies, or by the session that was there.
    SignedIn(World, Option<Jar>),
}

/// What the transaction reads, or has read. Without clocks nobody knows whether the open challenge can be joined: then it
/// is offered, and a new one in its place.
pub(super) fn reads(world: &World, flight: &Flight, at: At, rules: &Rules) -> Vec<Option<Read>> {
    if flight.begun {
        return vec![flight.read];
    }
    let about = match flight.post {
        Post::Password(first) => Some(first.user),
        _ => identified(at),
    };
    let Some(user) = about else { return vec![None] };
    let person = world.person(user);
    let open = world.open(user, flight.browser);
    let current = open
        .filter(|open| !rules.has(Guard::Epoch) || world.challenge(*open).epoch == person.epoch);
    let session = world.live(flight.session).filter(|(_, row)| row.user == user);
    let read = |joined| {
        Some(Read {
            user,
            person,
            open,
            joined,
            current,
            session: session.map(|(number, _)| number),
        })
    };
    let Some(joinable) = current else { return vec![read(None)] };
    let row = world.challenge(joinable);
    if !opens(flight.post) {
        return vec![read(None)];
    }
    if !rules.clocks {
        return vec![read(current), read(None)];
    }
    let joined = row.time == Time::Open && !row.spent;
    vec![read(current.filter(|_| joined))]
}

/// Whether the answer to a post may be to open a challenge.
const fn opens(post: Post) -> bool {
    matches!(
        post,
        Post::Password(_)
            | Post::Resend { again: Again::New, .. }
            | Post::Code { code: Code::Past | Code::Right(Time::Past), .. }
    )
}

/// `apply::run`: asks the machine and applies its effects. `stale`: the attempt was changed since it was loaded.
pub(super) fn run(
    world: &World,
    flight: &Flight,
    read: Option<Read>,
    (loaded, stale): (At, bool),
    rules: &Rules,
) -> Result<Ran, Violation> {
    let facts = facts(world, read);
    let step = (rules.step)(state_of(loaded), world.input(flight.post), &facts);
    invariants::proposed(world, flight, loaded, read, &step)?;
    let after = at_of(&step.state);
    let mut work = Work { before: world, world: *world, flight, read, loaded, after, stale, rules };
    let mut cookies = None;
    let mut browser = None;
    let mut signed_in = false;
    for effect in &step.effects {
        match work.apply(effect) {
            Done::Lost => return Ok(Ran::Lost),
            Done::Applied => {}
            Done::Moved(to) => browser = Some(to),
            Done::SignedIn(jar) => (signed_in, cookies) = (true, jar),
        }
    }
    if !signed_in && browser.is_none() && !work.save() {
        return Ok(Ran::Lost);
    }
    work.prove()?;
    invariants::committed(&work, &step, cookies)?;
    Ok(if signed_in { Ran::SignedIn(work.world, cookies) } else { Ran::Shown(work.world, browser) })
}

/// What the machine may look at. New ids are the first free numbers.
fn facts(world: &World, read: Option<Read>) -> Facts {
    let joined = read.and_then(|read| read.joined).unwrap_or_else(|| world.free_challenge());
    let session = read.and_then(|read| read.session).unwrap_or_else(|| world.free_session());
    Facts {
        person: read.map(|read| Fact {
            user: user_id(read.user),
            epoch: read.person.epoch.into(),
            password_version: read.person.version.into(),
            must_change: read.person.must_change,
        }),
        challenge: challenge_id(joined),
        current: read.and_then(|read| read.current).map(challenge_id),
        session: session_id(session),
    }
}

enum Done {
    Lost,
    Applied,
    Moved(u8),
    SignedIn(Option<Jar>),
}

/// A transaction at work.
pub(super) struct Work<'a> {
    pub(super) before: &'a World,
    pub(super) world: World,
    pub(super) flight: &'a Flight,
    read: Option<Read>,
    pub(super) loaded: At,
    pub(super) after: At,
    stale: bool,
    rules: &'a Rules,
}

impl Work<'_> {
    fn apply(&mut self, effect: &Effect) -> Done {
        let fits = match effect {
            Effect::OpenChallenge(first, id) => self.open_challenge(
                first_of(*first).user,
                first_of(*first).epoch,
                challenge_number(*id),
            ),
            Effect::ReplaceChallenge { first, old, new } => {
                self.supersede(challenge_number(*old));
                self.open_challenge(
                    first_of(*first).user,
                    first_of(*first).epoch,
                    challenge_number(*new),
                )
            }
            Effect::SendAgain(id) => self.send_again(challenge_number(*id)),
            Effect::UseChallenge(first, id) => {
                self.still_counts(first_of(*first)) && self.use_up(challenge_number(*id))
            }
            Effect::ChangePassword(first) => {
                self.still_counts(first_of(*first)) && self.change_password(first_of(*first).user)
            }
            Effect::ChangeBrowser => return self.hand_over(),
            Effect::SignIn(proof) => {
                let first = first_of(proof.first());
                return self.sign_in(first.user, first.epoch, session_number(proof.session()));
            }
            Effect::FollowSession(session) => return self.follow(session_number(*session)),
            Effect::Reissue(session) => return self.reissue(session_number(*session)),
        };
        if fits { Done::Applied } else { Done::Lost }
    }

    fn open_challenge(&mut self, user: u8, epoch: u8, id: u8) -> bool {
        match self.read.and_then(|read| read.open) {
            Some(open) if open == id => return true,
            Some(stale) => self.supersede(stale),
            None => {}
        }
        let browser = self.flight.browser;
        if self.world.open(user, browser).is_some() {
            return false;
        }
        self.world.challenges[usize::from(id)] = Some(Challenge {
            user,
            browser,
            epoch,
            fate: Fate::Open,
            time: Time::Open,
            spent: false,
            asked_in: self.rules.origin(self.flight.by),
            counted: false,
        });
        true
    }

    fn row(&mut self, challenge: u8) -> &mut Challenge {
        self.world.challenges[usize::from(challenge)].as_mut().expect("a challenge that is named")
    }

    fn supersede(&mut self, challenge: u8) {
        let row = self.row(challenge);
        if row.fate == Fate::Open {
            row.fate = Fate::Replaced;
        }
    }

    fn send_again(&mut self, challenge: u8) -> bool {
        let row = self.row(challenge);
        if row.fate != Fate::Open {
            return false;
        }
        // The window counts from the last mail, the cap from the first.
        if row.time == Time::Late {
            row.time = Time::Open;
        }
        true
    }

    fn still_counts(&self, first: First) -> bool {
        !self.rules.has(Guard::Lock) || self.world.counts(first)
    }

    fn use_up(&mut self, challenge: u8) -> bool {
        let guarded = self.rules.has(Guard::Once);
        let row = self.row(challenge);
        let open = row.fate == Fate::Open;
        row.fate = Fate::Used;
        open || !guarded
    }

    fn change_password(&mut self, user: u8) -> bool {
        let person = &mut self.world.people[usize::from(user)];
        person.version += 1;
        person.must_change = false;
        true
    }

    fn sign_in(&mut self, user: u8, epoch: u8, session: u8) -> Done {
        if self.rules.has(Guard::Lock) && self.world.person(user).epoch != epoch {
            return Done::Lost;
        }
        let present = self.world.live(self.flight.session).map(|(number, _)| number);
        if present == Some(session) {
            self.new_secret(session);
        } else {
            if self.world.sessions[usize::from(session)].is_some() {
                // It ended since it was read; its id cannot be given out again.
                return Done::Lost;
            }
            if let Some(old) = present {
                self.end(old);
            }
            self.world.sessions[usize::from(session)] = Some(Session { user, epoch, ended: false });
        }
        let from = self.flight.browser;
        let to = self.world.free_browser();
        if !self.complete_row(from, to) {
            return Done::Lost;
        }
        self.move_browser(from, to, |_, _| true);
        Done::SignedIn(Some(Jar { browser: to, session: Some(session) }))
    }

    fn hand_over(&mut self) -> Done {
        let to = self.world.free_browser();
        if !self.complete_row(self.flight.browser, to) {
            return Done::Lost;
        }
        if self.rules.has(Guard::Browser) {
            self.move_along(to);
            return Done::Moved(to);
        }
        let tab = &mut self.world.tabs[usize::from(self.flight.tab)];
        tab.browser = self.flight.row;
        Done::Moved(self.flight.browser)
    }

    fn follow(&mut self, session: u8) -> Done {
        let live = self.world.live(self.flight.session).map(|(number, _)| number);
        let stays = self.flight.browser;
        if live != Some(session) || !self.complete_row(stays, stays) {
            return Done::Lost;
        }
        Done::SignedIn(None)
    }

    fn reissue(&mut self, session: u8) -> Done {
        if self.world.live(Some(session)).is_none() {
            return Done::Lost;
        }
        self.new_secret(session);
        let to = self.world.free_browser();
        self.move_along(to);
        Done::SignedIn(Some(Jar { browser: to, session: Some(session) }))
    }

    /// Nobody who holds the old secret of a session holds the session any more.
    fn new_secret(&mut self, session: u8) {
        for held in self
            .world
            .jars
            .iter_mut()
            .map(|jar| &mut jar.session)
            .chain(self.world.flights.iter_mut().flatten().map(|flight| &mut flight.session))
        {
            *held = held.filter(|held| *held != session);
        }
    }

    fn end(&mut self, session: u8) {
        self.world.sessions[usize::from(session)].as_mut().expect("it is live").ended = true;
    }

    fn complete_row(&mut self, from: u8, to: u8) -> bool {
        if self.stale && self.rules.has(Guard::Version) {
            return false;
        }
        let tab = &mut self.world.tabs[usize::from(self.flight.tab)];
        tab.at = self.after;
        tab.previous = Some(from);
        tab.browser = to;
        true
    }

    /// What the row's browser owns, or as much of it as whoever presents the value before may have.
    fn move_along(&mut self, to: u8) {
        let (from, own) = (self.flight.row, usize::from(self.flight.tab));
        let all = self.flight.browser == from || !self.rules.has(Guard::Along);
        self.move_browser(from, to, |index, tab| all || index == own || tab.previous.is_none());
    }

    fn move_browser(&mut self, from: u8, to: u8, moves: impl Fn(usize, &Tab) -> bool) {
        for (index, tab) in self.world.tabs.iter_mut().enumerate() {
            if tab.browser == from && moves(index, tab) {
                tab.browser = to;
            }
        }
        for challenge in self.world.challenges.iter_mut().flatten() {
            if challenge.fate == Fate::Open && challenge.browser == from {
                challenge.browser = to;
            }
        }
    }

    fn save(&mut self) -> bool {
        if self.after == self.loaded {
            return true;
        }
        if self.stale && self.rules.has(Guard::Version) {
            return false;
        }
        let tab = &mut self.world.tabs[usize::from(self.flight.tab)];
        (tab.at, tab.previous) = (self.after, None);
        true
    }

    /// Keeps the truth: what this post has proven, whatever the machine made of it.
    fn prove(&mut self) -> Result<(), Violation> {
        if self.stale && self.after == self.loaded {
            // Nothing was written to the attempt.
            return Ok(());
        }
        let index = usize::from(self.flight.tab);
        let open = !matches!(self.loaded, At::Complete { .. } | At::Cancelled);
        let back = matches!(self.after, At::Password | At::Cancelled);
        let proven = &mut self.world.tabs[index].proven;
        match self.flight.post {
            Post::Restart | Post::Cancel if open => *proven = Proven::default(),
            _ if back => *proven = Proven::default(),
            Post::Password(first) if open => {
                *proven = Proven { password: Some(first), code: None };
            }
            Post::Code { challenge, code: Code::Right(Time::Open) }
                if matches!(self.after, At::NewPassword { .. } | At::Complete { .. }) =>
            {
                return self.prove_code(challenge);
            }
            _ => {}
        }
        Ok(())
    }

    fn prove_code(&mut self, challenge: u8) -> Result<(), Violation> {
        let row = self.before.challenge(challenge);
        if row.fate != Fate::Open || row.asked_in != self.rules.origin(self.flight.by) {
            return Ok(());
        }
        if row.counted {
            return Err(Violation("one code counted twice"));
        }
        self.row(challenge).counted = true;
        let index = usize::from(self.flight.tab);
        self.world.tabs[index].proven.code = Some((row.user, row.epoch));
        Ok(())
    }
}

/// Why a code that is right for another challenge fails here, as `email_code::why_wrong` tells it.
pub(super) const fn why_wrong(other: Challenge) -> Why {
    match other.fate {
        Fate::Used => Why::Used,
        Fate::Replaced => Why::Superseded,
        Fate::Open => Why::OtherBrowser,
    }
}
