//! What a verifier found out about a proof of the second step.
//!
//! A [`SecondChecked`] is made from a *seal*: a value that only the file of its method can make, and whose type says which
//! method that is. So no verifier speaks for another method than its own.

use store::{ChallengeId, UserId};
use uuid::Uuid;

use super::{
    code_window::CodeValidity,
    method::{Challenge, HeldMethod, HeldProof, MailedMethod, Proof},
    refusal::Refusal,
};

/// The verdict about a proof of the second step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is right, at this time. What is held is always in time.
    Right(CodeValidity),
    /// It is wrong, and its challenge is past its cap anyway.
    Expired,
    /// It is the proof by which this browser was led on, a moment ago.
    Repeated,
    /// It leads nowhere.
    Refused(Refusal),
}

/// The seal of a mailed method. Its one implementation is in the file of the method's verifier.
pub(crate) trait MailedVerifier {
    /// The method.
    const METHOD: MailedMethod;
}

/// The seal of a held method. Its one implementation is in the file of the method's verifier.
pub(crate) trait HeldVerifier {
    /// The method.
    const METHOD: HeldMethod;
}

/// The person that a proof is of, and the epoch that it was made under: what is older than a reset is dead after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProofOwner {
    /// The person.
    pub user: UserId,
    /// The epoch: of a challenge when it was made, of something held when it was judged.
    pub epoch: i64,
}

/// What was found out about a proof of the second step.
#[derive(Debug)]
pub struct SecondChecked {
    proof: Proof,
    owner: ProofOwner,
    verdict: Verdict,
}

impl SecondChecked {
    /// About the code of a challenge.
    pub(super) fn mailed<S: MailedVerifier>(
        _: &S,
        challenge: ChallengeId,
        owner: ProofOwner,
        verdict: Verdict,
    ) -> Self {
        let proof = Proof::Mailed(Challenge { method: S::METHOD, id: challenge });
        Self { proof, owner, verdict }
    }

    /// About something held: the row that it is kept in, and the mark that it would leave there.
    #[cfg_attr(not(test), expect(dead_code, reason = "no held method is built yet"))]
    pub(super) fn held<S: HeldVerifier>(
        _: &S,
        row: Uuid,
        mark: i64,
        owner: ProofOwner,
        verdict: Verdict,
    ) -> Self {
        let proof = Proof::Held(HeldProof { method: S::METHOD, row, mark });
        Self { proof, owner, verdict }
    }

    /// What it is about.
    #[must_use]
    pub const fn proof(&self) -> &Proof {
        &self.proof
    }

    /// Whose that is.
    #[must_use]
    pub const fn owner(&self) -> ProofOwner {
        self.owner
    }

    /// The verdict.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Whether it is about both steps.
    pub(super) const fn is_about_both(&self) -> bool {
        match self.proof {
            Proof::Mailed(_) => false,
            Proof::Held(held) => held.method.proves_both(),
        }
    }

    #[cfg(test)]
    pub(super) const fn assume(proof: Proof, owner: ProofOwner, verdict: Verdict) -> Self {
        Self { proof, owner, verdict }
    }
}
