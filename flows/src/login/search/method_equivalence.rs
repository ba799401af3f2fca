//! All methods of a kind behave alike: if methods are replaced by others of their kinds, every decision is the same. So what
//! the search shows of one mailed and one held method it shows of all.

use super::{
    super::{
        effect::{Delivery, Effect},
        machine::{Transition, step},
        method::{Challenge, HeldProof, Proof},
        state::{AwaitedProof, CompletedAttempt, PendingNewPassword, PendingSecondStep, State},
    },
    single_step::{FIRST_OF_EACH, MethodSet, SECOND_OF_EACH},
};

impl MethodSet {
    /// This set's method in place of another's.
    const fn challenge_like(self, challenge: Challenge) -> Challenge {
        Challenge { method: self.mailed, ..challenge }
    }

    const fn proof_like(self, proof: Proof) -> Proof {
        match proof {
            Proof::Mailed(challenge) => Proof::Mailed(self.challenge_like(challenge)),
            Proof::Held(held) => {
                let method = if held.method.proves_both() { self.both } else { self.held };
                Proof::Held(HeldProof { method, ..held })
            }
        }
    }

    fn state_like(self, state: State) -> State {
        match state {
            State::Second(PendingSecondStep { first, waiting }) => {
                State::Second(PendingSecondStep {
                    first,
                    waiting: match waiting {
                        AwaitedProof::Mailed(challenge) => {
                            AwaitedProof::Mailed(self.challenge_like(challenge))
                        }
                        AwaitedProof::Held(method) if method.proves_both() => {
                            AwaitedProof::Held(self.both)
                        }
                        AwaitedProof::Held(_) => AwaitedProof::Held(self.held),
                    },
                })
            }
            State::NewPassword(PendingNewPassword { first, proof }) => {
                State::NewPassword(PendingNewPassword { first, proof: self.proof_like(proof) })
            }
            State::Complete(CompletedAttempt { user, session, proof }) => {
                let proof = proof.map(|proof| self.proof_like(proof));
                State::Complete(CompletedAttempt { user, session, proof })
            }
            state @ (State::Password | State::Cancelled) => state,
        }
    }

    const fn delivery_like(self, delivery: Delivery) -> Delivery {
        match delivery {
            Delivery::Open(first, challenge) => {
                Delivery::Open(first, self.challenge_like(challenge))
            }
            Delivery::SendAgain(challenge) => Delivery::SendAgain(self.challenge_like(challenge)),
            Delivery::Replace { first, old, new } => {
                let (old, new) = (self.challenge_like(old), self.challenge_like(new));
                Delivery::Replace { first, old, new }
            }
        }
    }

    /// Whether an effect with this set's methods equals another one with these in their places.
    fn is_like(self, effect: &Effect, own: &Effect) -> bool {
        match (effect, own) {
            (Effect::Deliver(a), Effect::Deliver(b)) => self.delivery_like(*a) == *b,
            (Effect::Consume(a, proof), Effect::Consume(b, own)) => {
                a == b && self.proof_like(*proof) == *own
            }
            (Effect::ChangeBrowser, Effect::ChangeBrowser) => true,
            (Effect::ChangePassword(a), Effect::ChangePassword(b)) => a == b,
            (Effect::SignIn(a), Effect::SignIn(b)) => {
                let both =
                    |step: &super::super::machine::SignInProof| step.second_method().is_none();
                (a.first(), a.session(), both(a)) == (b.first(), b.session(), both(b))
            }
            (Effect::End(a), Effect::End(b)) => a == b,
            (Effect::FollowSession(a), Effect::FollowSession(b))
            | (Effect::Reissue(a), Effect::Reissue(b)) => a == b,
            _ => false,
        }
    }

    pub(super) fn are_steps_equivalent(self, other: Transition, own: &Transition) -> bool {
        other.refusal == own.refusal
            && other.effects.len() == own.effects.len()
            && other.effects.iter().zip(&own.effects).all(|(a, b)| self.is_like(a, b))
            && self.state_like(other.state) == own.state
    }
}

#[test]
fn methods_of_kind_behave_alike() {
    let (one, other) = (FIRST_OF_EACH, SECOND_OF_EACH);
    let inputs: Vec<_> = one.inputs().into_iter().zip(other.inputs()).collect();
    let facts: Vec<_> = one.facts().into_iter().zip(other.facts()).collect();
    for (a, b) in one.states().into_iter().zip(other.states()) {
        for (make_a, make_b) in &inputs {
            for (facts_a, facts_b) in &facts {
                let of_one = step(a.clone(), make_a(), facts_a);
                let of_other = step(b.clone(), make_b(), facts_b);
                let input = make_a();
                assert!(
                    other.are_steps_equivalent(of_one, &of_other),
                    "{a:?} {input:?} {facts_a:?}"
                );
            }
        }
    }
}
