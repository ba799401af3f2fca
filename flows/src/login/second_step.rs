//! Checked proofs of the second step.
//!
//! A [`SecondChecked`] is constructed from a *seal*: a value that only the file of its method can construct, and whose type
//! identifies that method. So a verifier gives verdicts only about its own method.

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
    /// It is right, with this validity. What is held is always valid.
    Right(CodeValidity),
    /// It is wrong, and its challenge is past its cap anyway.
    Expired,
    /// It is the proof that this browser posted before and that was accepted, a moment ago.
    Repeated,
    /// It is refused.
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

/// The person of a proof, and the epoch that it was made under: what is older than a reset is invalid after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProofOwner {
    /// The person.
    pub user: UserId,
    /// The epoch: of a challenge when it was created, of something held when it was checked.
    pub epoch: i64,
}

/// A checked proof of the second step.
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

    /// About something held: its row, and the mark that it would set there.
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

    /// The proof that was checked.
    #[must_use]
    pub const fn proof(&self) -> &Proof {
        &self.proof
    }

    /// The person and epoch of the proof.
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
