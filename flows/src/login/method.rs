//! The methods of the second step, as data for the machine.
//!
//! There are two kinds. The code of a *mailed* method is delivered to the person: its challenge is opened, sent again and
//! replaced. The proof of a *held* method is with the person already: an app, a passkey, a printed list. All methods of a
//! kind behave alike (`search::method_equivalence`), so a new one is a row here and a verifier in a file of its own.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use store::{
    ChallengeId,
    sign_in::{FirstMethod, SecondMethod},
};
use uuid::Uuid;

/// A method whose code is mailed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MailedMethod {
    name: &'static str,
    second_method: SecondMethod,
}

/// A method that the person holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HeldMethod {
    name: &'static str,
    proves: ProvenSteps,
}

/// The steps that a held method proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum ProvenSteps {
    /// The second, after another first step.
    Second(SecondMethod),
    /// Both: it identifies the person and verifies them.
    Both(FirstMethod),
}

/// Every mailed method, by name.
const MAILED: &[MailedMethod] = &[MailedMethod::EMAIL_CODE];
/// Every held method, by name.
const HELD: &[HeldMethod] =
    &[HeldMethod::TOTP, HeldMethod::RECOVERY_CODE, HeldMethod::PASSKEY, HeldMethod::PASSKEY_UV];

impl MailedMethod {
    /// A six-digit code by e-mail.
    pub(crate) const EMAIL_CODE: Self =
        Self { name: "email_code", second_method: SecondMethod::EmailCode };

    #[cfg(test)]
    pub(super) const fn assume(name: &'static str) -> Self {
        Self { name, second_method: SecondMethod::EmailCode }
    }
}

impl HeldMethod {
    /// A code of an authenticator app.
    pub const TOTP: Self = Self { name: "totp", proves: ProvenSteps::Second(SecondMethod::Totp) };
    /// A code of a printed sheet.
    pub const RECOVERY_CODE: Self =
        Self { name: "recovery_code", proves: ProvenSteps::Second(SecondMethod::RecoveryCode) };

    /// A passkey, after a password.
    pub const PASSKEY: Self =
        Self { name: "passkey", proves: ProvenSteps::Second(SecondMethod::Passkey) };
    /// A passkey alone, whose authenticator has verified the person.
    pub(crate) const PASSKEY_UV: Self =
        Self { name: "passkey_uv", proves: ProvenSteps::Both(FirstMethod::PasskeyUv) };

    /// Whether it proves both steps.
    pub(super) const fn proves_both(self) -> bool {
        matches!(self.proves, ProvenSteps::Both(_))
    }

    #[cfg(test)]
    pub(super) const fn assume(name: &'static str, second: SecondMethod) -> Self {
        Self { name, proves: ProvenSteps::Second(second) }
    }

    #[cfg(test)]
    pub(super) const fn assume_both(name: &'static str, first: FirstMethod) -> Self {
        Self { name, proves: ProvenSteps::Both(first) }
    }
}

/// A method of either kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Its code is mailed.
    Mailed(MailedMethod),
    /// The person holds it.
    Held(HeldMethod),
}

/// One code of a mailed method: a row that is opened, sent again, used and replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Challenge {
    /// The method.
    pub method: MailedMethod,
    /// The row.
    pub id: ChallengeId,
}

/// A proof of a held method, valid once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HeldProof {
    /// The method.
    pub method: HeldMethod,
    /// Id of its row, which the method's own statements read.
    pub row: Uuid,
    /// Must be above the mark in that row, and replaces it: the time step of an app, the counter of a passkey. A single-use
    /// row has 1.
    pub mark: i64,
}

/// A proof of the second step. Only [`Effect::Consume`](super::effect::Effect::Consume) uses it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Proof {
    /// The code of this challenge.
    Mailed(Challenge),
    /// Something held.
    Held(HeldProof),
}

impl Method {
    /// Its name: in forms, states and `sign_ins.second`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mailed(method) => method.name,
            Self::Held(method) => method.name,
        }
    }

    /// Whether it proves both steps.
    pub(super) const fn proves_both(self) -> bool {
        match self {
            Self::Mailed(_) => false,
            Self::Held(method) => method.proves_both(),
        }
    }

    /// Its name as the second step after a password.
    pub(super) fn name_after_password(self) -> &'static str {
        if self == Self::Held(HeldMethod::PASSKEY_UV) {
            HeldMethod::PASSKEY.name
        } else {
            self.name()
        }
    }

    /// The method of this name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let mailed = MAILED.iter().copied().map(Self::Mailed);
        let held = HELD.iter().copied().map(Self::Held);
        mailed.chain(held).find(|method| method.name() == name)
    }
}

impl Proof {
    /// The method that it proves.
    #[must_use]
    pub const fn method(&self) -> Method {
        match self {
            Self::Mailed(challenge) => Method::Mailed(challenge.method),
            Self::Held(held) => Method::Held(held.method),
        }
    }

    /// The name of the second step that it proves; `None` if it proves both.
    pub(crate) const fn second_method(&self) -> Option<SecondMethod> {
        match self {
            Self::Mailed(challenge) => Some(challenge.method.second_method),
            Self::Held(held) => match held.method.proves {
                ProvenSteps::Second(word) => Some(word),
                ProvenSteps::Both(_) => None,
            },
        }
    }
}

impl Serialize for MailedMethod {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

impl Serialize for HeldMethod {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

impl<'de> Deserialize<'de> for MailedMethod {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let found = MAILED.iter().find(|method| method.name == name);
        found.copied().ok_or_else(|| D::Error::custom("no mailed method of this build"))
    }
}

impl<'de> Deserialize<'de> for HeldMethod {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let found = HELD.iter().find(|method| method.name == name);
        found.copied().ok_or_else(|| D::Error::custom("no held method of this build"))
    }
}
