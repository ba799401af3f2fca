//! Canonical worlds: worlds that differ only in names become one.

use super::world::{
    AttemptState, Awaited, CHALLENGES, Challenge, ChallengeState, CodeValidity, FirstProof,
    HeldMark, InFlightPost, JudgedPost, METHODS, Proof, Proven, ProvenFirst, SESSIONS, Session,
    Tab, UNREACHABLE, VICTIM, VICTIM_BROWSER, World, challenge_of, number,
};

impl World {
    /// Drops what no browser can reach, renumbers in the order of use, and sorts the two tabs of one browser, which differ
    /// only in their position.
    pub(super) fn canonicalize(mut self) -> Self {
        self.count_marks_anew();
        self.forget_dead_cookies();
        self.forget_ended();
        self.order_tabs();
        self.rename_browsers();
        self.rename_challenges();
        self.rename_sessions();
        self
    }

    /// Of a mark, only the distance above the last used one matters.
    fn count_marks_anew(&mut self) {
        let last = self.last_marks;
        let anew = |mark: &mut HeldMark| {
            let used = last[usize::from(mark.user)][usize::from(mark.method)];
            mark.value = mark.value.saturating_sub(used);
        };
        for tab in &mut self.tabs {
            if let AttemptState::NewPassword { proof: Proof::Held(mark), .. }
            | AttemptState::Complete { proof: Some(Proof::Held(mark)), .. } = &mut tab.at
            {
                anew(mark);
            }
        }
        for flight in self.in_flight.iter_mut().flatten() {
            if let JudgedPost::Held { mark, .. } = &mut flight.post {
                anew(mark);
            }
        }
        self.last_marks = [[0; METHODS]; 2];
    }

    fn forget_dead_cookies(&mut self) {
        let before = *self;
        for jar in &mut self.jars {
            jar.session = before.live(jar.session).map(|(number, _)| number);
        }
        for flight in self.in_flight.iter_mut().flatten() {
            flight.session = before.live(flight.session).map(|(number, _)| number);
        }
    }

    /// An attempt that has ended is inert, unless the code that completed it can be repeated for a live session.
    fn forget_ended(&mut self) {
        let before = *self;
        let presented = |value| {
            before.jars.iter().any(|jar| jar.browser == value)
                || before.in_flight.iter().flatten().any(|flight| flight.browser == value)
        };
        for tab in &mut self.tabs {
            let AttemptState::Complete { session, proof, .. } = tab.at else {
                if tab.at == AttemptState::Cancelled {
                    tab.proven = Proven::default();
                }
                // Whether there was one still decides what is moved.
                tab.previous =
                    tab.previous.map(|value| if presented(value) { value } else { UNREACHABLE });
                continue;
            };
            tab.proven = Proven::default();
            tab.previous = tab.previous.filter(|value| presented(*value));
            let repeatable = proof.is_some()
                && before.live(Some(session)).is_some()
                && (tab.previous.is_some() || presented(tab.browser));
            if !repeatable {
                tab.previous = None;
                tab.at = AttemptState::Complete { user: VICTIM, session: UNREACHABLE, proof: None };
            }
        }
    }

    fn order_tabs(&mut self) {
        let place = |tab: &Tab| (rank(tab), tab.end);
        if place(&self.tabs[1]) < place(&self.tabs[0]) {
            self.tabs.swap(0, 1);
            for flight in self.in_flight.iter_mut().flatten().filter(|flight| flight.tab < 2) {
                flight.tab = 1 - flight.tab;
            }
        }
        if let [Some(a), Some(b)] = self.in_flight
            && order(&b) < order(&a)
        {
            self.in_flight.swap(0, 1);
        }
        if self.in_flight[0].is_none() {
            self.in_flight.swap(0, 1);
        }
    }

    fn rename_browsers(&mut self) {
        let mut names = Renumbering::new();
        self.jars.iter().for_each(|jar| names.assign(jar.browser));
        self.tabs.iter().for_each(|tab| names.assign(tab.browser));
        self.in_flight.iter().flatten().for_each(|flight| {
            names.assign(flight.browser);
            names.assign(flight.row);
        });
        self.jars.iter_mut().for_each(|jar| jar.browser = names.of(jar.browser));
        for tab in &mut self.tabs {
            tab.browser = names.of(tab.browser);
            tab.previous = tab.previous.map(|value| names.of(value));
        }
        for flight in self.in_flight.iter_mut().flatten() {
            flight.browser = names.of(flight.browser);
            flight.row = names.of(flight.row);
        }
        for challenge in self.challenges.iter_mut().flatten() {
            if challenge.state == ChallengeState::Open {
                challenge.browser = names.of(challenge.browser);
            } else {
                let row = *challenge;
                *challenge = Challenge {
                    browser: UNREACHABLE,
                    validity: CodeValidity::Valid,
                    spent: false,
                    asked_in: VICTIM_BROWSER,
                    ..row
                };
            }
        }
    }

    fn rename_challenges(&mut self) {
        let mut names = Renumbering::new();
        for tab in &self.tabs {
            if let Some(challenge) = challenge_of(tab.at) {
                names.assign(challenge);
            }
        }
        for flight in self.in_flight.iter().flatten() {
            challenges_of(flight).into_iter().flatten().for_each(|c| names.assign(c));
        }
        let mut rest: Vec<(u8, u8, u8, u8)> = Vec::new();
        for (index, slot) in self.challenges.iter().enumerate() {
            if let Some(c) = slot
                && c.state == ChallengeState::Open
                && c.browser != UNREACHABLE
            {
                rest.push((c.browser, c.user, c.method, number(index)));
            }
        }
        rest.sort_unstable();
        for (_, _, _, challenge) in rest {
            names.assign(challenge);
        }
        let mut rows: [Option<Challenge>; CHALLENGES] = [None; CHALLENGES];
        for (index, slot) in self.challenges.iter().enumerate() {
            let name = names.of(number(index));
            if name != UNREACHABLE {
                rows[usize::from(name)] = *slot;
            }
        }
        self.challenges = rows;
        for tab in &mut self.tabs {
            if let AttemptState::Second { awaited: Awaited::Code(challenge), .. }
            | AttemptState::NewPassword { proof: Proof::Code(challenge), .. }
            | AttemptState::Complete { proof: Some(Proof::Code(challenge)), .. } = &mut tab.at
            {
                *challenge = names.of(*challenge);
            }
        }
        for flight in self.in_flight.iter_mut().flatten() {
            if let JudgedPost::Code { challenge, .. } | JudgedPost::Resend { challenge, .. } =
                &mut flight.post
            {
                *challenge = names.of(*challenge);
            }
            if let Some(read) = &mut flight.read {
                read.open = read.open.map(|c| names.of(c));
            }
        }
    }

    fn rename_sessions(&mut self) {
        let mut names = Renumbering::new();
        let complete = |tab: &Tab| match tab.at {
            AttemptState::Complete { session, .. } => Some(session),
            _ => None,
        };
        self.jars.iter().filter_map(|jar| jar.session).for_each(|s| names.assign(s));
        self.tabs.iter().filter_map(complete).for_each(|s| names.assign(s));
        for flight in self.in_flight.iter().flatten() {
            sessions_of(flight).into_iter().flatten().for_each(|s| names.assign(s));
        }
        let mut rows: [Option<Session>; SESSIONS] = [None; SESSIONS];
        for (index, slot) in self.sessions.iter().enumerate() {
            let name = names.of(number(index));
            if name != UNREACHABLE {
                let live = self.live(Some(number(index))).is_some();
                rows[usize::from(name)] = slot.map(|row| Session { ended: !live, ..row });
            }
        }
        self.sessions = rows;
        for jar in &mut self.jars {
            jar.session = jar.session.map(|s| names.of(s));
        }
        for tab in &mut self.tabs {
            if let AttemptState::Complete { session, .. } = &mut tab.at {
                *session = names.of(*session);
            }
        }
        for flight in self.in_flight.iter_mut().flatten() {
            flight.session = flight.session.map(|s| names.of(s));
            if let JudgedPost::Follow { session } = &mut flight.post {
                *session = names.of(*session);
            }
            if let Some(read) = &mut flight.read {
                read.session = read.session.map(|s| names.of(s));
            }
        }
    }
}

/// New names, by the order in which old ones are met.
struct Renumbering {
    new: [u8; 16],
    next: u8,
}

impl Renumbering {
    const fn new() -> Self {
        Self { new: [UNREACHABLE; 16], next: 0 }
    }

    fn assign(&mut self, old: u8) {
        if old != UNREACHABLE && self.new[usize::from(old)] == UNREACHABLE {
            self.new[usize::from(old)] = self.next;
            self.next += 1;
        }
    }

    fn of(&self, old: u8) -> u8 {
        if old == UNREACHABLE { UNREACHABLE } else { self.new[usize::from(old)] }
    }
}

fn challenges_of(flight: &InFlightPost) -> [Option<u8>; 2] {
    let named = match flight.post {
        JudgedPost::Code { challenge, .. } | JudgedPost::Resend { challenge, .. } => {
            Some(challenge)
        }
        _ => None,
    };
    [named, flight.read.and_then(|read| read.open)]
}

fn sessions_of(flight: &InFlightPost) -> [Option<u8>; 3] {
    let followed = match flight.post {
        JudgedPost::Follow { session } => Some(session),
        _ => None,
    };
    [flight.session, followed, flight.read.and_then(|read| read.session)]
}

/// Sorts tabs without using names. Ties cost a state, but no correctness.
fn rank(tab: &Tab) -> (u8, u8, u8, u8, u8) {
    let by = |first: ProvenFirst| match first.by {
        FirstProof::Password(version) => version,
        FirstProof::Both => u8::MAX,
    };
    let kind = |proof| match proof {
        Proof::Code(_) => 1,
        Proof::Held(mark) => 2 + mark.method,
    };
    match tab.at {
        AttemptState::Password => (0, 0, 0, 0, 0),
        AttemptState::Second { first, awaited } => {
            let awaited = match awaited {
                Awaited::Code(_) => 1,
                Awaited::Held(method) => 2 + method,
            };
            (1, first.user, first.epoch, by(first), awaited)
        }
        AttemptState::NewPassword { first, proof } => {
            (2, first.user, first.epoch, by(first), kind(proof))
        }
        AttemptState::Complete { user, proof, .. } => (3, user, proof.map_or(0, kind), 0, 0),
        AttemptState::Cancelled => (4, 0, 0, 0, 0),
    }
}

fn order(flight: &InFlightPost) -> (u8, u8, u8) {
    let kind = match flight.post {
        JudgedPost::Password(first) => first.user,
        JudgedPost::Code { .. } => 2,
        JudgedPost::Resend { .. } => 3,
        JudgedPost::Follow { .. } => 4,
        JudgedPost::NewPassword { .. } => 5,
        JudgedPost::WrongPassword | JudgedPost::Restart | JudgedPost::Cancel => 6,
        JudgedPost::Held { mark, .. } => 7 + mark.method,
        JudgedPost::Choose { method } => 16 + method,
    };
    (flight.tab, kind, flight.by)
}
