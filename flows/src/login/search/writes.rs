//! What each write of a plan does to the rows of the small world, and its guard.

use super::{
    super::{
        goal::Goal,
        machine::SignInProof,
        method::{Challenge as Name, Method, Proof as MachineProof},
        plan::{BrowserValue, MoveSource, MovedAttempts, Reply, Write},
    },
    conversion::{challenge_number, from_machine_first, session_number, user_number},
    executor::{Guard, Rules},
    invariants::Violation,
    world::{
        AttemptState, Challenge, ChallengeState, CodeValidity, CodeVerdict, CookieJar, FirstProof,
        GoalKind, HeldMark, InFlightPost, JudgedPost, Proof, Proven, ProvenFirst, Session, Tab,
        World,
    },
};

/// A transaction in progress.
pub(super) struct ModelWork<'a> {
    pub(super) before: &'a World,
    pub(super) world: World,
    pub(super) flight: &'a InFlightPost,
    pub(super) loaded: AttemptState,
    pub(super) after: AttemptState,
    stale: bool,
    pub(super) rules: &'a Rules,
    /// Person and epoch of the sign-in that was recorded.
    recorded: Option<(u8, u8)>,
    /// The new browser value.
    browser: Option<u8>,
    /// The session that the browser has.
    held_session: Option<u8>,
    /// The goal that the attempt has ended at.
    pub(super) ended: Option<GoalKind>,
}

impl<'a> ModelWork<'a> {
    pub(super) fn new(
        before: &'a World,
        flight: &'a InFlightPost,
        (loaded, after): (AttemptState, AttemptState),
        stale: bool,
        rules: &'a Rules,
    ) -> Self {
        let (world, held) = (*before, flight.session);
        let (recorded, browser, ended) = (None, None, None);
        Self {
            before,
            world,
            flight,
            loaded,
            after,
            stale,
            rules,
            recorded,
            browser,
            held_session: held,
            ended,
        }
    }

    /// The browser value and the cookies of the answer.
    pub(super) fn answer_cookies(&self, reply: Reply) -> (Option<u8>, Option<CookieJar>) {
        match (reply, self.browser) {
            (Reply::BrowserChanged, browser) => (browser, None),
            (Reply::SignedIn, Some(browser)) => {
                (None, Some(CookieJar { browser, session: self.held_session }))
            }
            (Reply::NextStep | Reply::Followed | Reply::SignedIn, _) => (None, None),
        }
    }

    /// Carries out one write; false if its guard does not hold.
    pub(super) fn write(&mut self, write: Write<'_>) -> bool {
        match write {
            Write::Lock(first) => self.still_counts(from_machine_first(first)),
            Write::Supersede(challenge) => self.supersede(challenge),
            Write::Open(first, challenge) => self.open(from_machine_first(first), challenge),
            Write::SendAgain(challenge) => self.send_again(challenge),
            Write::Consume(_, proof) => self.spend(&proof),
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
            Write::RequireLive(session) => {
                self.world.live(self.held_session).map(|(number, _)| number)
                    == Some(session_number(session))
            }
            Write::AnswerClient { .. } => self.end(Goal::Client),
            Write::GoTo(page) => self.end(Goal::Page(page)),
            // Every attempt has a row here, and authorization codes are not in this world.
            Write::MakeRow | Write::VoidCodes => true,
        }
    }

    fn end(&mut self, goal: Goal) -> bool {
        self.ended = Some(GoalKind::of(goal));
        true
    }

    fn still_counts(&self, first: ProvenFirst) -> bool {
        !self.rules.has(Guard::Lock) || self.world.counts(first)
    }

    fn row(&mut self, challenge: u8) -> &mut Challenge {
        self.world.challenges[usize::from(challenge)].as_mut().expect("a challenge that is named")
    }

    fn supersede(&mut self, challenge: Name) -> bool {
        let row = self.row(challenge_number(challenge.id));
        if row.state == ChallengeState::Open {
            row.state = ChallengeState::Superseded;
        }
        true
    }

    fn open(&mut self, ProvenFirst { user, epoch, .. }: ProvenFirst, challenge: Name) -> bool {
        let browser = self.flight.browser;
        let method = self.rules.offered.index_of(Method::Mailed(challenge.method));
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
            state: ChallengeState::Open,
            validity: CodeValidity::Valid,
            spent: false,
            asked_in: self.rules.origin(self.flight.by),
            counted: false,
        });
        true
    }

    fn send_again(&mut self, challenge: Name) -> bool {
        let row = self.row(challenge_number(challenge.id));
        if row.state != ChallengeState::Open {
            return false;
        }
        // The window counts from the last mail, the cap from the first.
        if row.validity == CodeValidity::Late {
            row.validity = CodeValidity::Valid;
        }
        true
    }

    fn spend(&mut self, proof: &MachineProof) -> bool {
        let guarded = self.rules.has(Guard::SingleUse);
        match self.rules.offered.proof_of(proof) {
            Proof::Code(challenge) => {
                let row = self.row(challenge);
                let open = row.state == ChallengeState::Open;
                row.state = ChallengeState::Used;
                open || !guarded
            }
            Proof::Held(HeldMark { user, method, value: mark }) => {
                let last = &mut self.world.last_marks[usize::from(user)][usize::from(method)];
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

    fn record(&mut self, proof: &SignInProof) -> bool {
        let first = from_machine_first(proof.first());
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
        self.held_session = Some(session);
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

    /// A cookie with the old secret of a session no longer refers to it.
    fn new_secret(&mut self, session: u8) -> bool {
        for held in self
            .world
            .jars
            .iter_mut()
            .map(|jar| &mut jar.session)
            .chain(self.world.in_flight.iter_mut().flatten().map(|flight| &mut flight.session))
        {
            *held = held.filter(|held| *held != session);
        }
        self.held_session = Some(session);
        true
    }

    fn new_browser(&mut self) -> u8 {
        *self.browser.get_or_insert_with(|| self.world.free_browser())
    }

    /// Whether the attempt may be written: its version is the one that was read.
    fn is_current(&self) -> bool {
        !self.stale || !self.rules.has(Guard::Version)
    }

    fn hand_to(&mut self, to: u8) -> bool {
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
            return self.hand_to(to);
        }
        self.browser = Some(self.flight.browser);
        self.hand_to(self.flight.row)
    }

    fn complete(&mut self, value: BrowserValue) -> bool {
        let to = match value {
            BrowserValue::Presented => self.flight.browser,
            BrowserValue::New => self.new_browser(),
        };
        self.hand_to(to)
    }

    fn move_browser(&mut self, from: MoveSource, moves: MovedAttempts) -> bool {
        let (to, own) = (self.new_browser(), usize::from(self.flight.tab));
        let from = match from {
            MoveSource::ByPresented => self.flight.browser,
            MoveSource::ByRow => self.flight.row,
        };
        if to == self.flight.browser {
            // Without a new value nothing is moved.
            return true;
        }
        let along = |index: usize, tab: &Tab| index == own || tab.previous.is_none();
        for (index, tab) in self.world.tabs.iter_mut().enumerate() {
            if tab.browser == from && (moves == MovedAttempts::All || along(index, tab)) {
                tab.browser = to;
            }
        }
        for challenge in self.world.challenges.iter_mut().flatten() {
            if challenge.state == ChallengeState::Open && challenge.browser == from {
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

    /// Records the truth: what this post has proven, whatever the machine concluded.
    pub(super) fn record_truth(&mut self) -> Result<(), Violation> {
        if self.stale && self.after == self.loaded {
            // Nothing was written to the attempt.
            return Ok(());
        }
        let index = usize::from(self.flight.tab);
        let open = !matches!(self.loaded, AttemptState::Complete { .. } | AttemptState::Cancelled);
        let back = matches!(self.after, AttemptState::Password | AttemptState::Cancelled);
        let led_on =
            matches!(self.after, AttemptState::NewPassword { .. } | AttemptState::Complete { .. })
                && self.after != self.loaded;
        let proven = &mut self.world.tabs[index].proven;
        match self.flight.post {
            JudgedPost::Restart | JudgedPost::Cancel if open => *proven = Proven::default(),
            _ if back => *proven = Proven::default(),
            JudgedPost::Password(first) if open => {
                *proven = Proven { first: Some(first), second: None };
            }
            JudgedPost::Code { challenge, code: CodeVerdict::Right(CodeValidity::Valid) }
                if led_on =>
            {
                return self.prove_code(challenge);
            }
            JudgedPost::Held { mark, epoch, code: CodeVerdict::Right(CodeValidity::Valid) }
                if led_on =>
            {
                return self.prove_held(mark, epoch);
            }
            _ => {}
        }
        Ok(())
    }

    fn prove_code(&mut self, challenge: u8) -> Result<(), Violation> {
        let row = self.before.challenge(challenge);
        if row.state != ChallengeState::Open || row.asked_in != self.rules.origin(self.flight.by) {
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

    /// Only its person has something held, so the browser that posts it in time has it.
    fn prove_held(&mut self, mark: HeldMark, epoch: u8) -> Result<(), Violation> {
        let HeldMark { user, method, value: mark } = mark;
        if mark <= self.before.last_marks[usize::from(user)][usize::from(method)] {
            return Err(Violation("one proof counted twice"));
        }
        let proven = &mut self.world.tabs[usize::from(self.flight.tab)].proven;
        if self.rules.offered.proves_both(method) {
            proven.first = Some(ProvenFirst { user, epoch, by: FirstProof::Both });
        }
        proven.second = Some((user, epoch));
        Ok(())
    }
}
