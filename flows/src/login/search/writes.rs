//! What each write of a plan does to the rows of the small world, and which guard it has.

use super::{
    super::{
        goal::Goal,
        machine::Complete,
        method::{Challenge as Name, Method, Proof as MachineProof},
        plan::{Moves, Owned, Reply, Value, Write},
    },
    executor::{Guard, Rules},
    invariants::Violation,
    names::{challenge_number, first_of, session_number, user_number},
    world::{
        At, By, Challenge, Code, End, Fate, First, Flight, Jar, Mark, Post, Proof, Proven, Session,
        Tab, Time, World,
    },
};

/// A transaction at work.
pub(super) struct Work<'a> {
    pub(super) before: &'a World,
    pub(super) world: World,
    pub(super) flight: &'a Flight,
    pub(super) loaded: At,
    pub(super) after: At,
    stale: bool,
    pub(super) rules: &'a Rules,
    /// Person and epoch of the sign-in that was recorded.
    recorded: Option<(u8, u8)>,
    /// The new browser value.
    browser: Option<u8>,
    /// The session that the browser holds.
    held: Option<u8>,
    /// Where the attempt has ended.
    pub(super) ended: Option<End>,
}

impl<'a> Work<'a> {
    pub(super) fn new(
        before: &'a World,
        flight: &'a Flight,
        (loaded, after): (At, At),
        stale: bool,
        rules: &'a Rules,
    ) -> Self {
        let (world, held) = (*before, flight.session);
        let (recorded, browser, ended) = (None, None, None);
        Self { before, world, flight, loaded, after, stale, rules, recorded, browser, held, ended }
    }

    /// The browser value and the cookies that the answer brings.
    pub(super) fn given(&self, reply: Reply) -> (Option<u8>, Option<Jar>) {
        match (reply, self.browser) {
            (Reply::Moved, browser) => (browser, None),
            (Reply::SignedIn, Some(browser)) => (None, Some(Jar { browser, session: self.held })),
            (Reply::Due | Reply::Followed | Reply::SignedIn, _) => (None, None),
        }
    }

    /// Does one write; false if its guard does not hold.
    pub(super) fn write(&mut self, write: Write<'_>) -> bool {
        match write {
            Write::Lock(first) => self.still_counts(first_of(first)),
            Write::Supersede(challenge) => self.supersede(challenge),
            Write::Open(first, challenge) => self.open(first_of(first), challenge),
            Write::SendAgain(challenge) => self.send_again(challenge),
            Write::Spend(_, proof) => self.spend(&proof),
            Write::ChangePassword(user) => self.change_password(user_number(user)),
            Write::Record(proof) => self.record(proof),
            Write::EndSession(session) => self.end_session(session_number(session.id)),
            Write::BeginSession(session) => self.begin_session(session_number(session)),
            Write::RotateSession(session) => self.rotate_session(session_number(session)),
            Write::ReplaceSecret(session) => self.replace_secret(session_number(session)),
            Write::HandOver => self.hand_over(),
            Write::Complete(value) => self.complete(value),
            Write::MoveBrowser { from, moves } => self.move_browser(from, moves),
            Write::Save => self.save(),
            Write::Lives(session) => {
                self.world.live(self.held).map(|(number, _)| number)
                    == Some(session_number(session))
            }
            Write::AnswerClient { .. } => self.end(Goal::Client),
            Write::GoTo(page) => self.end(Goal::Page(page)),
            // Every attempt has a row here, and authorization codes are not in this world.
            Write::MakeRow | Write::VoidCodes => true,
        }
    }

    fn end(&mut self, goal: Goal) -> bool {
        self.ended = Some(End::of(goal));
        true
    }

    fn still_counts(&self, first: First) -> bool {
        !self.rules.has(Guard::Lock) || self.world.counts(first)
    }

    fn row(&mut self, challenge: u8) -> &mut Challenge {
        self.world.challenges[usize::from(challenge)].as_mut().expect("a challenge that is named")
    }

    fn supersede(&mut self, challenge: Name) -> bool {
        let row = self.row(challenge_number(challenge.id));
        if row.fate == Fate::Open {
            row.fate = Fate::Replaced;
        }
        true
    }

    fn open(&mut self, First { user, epoch, .. }: First, challenge: Name) -> bool {
        let browser = self.flight.browser;
        let method = self.rules.offered.place(Method::Mailed(challenge.method));
        if self.world.open(user, browser, method).is_some()
            || self.world.people[usize::from(user)].epoch != epoch
        {
            return false;
        }
        self.world.challenges[usize::from(challenge_number(challenge.id))] = Some(Challenge {
            method,
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

    fn send_again(&mut self, challenge: Name) -> bool {
        let row = self.row(challenge_number(challenge.id));
        if row.fate != Fate::Open {
            return false;
        }
        // The window counts from the last mail, the cap from the first.
        if row.time == Time::Late {
            row.time = Time::Open;
        }
        true
    }

    fn spend(&mut self, proof: &MachineProof) -> bool {
        let guarded = self.rules.has(Guard::Once);
        match self.rules.offered.proof_of(proof) {
            Proof::Code(challenge) => {
                let row = self.row(challenge);
                let open = row.fate == Fate::Open;
                row.fate = Fate::Used;
                open || !guarded
            }
            Proof::Held(Mark { user, method, value: mark }) => {
                let last = &mut self.world.last[usize::from(user)][usize::from(method)];
                let above = mark > *last;
                *last = mark.max(*last);
                above || !guarded
            }
        }
    }

    fn change_password(&mut self, user: u8) -> bool {
        let person = &mut self.world.people[usize::from(user)];
        person.version += 1;
        person.must_change = false;
        true
    }

    fn record(&mut self, proof: &Complete) -> bool {
        let first = first_of(proof.first());
        self.recorded = Some((first.user, first.epoch));
        true
    }

    fn end_session(&mut self, session: u8) -> bool {
        self.world.sessions[usize::from(session)].as_mut().expect("it was read").ended = true;
        true
    }

    fn begin_session(&mut self, session: u8) -> bool {
        let Some((user, epoch)) = self.recorded else { return false };
        self.world.sessions[usize::from(session)] = Some(Session { user, epoch, ended: false });
        self.held = Some(session);
        true
    }

    fn rotate_session(&mut self, session: u8) -> bool {
        let presented = self.world.live(self.flight.session).map(|(number, _)| number);
        presented == Some(session) && self.new_secret(session)
    }

    fn replace_secret(&mut self, session: u8) -> bool {
        let row = self.world.sessions.get(usize::from(session)).copied().flatten();
        row.is_some_and(|row| !row.ended) && self.new_secret(session)
    }

    /// What holds the old secret of a session no longer holds the session.
    fn new_secret(&mut self, session: u8) -> bool {
        for held in self
            .world
            .jars
            .iter_mut()
            .map(|jar| &mut jar.session)
            .chain(self.world.flights.iter_mut().flatten().map(|flight| &mut flight.session))
        {
            *held = held.filter(|held| *held != session);
        }
        self.held = Some(session);
        true
    }

    fn new_browser(&mut self) -> u8 {
        *self.browser.get_or_insert_with(|| self.world.free_browser())
    }

    /// Whether the attempt may be written: its version is the one that was read.
    fn is_current(&self) -> bool {
        !self.stale || !self.rules.has(Guard::Version)
    }

    fn give(&mut self, to: u8) -> bool {
        if !self.is_current() {
            return false;
        }
        let tab = &mut self.world.tabs[usize::from(self.flight.tab)];
        tab.at = self.after;
        tab.previous = Some(self.flight.browser);
        tab.browser = to;
        true
    }

    fn hand_over(&mut self) -> bool {
        if self.rules.has(Guard::Browser) {
            let to = self.new_browser();
            return self.give(to);
        }
        self.browser = Some(self.flight.browser);
        self.give(self.flight.row)
    }

    fn complete(&mut self, value: Value) -> bool {
        let to = match value {
            Value::Presented => self.flight.browser,
            Value::New => self.new_browser(),
        };
        self.give(to)
    }

    fn move_browser(&mut self, from: Owned, moves: Moves) -> bool {
        let (to, own) = (self.new_browser(), usize::from(self.flight.tab));
        let from = match from {
            Owned::ByPresented => self.flight.browser,
            Owned::ByRow => self.flight.row,
        };
        if to == self.flight.browser {
            // Without a new value nothing moves.
            return true;
        }
        let along = |index: usize, tab: &Tab| index == own || tab.previous.is_none();
        for (index, tab) in self.world.tabs.iter_mut().enumerate() {
            if tab.browser == from && (moves == Moves::All || along(index, tab)) {
                tab.browser = to;
            }
        }
        for challenge in self.world.challenges.iter_mut().flatten() {
            if challenge.fate == Fate::Open && challenge.browser == from {
                challenge.browser = to;
            }
        }
        true
    }

    fn save(&mut self) -> bool {
        if !self.is_current() {
            return false;
        }
        let tab = &mut self.world.tabs[usize::from(self.flight.tab)];
        (tab.at, tab.previous) = (self.after, None);
        true
    }

    /// Keeps the truth: what this post has proven, whatever the machine made of it.
    pub(super) fn prove(&mut self) -> Result<(), Violation> {
        if self.stale && self.after == self.loaded {
            // Nothing was written to the attempt.
            return Ok(());
        }
        let index = usize::from(self.flight.tab);
        let open = !matches!(self.loaded, At::Complete { .. } | At::Cancelled);
        let back = matches!(self.after, At::Password | At::Cancelled);
        let led_on = matches!(self.after, At::NewPassword { .. } | At::Complete { .. })
            && self.after != self.loaded;
        let proven = &mut self.world.tabs[index].proven;
        match self.flight.post {
            Post::Restart | Post::Cancel if open => *proven = Proven::default(),
            _ if back => *proven = Proven::default(),
            Post::Password(first) if open => {
                *proven = Proven { first: Some(first), second: None };
            }
            Post::Code { challenge, code: Code::Right(Time::Open) } if led_on => {
                return self.prove_code(challenge);
            }
            Post::Held { mark, epoch, code: Code::Right(Time::Open) } if led_on => {
                return self.prove_held(mark, epoch);
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
        self.world.tabs[index].proven.second = Some((row.user, row.epoch));
        Ok(())
    }

    /// Something held is known to its person alone, so the browser that posts it in time has it.
    fn prove_held(&mut self, mark: Mark, epoch: u8) -> Result<(), Violation> {
        let Mark { user, method, value: mark } = mark;
        if mark <= self.before.last[usize::from(user)][usize::from(method)] {
            return Err(Violation("one proof counted twice"));
        }
        let proven = &mut self.world.tabs[usize::from(self.flight.tab)].proven;
        if self.rules.offered.proves_both(method) {
            proven.first = Some(First { user, epoch, by: By::Both });
        }
        proven.second = Some((user, epoch));
        Ok(())
    }
}
