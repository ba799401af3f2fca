//! What the search moves about: the rows, the cookies, the requests in flight, and the truth about what was proven.
//!
//! Everything is a small number, so that a world is cheap to copy, compare and hash. Numbers of challenges, sessions and
//! cookie values have no meaning of their own: [`World::tidy`] gives them out anew in the order of use and forgets what
//! nobody can reach, so that two worlds which differ in names alone are one.

use store::{ChallengeId, SessionId, Timestamp, UserId};
use uuid::Uuid;

use super::super::{
    email_code::{CodeChecked, CodeVerdict},
    follow::SessionChecked,
    machine::{
        self, Completed, Input, NewPassword, Second, SecondChecked, SecondMethod, State, Time,
        Waiting,
    },
    new_password::NewPasswordChecked,
    password::{PasswordChecked, PasswordVerdict},
    refusal::{CodeRefusal, MailRefusal, Refusal},
    resend::{ResendChecked, ResendVerdict},
};

/// The person whose account must be safe; the mail of it is read at home only.
pub(super) const VICTIM: u8 = 0;
/// A second account, the attacker's own.
pub(super) const OTHER: u8 = 1;
/// The browser of the first two tabs.
pub(super) const HOME: u8 = 0;
/// The browser of the third: the attacker's, who knows every password.
pub(super) const AWAY: u8 = 1;

/// The name of what nobody can present or look up any more.
pub(super) const GONE: u8 = u8::MAX;

const TIME: Timestamp = Timestamp::from_millis(0);

/// A row of `users` with its password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Person {
    pub(super) epoch: u8,
    pub(super) version: u8,
    pub(super) must_change: bool,
}

/// A proven first step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct First {
    pub(super) user: u8,
    pub(super) epoch: u8,
    pub(super) version: u8,
}

/// The machine's state with numbers for ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum At {
    Password,
    Second { first: First, challenge: u8 },
    NewPassword { first: First, challenge: Option<u8> },
    Complete { user: u8, session: u8, challenge: Option<u8> },
    Cancelled,
}

/// The truth about an attempt, kept beside the machine and never shown to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Proven {
    /// The right password that was typed into it since it was last set back.
    pub(super) password: Option<First>,
    /// Person and epoch of the right code that was typed into it in time, after that.
    pub(super) code: Option<(u8, u8)>,
}

/// A row of `attempts`. Its version is not here: what is in flight for it is dropped when the state changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tab {
    pub(super) browser: u8,
    pub(super) previous: Option<u8>,
    pub(super) at: At,
    pub(super) proven: Proven,
}

/// What became of a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Fate {
    Open,
    Used,
    Replaced,
}

/// A row of `email_challenges`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Challenge {
    pub(super) user: u8,
    pub(super) browser: u8,
    pub(super) epoch: u8,
    pub(super) fate: Fate,
    /// Where its clock stands, in a search with clocks.
    pub(super) time: Time,
    /// Whether its tries are spent, in a search with clocks.
    pub(super) spent: bool,
    /// The truth: the browser, not its cookie, that it was asked for in.
    pub(super) asked_in: u8,
    /// The truth: whether a sign-in rests on it.
    pub(super) counted: bool,
}

/// A row of `sessions`. The cookies that hold its present secret name it; nothing else reaches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Session {
    pub(super) user: u8,
    pub(super) epoch: u8,
    pub(super) ended: bool,
}

/// The cookies of a browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Jar {
    pub(super) browser: u8,
    pub(super) session: Option<u8>,
}

/// Why a code led nowhere, as far as it is told apart here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Why {
    Wrong,
    Superseded,
    Used,
    OtherBrowser,
    Exhausted,
}

/// A verdict about a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Code {
    Right(Time),
    Past,
    Repeated,
    Refused(Why),
}

/// A verdict about "send it again".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Again {
    Same,
    New,
    Later,
}

/// A judged post.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Post {
    Password(First),
    WrongPassword,
    Code { challenge: u8, code: Code },
    Resend { challenge: u8, again: Again },
    Follow { session: u8 },
    NewPassword { user: u8, good: bool },
    Restart,
    Cancel,
}

/// What the transaction of a post has read for the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Read {
    pub(super) user: u8,
    pub(super) person: Person,
    /// The open challenge, of whatever epoch.
    pub(super) open: Option<u8>,
    pub(super) joined: Option<u8>,
    pub(super) current: Option<u8>,
    pub(super) session: Option<u8>,
}

/// A post that was judged and is not applied yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Flight {
    /// The browser that sent it.
    pub(super) by: u8,
    pub(super) tab: u8,
    /// The browser cookie that it came with.
    pub(super) browser: u8,
    /// The session cookie that it came with, while the secret in it is the present one.
    pub(super) session: Option<u8>,
    /// The browser value that the row had when it was loaded.
    pub(super) row: u8,
    pub(super) post: Post,
    /// Whether its transaction has begun, and what that has read.
    pub(super) begun: bool,
    pub(super) read: Option<Read>,
}

pub(super) const TABS: usize = 3;
pub(super) const CHALLENGES: usize = 10;
pub(super) const SESSIONS: usize = 6;
pub(super) const FLIGHTS: usize = 2;

/// One state of everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) people: [Person; 2],
    pub(super) jars: [Jar; 2],
    pub(super) tabs: [Tab; TABS],
    pub(super) challenges: [Option<Challenge>; CHALLENGES],
    pub(super) sessions: [Option<Session>; SESSIONS],
    pub(super) flights: [Option<Flight>; FLIGHTS],
}

impl World {
    /// Nobody has done anything. `planted`: the attacker has put a cookie of their own into the victim's browser.
    pub(super) fn start(planted: bool) -> Self {
        let away = u8::from(!planted);
        let person = Person { epoch: 0, version: 0, must_change: false };
        let tab =
            |browser| Tab { browser, previous: None, at: At::Password, proven: Proven::default() };
        let jar = |browser| Jar { browser, session: None };
        Self {
            people: [person; 2],
            jars: [jar(0), jar(away)],
            tabs: [tab(0), tab(0), tab(away)],
            challenges: [None; CHALLENGES],
            sessions: [None; SESSIONS],
            flights: [None; FLIGHTS],
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

    pub(super) fn first(&self, user: u8) -> First {
        let person = self.person(user);
        First { user, epoch: person.epoch, version: person.version }
    }

    /// Whether what was proven still counts.
    pub(super) fn counts(&self, first: First) -> bool {
        self.first(first.user) == first
    }

    /// The challenge of a person under a browser value that can still be answered; the schema allows one.
    pub(super) fn open(&self, user: u8, browser: u8) -> Option<u8> {
        let found = self.challenges.iter().position(|slot| {
            slot.is_some_and(|c| c.fate == Fate::Open && c.user == user && c.browser == browser)
        });
        found.map(number)
    }

    /// The session, if it is live.
    pub(super) fn live(&self, session: Option<u8>) -> Option<(u8, Session)> {
        let number = session.filter(|number| *number != GONE)?;
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
        (0..GONE).find(|value| !self.is_browser(*value)).expect("there are more values than users")
    }

    fn is_browser(&self, value: u8) -> bool {
        self.jars.iter().any(|jar| jar.browser == value)
            || self.tabs.iter().any(|tab| tab.browser == value || tab.previous == Some(value))
            || self.flights.iter().flatten().any(|f| f.browser == value || f.row == value)
            || self.challenges.iter().flatten().any(|c| c.browser == value)
    }
}

pub(super) fn number(index: usize) -> u8 {
    u8::try_from(index).expect("a small number")
}

/// Whom a state is about, as `login::identified` says it.
pub(super) const fn identified(at: At) -> Option<u8> {
    match at {
        At::Second { first, .. } | At::NewPassword { first, .. } => Some(first.user),
        At::Complete { user, .. } => Some(user),
        At::Password | At::Cancelled => None,
    }
}

/// What a state waits for, as `apply::awaited` says it.
pub(super) const fn awaited(at: At) -> Option<u8> {
    match at {
        At::Second { challenge, .. } => Some(challenge),
        At::NewPassword { challenge, .. } | At::Complete { challenge, .. } => challenge,
        At::Password | At::Cancelled => None,
    }
}

const fn id(number: u8) -> Uuid {
    Uuid::from_bytes([number; 16])
}

pub(super) fn user_id(user: u8) -> UserId {
    UserId::from(id(user))
}

pub(super) fn challenge_id(challenge: u8) -> ChallengeId {
    ChallengeId::from(id(challenge))
}

pub(super) fn session_id(session: u8) -> SessionId {
    SessionId::from(id(session))
}

/// The number in an id that one of the functions above made.
const fn named(id: Uuid) -> u8 {
    id.as_bytes()[0]
}

pub(super) fn challenge_number(id: ChallengeId) -> u8 {
    named(id.uuid())
}

pub(super) fn session_number(id: SessionId) -> u8 {
    named(id.uuid())
}

pub(super) fn first_of(first: machine::First) -> First {
    let small = |value: i64| u8::try_from(value).expect("a small number");
    First {
        user: named(first.user.uuid()),
        epoch: small(first.epoch),
        version: small(first.password_version),
    }
}

pub(super) fn first_in(first: First) -> machine::First {
    machine::First {
        user: user_id(first.user),
        epoch: first.epoch.into(),
        password_version: first.version.into(),
    }
}

/// The machine's own state.
pub(super) fn state_of(at: At) -> State {
    match at {
        At::Password => State::Password,
        At::Second { first, challenge } => State::Second(Second {
            first: first_in(first),
            waiting: Waiting::EmailCode(challenge_id(challenge)),
        }),
        At::NewPassword { first, challenge } => State::NewPassword(NewPassword {
            first: first_in(first),
            second: SecondMethod::EmailCode,
            challenge: challenge.map(challenge_id),
        }),
        At::Complete { user, session, challenge } => State::Complete(Completed {
            user: user_id(user),
            session: session_id(session),
            challenge: challenge.map(challenge_id),
        }),
        At::Cancelled => State::Cancelled,
    }
}

/// And back.
pub(super) fn at_of(state: &State) -> At {
    match state {
        State::Password => At::Password,
        State::Second(second) => {
            let Waiting::EmailCode(challenge) = second.waiting;
            At::Second { first: first_of(second.first), challenge: challenge_number(challenge) }
        }
        State::NewPassword(pending) => At::NewPassword {
            first: first_of(pending.first),
            challenge: pending.challenge.map(challenge_number),
        },
        State::Complete(completed) => At::Complete {
            user: named(completed.user.uuid()),
            session: session_number(completed.session),
            challenge: completed.challenge.map(challenge_number),
        },
        State::Cancelled => At::Cancelled,
    }
}

impl World {
    /// A judged post as the machine takes it.
    pub(super) fn input(&self, post: Post) -> Input {
        match post {
            Post::Password(first) => {
                Input::Password(PasswordChecked::assume(PasswordVerdict::Right(first_in(first))))
            }
            Post::WrongPassword => Input::Password(PasswordChecked::assume(PasswordVerdict::Wrong)),
            Post::Code { challenge, code } => {
                let row = self.challenge(challenge);
                let (id, user) = (challenge_id(challenge), user_id(row.user));
                let checked = CodeChecked::assume(id, user, row.epoch.into(), verdict(code));
                Input::Second(SecondChecked::EmailCode(checked))
            }
            Post::Resend { challenge, again } => {
                let verdict = match again {
                    Again::Same => ResendVerdict::Same,
                    Again::New => ResendVerdict::New,
                    Again::Later => ResendVerdict::Later(TIME),
                };
                Input::Resend(ResendChecked::assume(challenge_id(challenge), verdict))
            }
            Post::Follow { session } => {
                let row = self.sessions[usize::from(session)].expect("it was read");
                let (id, user) = (session_id(session), user_id(row.user));
                Input::Follow(SessionChecked::assume(id, user, row.epoch.into()))
            }
            Post::NewPassword { user, good } => {
                let refused = (!good).then_some(crate::account::password::BadPassword::Common);
                Input::NewPassword(NewPasswordChecked::assume(user_id(user), refused))
            }
            Post::Restart => Input::Restart,
            Post::Cancel => Input::Cancel,
        }
    }
}

fn verdict(code: Code) -> CodeVerdict {
    match code {
        Code::Right(time) => CodeVerdict::Right(time),
        Code::Past => CodeVerdict::Past,
        Code::Repeated => CodeVerdict::Repeated,
        Code::Refused(why) => CodeVerdict::Refused(match why {
            Why::Wrong => Refusal::Code(CodeRefusal::Wrong(1)),
            Why::Superseded => Refusal::Mail(MailRefusal::Superseded),
            Why::Used => Refusal::Code(CodeRefusal::Used),
            Why::OtherBrowser => Refusal::Mail(MailRefusal::OtherBrowser),
            Why::Exhausted => Refusal::Mail(MailRefusal::Exhausted),
        }),
    }
}
