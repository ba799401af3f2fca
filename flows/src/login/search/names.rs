//! The machine's own values out of the small numbers of a world, and back.

use store::{ChallengeId, SessionId, Timestamp, UserId};
use uuid::Uuid;

use super::{
    super::{
        follow::SessionChecked,
        goal::Goal,
        machine::Input,
        method::{Challenge, Held, HeldProof, Mailed, Method, Proof as MachineProof},
        new_password::NewPasswordChecked,
        password::{PasswordChecked, PasswordVerdict},
        refusal::{CodeRefusal, MailRefusal, Refusal},
        resend::{ResendChecked, ResendVerdict},
        second::{Owner, SecondChecked, Verdict},
        state::{self, Completed, FirstStep, NewPassword, Second, State, Waiting},
    },
    cast::ACCOUNT,
    world::{Again, At, Awaited, By, Code, End, First, Mark, Post, Proof, Why, World, number},
};

const TIME: Timestamp = Timestamp::from_millis(0);

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

pub(super) fn user_number(id: UserId) -> u8 {
    named(id.uuid())
}

pub(super) fn challenge_number(id: ChallengeId) -> u8 {
    named(id.uuid())
}

pub(super) fn session_number(id: SessionId) -> u8 {
    named(id.uuid())
}

fn small(value: i64) -> u8 {
    u8::try_from(value).expect("a small number")
}

pub(super) fn first_of(first: state::First) -> First {
    let by = match first.step {
        FirstStep::Password { version } => By::Password(small(version)),
        FirstStep::PasskeyUv { .. } => By::Both,
    };
    First { user: user_number(first.user), epoch: small(first.epoch), by }
}

pub(super) fn first_in(first: First) -> state::First {
    let step = match first.by {
        By::Password(version) => FirstStep::Password { version: version.into() },
        By::Both => FirstStep::PasskeyUv { credential: id(first.user) },
    };
    state::First { user: user_id(first.user), epoch: first.epoch.into(), step }
}

impl End {
    pub(super) fn of(goal: Goal) -> Self {
        match goal {
            Goal::Client => Self::Client,
            Goal::Page(_) => Self::Page,
        }
    }

    pub(super) const fn goal(self) -> Goal {
        match self {
            Self::Client => Goal::Client,
            Self::Page => ACCOUNT,
        }
    }
}

/// The methods that are offered, by their places.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offered(pub(super) &'static [Method]);

impl Offered {
    pub(super) fn place(self, method: Method) -> u8 {
        number(self.0.iter().position(|offered| *offered == method).expect("it is offered"))
    }

    fn mailed(self, place: u8) -> Mailed {
        match self.0[usize::from(place)] {
            Method::Mailed(method) => method,
            Method::Held(_) => panic!("a held method has no challenge"),
        }
    }

    fn held(self, place: u8) -> Held {
        match self.0[usize::from(place)] {
            Method::Held(method) => method,
            Method::Mailed(_) => panic!("a mailed method has no mark"),
        }
    }

    /// The held methods, each with whether it proves both steps.
    pub(super) fn all_held(self) -> impl Iterator<Item = (u8, bool)> {
        self.0.iter().enumerate().filter_map(|(place, method)| match method {
            Method::Held(held) => Some((number(place), held.proves_both())),
            Method::Mailed(_) => None,
        })
    }

    pub(super) fn proves_both(self, place: u8) -> bool {
        matches!(self.0[usize::from(place)], Method::Held(held) if held.proves_both())
    }

    pub(super) fn proof_of(self, proof: &MachineProof) -> Proof {
        match proof {
            MachineProof::Mailed(challenge) => Proof::Code(challenge_number(challenge.id)),
            MachineProof::Held(held) => Proof::Held(Mark {
                user: named(held.row),
                method: self.place(proof.method()),
                value: small(held.mark),
            }),
        }
    }

    /// The machine's state in small numbers.
    pub(super) fn at_of(self, state: &State) -> At {
        match state {
            State::Password => At::Password,
            State::Second(second) => {
                let awaited = match second.waiting {
                    Waiting::Mailed(challenge) => Awaited::Code(challenge_number(challenge.id)),
                    Waiting::Held(method) => Awaited::Held(self.place(Method::Held(method))),
                };
                At::Second { first: first_of(second.first), awaited }
            }
            State::NewPassword(pending) => At::NewPassword {
                first: first_of(pending.first),
                proof: self.proof_of(&pending.proof),
            },
            State::Complete(completed) => At::Complete {
                user: user_number(completed.user),
                session: session_number(completed.session),
                proof: completed.proof.as_ref().map(|proof| self.proof_of(proof)),
            },
            State::Cancelled => At::Cancelled,
        }
    }

    fn machine_mark(self, mark: Mark) -> MachineProof {
        let (method, row) = (self.held(mark.method), id(mark.user));
        MachineProof::Held(HeldProof { method, row, mark: mark.value.into() })
    }

    /// A judged post as the machine takes it.
    pub(super) fn input(self, world: &World, post: Post) -> Input {
        match post {
            Post::Password(first) => {
                Input::Password(PasswordChecked::assume(PasswordVerdict::Right(first_in(first))))
            }
            Post::WrongPassword => Input::Password(PasswordChecked::assume(PasswordVerdict::Wrong)),
            Post::Code { challenge, code } => {
                let row = world.challenge(challenge);
                let owner = Owner { user: user_id(row.user), epoch: row.epoch.into() };
                let proof = MachineProof::Mailed(self.challenge(world, challenge));
                Input::Second(SecondChecked::assume(proof, owner, code.verdict()))
            }
            Post::Held { mark, epoch, code } => {
                let owner = Owner { user: user_id(mark.user), epoch: epoch.into() };
                let proof = self.machine_mark(mark);
                Input::Second(SecondChecked::assume(proof, owner, code.verdict()))
            }
            Post::Choose { method } => Input::Choose(self.0[usize::from(method)]),
            Post::Resend { challenge, again } => {
                let verdict = match again {
                    Again::Same => ResendVerdict::Same,
                    Again::New => ResendVerdict::New,
                    Again::Later => ResendVerdict::Later(TIME),
                };
                Input::Resend(ResendChecked::assume(self.challenge(world, challenge), verdict))
            }
            Post::Follow { session } => {
                let row = world.sessions[usize::from(session)].expect("it was read");
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

    pub(super) fn challenge(self, world: &World, challenge: u8) -> Challenge {
        let method = self.mailed(world.challenge(challenge).method);
        Challenge { method, id: challenge_id(challenge) }
    }

    fn machine_proof(self, world: &World, proof: Proof) -> MachineProof {
        match proof {
            Proof::Code(challenge) => MachineProof::Mailed(self.challenge(world, challenge)),
            Proof::Held(mark) => self.machine_mark(mark),
        }
    }

    /// The machine's own state.
    pub(super) fn state_of(self, world: &World, at: At) -> State {
        match at {
            At::Password => State::Password,
            At::Second { first, awaited } => State::Second(Second {
                first: first_in(first),
                waiting: match awaited {
                    Awaited::Code(challenge) => Waiting::Mailed(self.challenge(world, challenge)),
                    Awaited::Held(method) => Waiting::Held(self.held(method)),
                },
            }),
            At::NewPassword { first, proof } => State::NewPassword(NewPassword {
                first: first_in(first),
                proof: self.machine_proof(world, proof),
            }),
            At::Complete { user, session, proof } => State::Complete(Completed {
                user: user_id(user),
                session: session_id(session),
                proof: proof.map(|proof| self.machine_proof(world, proof)),
            }),
            At::Cancelled => State::Cancelled,
        }
    }
}

impl Code {
    /// What a verifier concluded.
    pub(super) fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Right(time) => Self::Right(time),
            Verdict::Past => Self::Past,
            Verdict::Repeated => Self::Repeated,
            Verdict::Refused(Refusal::Code(CodeRefusal::Wrong(_))) => Self::Refused(Why::Wrong),
            Verdict::Refused(Refusal::Code(CodeRefusal::Used)) => Self::Refused(Why::Used),
            Verdict::Refused(Refusal::Mail(MailRefusal::Superseded)) => {
                Self::Refused(Why::Superseded)
            }
            Verdict::Refused(Refusal::Mail(MailRefusal::OtherBrowser)) => {
                Self::Refused(Why::OtherBrowser)
            }
            Verdict::Refused(Refusal::Mail(MailRefusal::Exhausted)) => {
                Self::Refused(Why::Exhausted)
            }
            Verdict::Refused(other) => panic!("{other:?} is not told apart here"),
        }
    }

    pub(super) const fn verdict(self) -> Verdict {
        match self {
            Self::Right(time) => Verdict::Right(time),
            Self::Past => Verdict::Past,
            Self::Repeated => Verdict::Repeated,
            Self::Refused(why) => Verdict::Refused(match why {
                Why::Wrong => Refusal::Code(CodeRefusal::Wrong(1)),
                Why::Superseded => Refusal::Mail(MailRefusal::Superseded),
                Why::Used => Refusal::Code(CodeRefusal::Used),
                Why::OtherBrowser => Refusal::Mail(MailRefusal::OtherBrowser),
                Why::Exhausted => Refusal::Mail(MailRefusal::Exhausted),
            }),
        }
    }
}
