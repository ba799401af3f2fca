//! Codes of authenticator apps (RFC 6238): SHA-1, six digits, 30 seconds, as every app has them.

use std::time::Duration;

use keys::Rng;
use store::{Timestamp, TotpAppId, totp_app::TotpApp};
use totp_rs::{Builder, Secret, Totp};
use zeroize::Zeroizing;

use crate::{Cx, Error, Result};

/// Length of a time step.
const STEP: Duration = Duration::from_secs(30);
/// Steps of drift either way within which a code is right: at enrolment and at sign-in.
const WINDOW: i64 = 1;
/// Steps of drift either way within which a code shows that the clock of the phone is off.
const FAR_WINDOW: i64 = 10;
/// The codes of one app that are right at any moment.
pub(crate) const RIGHT_CODES: i64 = 2 * WINDOW + 1;
/// Bytes of a secret (RFC 4226, section 4, R6: 160 bits are recommended).
const SECRET_BYTES: usize = 20;

/// The secret of an app.
pub struct TotpSecret(Zeroizing<[u8; SECRET_BYTES]>);

/// How a code relates to the present time step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TotpMatch {
    /// It is the code of this time step, which is within the window.
    InWindow(i64),
    /// It is the code of this time step, which is further off.
    FarOff(i64),
    /// It is the code of no time step near.
    None,
}

impl TotpSecret {
    /// A new secret.
    pub(crate) fn generate(rng: &Rng) -> Self {
        Self(Zeroizing::new(rng.bytes()))
    }

    /// The secret of these bytes; `None` if they are not as many as a secret has.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    /// Its bytes, to be sealed.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &*self.0
    }

    /// Seals it for the row of an app.
    pub(crate) fn seal(&self, cx: &Cx, app: TotpAppId) -> Result<Vec<u8>> {
        Ok(cx.root.seal(&cx.rng, &aad(app), self.as_bytes())?)
    }

    /// Opens the secret of an app.
    pub(crate) fn open(cx: &Cx, app: &TotpApp) -> Result<Self> {
        let bytes = Zeroizing::new(cx.root.open(&aad(app.id), &app.sealed)?);
        Self::from_bytes(&bytes).ok_or_else(|| Error::from(keys::KeyError::InvalidSealedValue))
    }

    /// The secret in base 32, for an app that cannot read its address.
    #[must_use]
    pub fn to_base32(&self) -> String {
        self.secret().to_base32()
    }

    /// The `otpauth:` address that an app reads: with the name of the service and of the account.
    #[must_use]
    pub fn otpauth_url(&self, service: &str, account: &str) -> String {
        // A colon separates the two names (Key URI Format, "Label").
        let without_colon = |name: &str| name.replace(':', " ");
        let totp = Builder::new()
            .with_secret(self.secret())
            .with_issuer(Some(without_colon(service)))
            .with_account_name(without_colon(account))
            .build_noncompliant();
        totp.to_url().unwrap_or_default()
    }

    /// The time step, of those near `now`, whose code this is; the one with the least drift.
    pub(crate) fn find_step(&self, code: &str, now: Timestamp) -> TotpMatch {
        let totp = Builder::new().with_secret(self.secret()).with_skew(0).build_noncompliant();
        let present = step_at(now);
        // Every step is compared, so that the time says nothing about the code.
        let mut found = TotpMatch::None;
        for drift in (0..=FAR_WINDOW).rev().flat_map(|drift| [-drift, drift]) {
            if is_code_of(&totp, code, present + drift) {
                let is_near = drift.abs() <= WINDOW;
                let step = present + drift;
                found = if is_near { TotpMatch::InWindow(step) } else { TotpMatch::FarOff(step) };
            }
        }
        found
    }

    fn secret(&self) -> Secret {
        Secret::new_stack(*self.0)
    }
}

impl std::fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TotpSecret(..)")
    }
}

fn is_code_of(totp: &Totp, code: &str, step: i64) -> bool {
    let starts_at = u64::try_from(step).ok().and_then(|step| step.checked_mul(STEP.as_secs()));
    starts_at.is_some_and(|at| totp.check(code, at).is_some())
}

/// The associated data of the secret of an app: its row.
fn aad(app: TotpAppId) -> Vec<u8> {
    format!("totp_apps/{app}").into_bytes()
}

/// The time step of a moment.
pub(crate) fn step_at(now: Timestamp) -> i64 {
    now.millis().div_euclid(STEP.as_millis().try_into().unwrap_or(i64::MAX))
}

/// By how many seconds the clock that shows a code of `step` is ahead; negative if it is behind.
pub(crate) fn seconds_ahead(step: i64, now: Timestamp) -> i64 {
    (step - step_at(now)).saturating_mul(STEP.as_secs().try_into().unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> TotpSecret {
        TotpSecret::from_bytes(b"12345678901234567890").unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    /// RFC 6238, appendix B: the last six of the eight digits.
    #[test]
    fn published_codes_match() {
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            let now = at(seconds);
            assert_eq!(secret().find_step(code, now), TotpMatch::InWindow(step_at(now)), "{code}");
        }
    }

    #[test]
    fn drift_decides_how_code_counts() {
        let (step, code) = (step_at(at(1_111_111_109)), "081804");
        for (seconds, expected) in [
            (0, TotpMatch::InWindow(step)),
            (30, TotpMatch::InWindow(step)),
            (-30, TotpMatch::InWindow(step)),
            (60, TotpMatch::FarOff(step)),
            (-60, TotpMatch::FarOff(step)),
            (300, TotpMatch::FarOff(step)),
            (-300, TotpMatch::FarOff(step)),
            (330, TotpMatch::None),
            (-330, TotpMatch::None),
        ] {
            assert_eq!(
                secret().find_step(code, at(1_111_111_109 + seconds)),
                expected,
                "{seconds}"
            );
        }
        assert_eq!(seconds_ahead(step, at(1_111_111_109 - 240)), 240);
        assert_eq!(
            secret().find_step("081804", at(0)),
            TotpMatch::None,
            "no step before the first"
        );
        assert_eq!(secret().find_step("", at(59)), TotpMatch::None);
    }

    #[test]
    fn address_names_service_and_account() {
        let url = secret().otpauth_url("Portal: Health", "mere@example.org");
        assert_eq!(
            url,
            "otpauth://totp/Portal%20%20Health:mere%40example.org\
             ?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Portal%20%20Health"
        );
        assert_eq!(format!("{:?}", secret()), "TotpSecret(..)");
        assert!(TotpSecret::from_bytes(b"short").is_none());
    }
}
