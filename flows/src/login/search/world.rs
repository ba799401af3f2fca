//! The state of the search: the rows, the cookies, the requests in flight, and the truth about what was proven.
//!
//! Everything is a small number, so that a world is cheap to copy, compare and hash. Numbers of challenges, sessions and
//! cookie values have no meaning of their own: [`World::canonicalize`] renumbers them in the order of use and drops what no
//! browser can reach, so that two worlds which differ only in names are one.

pub(super) use super::super::{code_window::CodeValidity, mailed_method::ChallengeState};

/// The person whose account must be safe; only the own browser can read the mail.
pub(super) const VICTIM: u8 = 0;
/// A second account, the attacker's own.
pub(super) const ATTACKER_ACCOUNT: u8 = 1;
/// The browser of the first two tabs.
pub(super) const VICTIM_BROWSER: u8 = 0;
/// The browser of the third: the attacker's, who has every password.
pub(super) const ATTACKER_BROWSER: u8 = 1;

/// The name of a value that no browser can present or look up any more.
pub(super) const UNREACHABLE: u8 = u8::MAX;

/// A row of `users` with its password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Person {
    pub(super) epoch: u8,
    pub(super) version: u8,
    pub(super) must_change: bool,
}

/// A proven first step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ProvenFirst {
    pub(super) user: u8,
    pub(super) epoch: u8,
    pub(super) by: FirstProof,
}

/// What proved it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum FirstProof {
    /// The password of this version.
    Password(u8),
    /// What proves both steps.
    Both,
}

/// What the second step waits for. A method is its position in the list of those that are offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Awaited {
    Code(u8),
    Held(u8),
}

/// What proved the second step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Proof {
    Code(u8),
    Held(HeldMark),
}

/// A proof by something held: it is fresh if it is above the last one that was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct HeldMark {
    pub(super) user: u8,
    pub(super) method: u8,
    pub(super) value: u8,
}

/// The goal of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum GoalKind {
    Client,
    Page,
}

/// The machine's state with numbers for ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum AttemptState {
    Password,
    Second { first: ProvenFirst, awaited: Awaited },
    NewPassword { first: ProvenFirst, proof: Proof },
    Complete { user: u8, session: u8, proof: Option<Proof> },
    Cancelled,
}

/// The truth about an attempt, kept beside the machine and never passed to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Proven {
    /// The first step that was proven in it since it was last set back.
    pub(super) first: Option<ProvenFirst>,
    /// Person and epoch of the second step that was proven in it in time, after that.
    pub(super) second: Option<(u8, u8)>,
}

/// A row of `attempts`. It has no version: what is in flight for it is dropped when the state changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tab {
    pub(super) browser: u8,
    pub(super) previous: Option<u8>,
    pub(super) at: AttemptState,
    pub(super) end: GoalKind,
    pub(super) proven: Proven,
}

impl Tab {
    pub(super) fn new(browser: u8, end: GoalKind) -> Self {
        Self { browser, previous: None, at: AttemptState::Password, end, proven: Proven::default() }
    }
}

/// A row of `email_challenges`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Challenge {
    pub(super) method: u8,
    pub(super) user: u8,
    pub(super) browser: u8,
    pub(super) epoch: u8,
    pub(super) state: ChallengeState,
    /// Its validity, in a search with clocks.
    pub(super) validity: CodeValidity,
    /// Whether its tries are spent, in a search with clocks.
    pub(super) spent: bool,
    /// The truth: the browser, not its cookie, that requested it.
    pub(super) asked_in: u8,
    /// The truth: whether a sign-in depends on it.
    pub(super) counted: bool,
}

/// A row of `sessions`. Only the cookies with its current secret refer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Session {
    pub(super) user: u8,
    pub(super) epoch: u8,
    pub(super) ended: bool,
}

/// The cookies of a browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct CookieJar {
    pub(super) browser: u8,
    pub(super) session: Option<u8>,
}

/// Why a code was refused, as far as the search distinguishes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum CodeFailure {
    Wrong,
    Superseded,
    Used,
    OtherBrowser,
    Exhausted,
}

/// A verdict about a code, or about something held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum CodeVerdict {
    Right(CodeValidity),
    Expired,
    Repeated,
    Refused(CodeFailure),
}

/// A verdict about "send it again".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum ResendAnswer {
    Same,
    New,
    Later,
}

/// A checked post.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum JudgedPost {
    Password(ProvenFirst),
    WrongPassword,
    Code {
        challenge: u8,
        code: CodeVerdict,
    },
    /// Something held, and the epoch of its person when it was checked.
    Held {
        mark: HeldMark,
        epoch: u8,
        code: CodeVerdict,
    },
    Choose {
        method: u8,
    },
    Resend {
        challenge: u8,
        again: ResendAnswer,
    },
    Follow {
        session: u8,
    },
    NewPassword {
        user: u8,
        good: bool,
    },
    Restart,
    Cancel,
}

/// What the transaction of a post has read for the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ReadRows {
    pub(super) user: u8,
    pub(super) person: Person,
    /// The open challenge, of any epoch.
    pub(super) open: Option<u8>,
    pub(super) can_be_joined: bool,
    /// The live session that was presented, of any person.
    pub(super) session: Option<u8>,
}

/// A post that was checked and is not applied yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct InFlightPost {
    /// The browser that sent it.
    pub(super) by: u8,
    pub(super) tab: u8,
    /// Its browser cookie.
    pub(super) browser: u8,
    /// Its session cookie, while the secret in it is the current one.
    pub(super) session: Option<u8>,
    /// The browser value that the row had when it was loaded.
    pub(super) row: u8,
    pub(super) post: JudgedPost,
    /// Whether its transaction has begun, and what that has read.
    pub(super) begun: bool,
    pub(super) read: Option<ReadRows>,
}

pub(super) const TABS: usize = 3;
pub(super) const CHALLENGES: usize = 10;
pub(super) const SESSIONS: usize = 6;
pub(super) const FLIGHTS: usize = 2;
/// Methods that may be offered.
pub(super) const METHODS: usize = 3;

/// One state of everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) people: [Person; 2],
    pub(super) jars: [CookieJar; 2],
    pub(super) tabs: [Tab; TABS],
    pub(super) challenges: [Option<Challenge>; CHALLENGES],
    pub(super) sessions: [Option<Session>; SESSIONS],
    pub(super) in_flight: [Option<InFlightPost>; FLIGHTS],
    /// The last mark that was used, for each person and method.
    pub(super) last_marks: [[u8; METHODS]; 2],
}

impl World {
    /// The first state. `planted`: the attacker has put a cookie of their own into the victim's browser.
    pub(super) fn start(planted: bool, ends: [GoalKind; TABS]) -> Self {
        let away = u8::from(!planted);
        let person = Person { epoch: 0, version: 0, must_change: false };
        let [first, second, third] = ends;
        let jar = |browser| CookieJar { browser, session: None };
        Self {
            people: [person; 2],
            jars: [jar(0), jar(away)],
            tabs: [Tab::new(0, first), Tab::new(0, second), Tab::new(away, third)],
            challenges: [None; CHALLENGES],
            sessions: [None; SESSIONS],
            in_flight: [None; FLIGHTS],
            last_marks: [[0; METHODS]; 2],
        }
    }

    pub(super) fn person(&self, user: u8) -> Person {
        self.people[usize::from(user)]
    }

    pub(super) fn tab(&self, tab: u8) -> &Tab {
        &self.tabs[usize::from(tab)]
    }

    pub(super) fn challenge(&self, challenge: u8) -> Challenge {
        self.challenges[usize::from(challenge)].expect("a challenge that is named is there")
    }

    /// The first step by the current password.
    pub(super) fn first(&self, user: u8) -> ProvenFirst {
        let person = self.person(user);
        ProvenFirst { user, epoch: person.epoch, by: FirstProof::Password(person.version) }
    }

    /// Whether what was proven still counts.
    pub(super) fn counts(&self, first: ProvenFirst) -> bool {
        let person = self.person(first.user);
        let same = match first.by {
            FirstProof::Password(version) => version == person.version,
            FirstProof::Both => true,
        };
        same && person.epoch == first.epoch
    }

    /// The challenge of a person under a browser value that can still be answered; the schema allows one for each method.
    pub(super) fn open(&self, user: u8, browser: u8, method: u8) -> Option<u8> {
        let found = self.challenges.iter().position(|slot| {
            slot.is_some_and(|c| {
                c.state == ChallengeState::Open
                    && (c.user, c.browser, c.method) == (user, browser, method)
            })
        });
        found.map(number)
    }

    /// The lowest and the highest mark that a new proof can have: above the last used one, and not below what is in flight.
    pub(super) fn fresh_marks(&self, user: u8, method: u8) -> std::ops::RangeInclusive<u8> {
        let last = self.last_marks[usize::from(user)][usize::from(method)];
        let sent = self.in_flight.iter().flatten().filter_map(|flight| match flight.post {
            JudgedPost::Held { mark, .. } if (mark.user, mark.method) == (user, method) => {
                Some(mark.value)
            }
            _ => None,
        });
        match sent.filter(|mark| *mark > last).max() {
            Some(sent) => sent..=sent + 1,
            None => last + 1..=last + 1,
        }
    }

    /// The session, if it is live.
    pub(super) fn live(&self, session: Option<u8>) -> Option<(u8, Session)> {
        let number = session.filter(|number| *number != UNREACHABLE)?;
        let row = self.sessions[usize::from(number)].expect("a session that is named is there");
        (!row.ended && row.epoch == self.person(row.user).epoch).then_some((number, row))
    }

    pub(super) fn free_challenge(&self) -> u8 {
        number(self.challenges.iter().position(Option::is_none).expect("more CHALLENGES needed"))
    }

    pub(super) fn free_session(&self) -> u8 {
        number(self.sessions.iter().position(Option::is_none).expect("more SESSIONS needed"))
    }

    pub(super) fn free_browser(&self) -> u8 {
        (0..UNREACHABLE)
            .find(|value| !self.is_browser(*value))
            .expect("there are more values than users")
    }

    fn is_browser(&self, value: u8) -> bool {
        self.jars.iter().any(|jar| jar.browser == value)
            || self.tabs.iter().any(|tab| tab.browser == value || tab.previous == Some(value))
            || self.in_flight.iter().flatten().any(|f| f.browser == value || f.row == value)
            || self.challenges.iter().flatten().any(|c| c.browser == value)
    }
}

pub(super) fn number(index: usize) -> u8 {
    u8::try_from(index).expect("a small number")
}

/// The person that a state is about.
pub(super) const fn person_of(at: AttemptState) -> Option<u8> {
    match at {
        AttemptState::Second { first, .. } | AttemptState::NewPassword { first, .. } => {
            Some(first.user)
        }
        AttemptState::Complete { user, .. } => Some(user),
        AttemptState::Password | AttemptState::Cancelled => None,
    }
}

/// The challenge that a state waits for, or whose code led to it.
pub(super) const fn challenge_of(at: AttemptState) -> Option<u8> {
    match at {
        AttemptState::Second { awaited: Awaited::Code(challenge), .. }
        | AttemptState::NewPassword { proof: Proof::Code(challenge), .. }
        | AttemptState::Complete { proof: Some(Proof::Code(challenge)), .. } => Some(challenge),
        AttemptState::Second { .. }
        | AttemptState::NewPassword { .. }
        | AttemptState::Complete { .. }
        | AttemptState::Password
        | AttemptState::Cancelled => None,
    }
}

/// The proof by which a state was reached.
pub(super) const fn proof_of(at: AttemptState) -> Option<Proof> {
    match at {
        AttemptState::NewPassword { proof, .. } => Some(proof),
        AttemptState::Complete { proof, .. } => proof,
        AttemptState::Second { .. } | AttemptState::Password | AttemptState::Cancelled => None,
    }
}
