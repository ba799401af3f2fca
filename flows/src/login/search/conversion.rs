//! Converts the small numbers of a world to the machine's own values, and back.

use store::{ChallengeId, SessionId, Timestamp, UserId};
use uuid::Uuid;

use super::{
    super::{
        follow::SessionChecked,
        goal::Goal,
        machine::Input,
        method::{Challenge, HeldMethod, HeldProof, MailedMethod, Method, Proof as MachineProof},
        new_password::NewPasswordChecked,
        password::{PasswordChecked, PasswordVerdict},
        refusal::{CodeRefusal, MailRefusal, Refusal},
        resend::{ResendChecked, ResendVerdict},
        second_step::{ProofOwner, SecondChecked, Verdict},
        state::{
            self, AwaitedProof, CompletedAttempt, FirstStep, PendingNewPassword, PendingSecondStep,
            State,
        },
    },
    test_methods::ACCOUNT,
    world::{
        AttemptState, Awaited, CodeFailure, CodeVerdict, FirstProof, GoalKind, HeldMark,
        JudgedPost, Proof, ProvenFirst, ResendAnswer, World, number,
    },
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

/// The number in an id that one of the functions above created.
const fn number_of(id: Uuid) -> u8 {
    id.as_bytes()[0]
}

pub(super) fn user_number(id: UserId) -> u8 {
    number_of(id.uuid())
}

pub(super) fn challenge_number(id: ChallengeId) -> u8 {
    number_of(id.uuid())
}

pub(super) fn session_number(id: SessionId) -> u8 {
    number_of(id.uuid())
}

fn small(value: i64) -> u8 {
    u8::try_from(value).expect("a small number")
}

pub(super) fn from_machine_first(first: state::ProvenFirstStep) -> ProvenFirst {
    let by = match first.step {
        FirstStep::Password { version } => FirstProof::Password(small(version)),
        FirstStep::PasskeyUv { .. } => FirstProof::Both,
    };
    ProvenFirst { user: user_number(first.user), epoch: small(first.epoch), by }
}

pub(super) fn to_machine_first(first: ProvenFirst) -> state::ProvenFirstStep {
    let step = match first.by {
        FirstProof::Password(version) => FirstStep::Password { version: version.into() },
        FirstProof::Both => FirstStep::PasskeyUv { credential: id(first.user) },
    };
    state::ProvenFirstStep { user: user_id(first.user), epoch: first.epoch.into(), step }
}

impl GoalKind {
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

/// The methods that are offered, by their positions.
#[derive(Clone, Copy, Debug)]
pub(super) struct OfferedMethods(pub(super) &'static [Method]);

impl OfferedMethods {
    pub(super) fn index_of(self, method: Method) -> u8 {
        number(self.0.iter().position(|offered| *offered == method).expect("it is offered"))
    }

    fn mailed(self, place: u8) -> MailedMethod {
        match self.0[usize::from(place)] {
            Method::Mailed(method) => method,
            Method::Held(_) => panic!("a held method has no challenge"),
        }
    }

    fn held(self, place: u8) -> HeldMethod {
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
            MachineProof::Held(held) => Proof::Held(HeldMark {
                user: number_of(held.row),
                method: self.index_of(proof.method()),
                value: small(held.mark),
            }),
        }
    }

    /// The machine's state in small numbers.
    pub(super) fn model_state(self, state: &State) -> AttemptState {
        match state {
            State::Password => AttemptState::Password,
            State::Second(second) => {
                let awaited = match second.waiting {
                    AwaitedProof::Mailed(challenge) => {
                        Awaited::Code(challenge_number(challenge.id))
                    }
                    AwaitedProof::Held(method) => {
                        Awaited::Held(self.index_of(Method::Held(method)))
                    }
                };
                AttemptState::Second { first: from_machine_first(second.first), awaited }
            }
            State::NewPassword(pending) => AttemptState::NewPassword {
                first: from_machine_first(pending.first),
                proof: self.proof_of(&pending.proof),
            },
            State::Complete(completed) => AttemptState::Complete {
                user: user_number(completed.user),
                session: session_number(completed.session),
                proof: completed.proof.as_ref().map(|proof| self.proof_of(proof)),
            },
            State::Cancelled => AttemptState::Cancelled,
        }
    }

    fn machine_mark(self, mark: HeldMark) -> MachineProof {
        let (method, row) = (self.held(mark.method), id(mark.user));
        MachineProof::Held(HeldProof { method, row, mark: mark.value.into() })
    }

    /// A checked post as the machine's input.
    pub(super) fn input(self, world: &World, post: JudgedPost) -> Input {
        match post {
            JudgedPost::Password(first) => Input::Password(PasswordChecked::assume(
                PasswordVerdict::Right(to_machine_first(first)),
            )),
            JudgedPost::WrongPassword => {
                Input::Password(PasswordChecked::assume(PasswordVerdict::Wrong))
            }
            JudgedPost::Code { challenge, code } => {
                let row = world.challenge(challenge);
                let owner = ProofOwner { user: user_id(row.user), epoch: row.epoch.into() };
                let proof = MachineProof::Mailed(self.challenge(world, challenge));
                Input::Second(SecondChecked::assume(proof, owner, code.verdict()))
            }
            JudgedPost::Held { mark, epoch, code } => {
                let owner = ProofOwner { user: user_id(mark.user), epoch: epoch.into() };
                let proof = self.machine_mark(mark);
                Input::Second(SecondChecked::assume(proof, owner, code.verdict()))
            }
            JudgedPost::Choose { method } => Input::Choose(self.0[usize::from(method)]),
            JudgedPost::Resend { challenge, again } => {
                let verdict = match again {
                    ResendAnswer::Same => ResendVerdict::Same,
                    ResendAnswer::New => ResendVerdict::New,
                    ResendAnswer::Later => ResendVerdict::Later(TIME),
                };
                Input::Resend(ResendChecked::assume(self.challenge(world, challenge), verdict))
            }
            JudgedPost::Follow { session } => {
                let row = world.sessions[usize::from(session)].expect("it was read");
                let (id, user) = (session_id(session), user_id(row.user));
                Input::Follow(SessionChecked::assume(id, user, row.epoch.into()))
            }
            JudgedPost::NewPassword { user, good } => {
                let refused = (!good).then_some(crate::account::password::BadPassword::Common);
                Input::NewPassword(NewPasswordChecked::assume(user_id(user), refused))
            }
            JudgedPost::Restart => Input::Restart,
            JudgedPost::Cancel => Input::Cancel,
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
    pub(super) fn to_machine_state(self, world: &World, at: AttemptState) -> State {
        match at {
            AttemptState::Password => State::Password,
            AttemptState::Second { first, awaited } => State::Second(PendingSecondStep {
                first: to_machine_first(first),
                waiting: match awaited {
                    Awaited::Code(challenge) => {
                        AwaitedProof::Mailed(self.challenge(world, challenge))
                    }
                    Awaited::Held(method) => AwaitedProof::Held(self.held(method)),
                },
            }),
            AttemptState::NewPassword { first, proof } => State::NewPassword(PendingNewPassword {
                first: to_machine_first(first),
                proof: self.machine_proof(world, proof),
            }),
            AttemptState::Complete { user, session, proof } => State::Complete(CompletedAttempt {
                user: user_id(user),
                session: session_id(session),
                proof: proof.map(|proof| self.machine_proof(world, proof)),
            }),
            AttemptState::Cancelled => State::Cancelled,
        }
    }
}

impl CodeVerdict {
    /// What a verifier concluded.
    pub(super) fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Right(time) => Self::Right(time),
            Verdict::Expired => Self::Expired,
            Verdict::Repeated => Self::Repeated,
            Verdict::Refused(Refusal::Code(CodeRefusal::Wrong(_))) => {
                Self::Refused(CodeFailure::Wrong)
            }
            Verdict::Refused(Refusal::Code(CodeRefusal::Used)) => Self::Refused(CodeFailure::Used),
            Verdict::Refused(Refusal::Mail(MailRefusal::Superseded)) => {
                Self::Refused(CodeFailure::Superseded)
            }
            Verdict::Refused(Refusal::Mail(MailRefusal::OtherBrowser)) => {
                Self::Refused(CodeFailure::OtherBrowser)
            }
            Verdict::Refused(Refusal::Mail(MailRefusal::Exhausted)) => {
                Self::Refused(CodeFailure::Exhausted)
            }
            Verdict::Refused(other) => panic!("{other:?} is not told apart here"),
        }
    }

    pub(super) const fn verdict(self) -> Verdict {
        match self {
            Self::Right(time) => Verdict::Right(time),
            Self::Expired => Verdict::Expired,
            Self::Repeated => Verdict::Repeated,
            Self::Refused(why) => Verdict::Refused(match why {
                CodeFailure::Wrong => Refusal::Code(CodeRefusal::Wrong(1)),
                CodeFailure::Superseded => Refusal::Mail(MailRefusal::Superseded),
                CodeFailure::Used => Refusal::Code(CodeRefusal::Used),
                CodeFailure::OtherBrowser => Refusal::Mail(MailRefusal::OtherBrowser),
                CodeFailure::Exhausted => Refusal::Mail(MailRefusal::Exhausted),
            }),
        }
    }
}
