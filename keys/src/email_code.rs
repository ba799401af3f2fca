//! Mailed codes: six digits, derived and never stored (decision 3).

use std::fmt;

use aws_lc_rs::hmac;
use subtle::ConstantTimeEq;
use uuid::Uuid;
use zeroize::Zeroizing;

/// A six-digit code.
pub struct EmailCode(Zeroizing<String>);

impl EmailCode {
    /// HMAC(key, challenge, nonce, address) mod 10^6. The remainder is that of 128 bits, so that no code is likelier than
    /// another by more than 2^-108.
    pub(crate) fn derive(key: &hmac::Key, challenge: Uuid, nonce: &[u8], address: &str) -> Self {
        let mut context = hmac::Context::with_key(key);
        context.update(b"code");
        context.update(challenge.as_bytes());
        context.update(&length_prefix(nonce));
        context.update(nonce);
        context.update(address.as_bytes());
        let tag = context.sign();
        let number =
            tag.as_ref().iter().take(16).fold(0_u128, |n, byte| n << 8 | u128::from(*byte));
        Self(Zeroizing::new(format!("{:06}", number % 1_000_000)))
    }

    /// The digits, for the one mail that contains them.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether a guess is this code; takes the same time for any guess of six digits.
    #[must_use]
    pub fn matches(&self, guess: &str) -> bool {
        self.0.as_bytes().ct_eq(guess.as_bytes()).into()
    }
}

impl fmt::Debug for EmailCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailCode(..)")
    }
}

/// A tag by which a repeated guess at a challenge is recognised: keyed, so that the database alone reveals no guess.
pub(crate) fn guess_tag(key: &hmac::Key, challenge: Uuid, guess: &str) -> String {
    let mut context = hmac::Context::with_key(key);
    context.update(b"guess");
    context.update(challenge.as_bytes());
    context.update(guess.as_bytes());
    let number =
        context.sign().as_ref().iter().take(8).fold(0_u64, |n, byte| n << 8 | u64::from(*byte));
    format!("{number:016x}")
}

fn length_prefix(part: &[u8]) -> [u8; 8] {
    u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &[7; 32])
    }

    #[test]
    fn every_input_changes_code() {
        let code = |challenge, nonce: &[u8], address| {
            EmailCode::derive(&key(), Uuid::from_u128(challenge), nonce, address)
                .reveal()
                .to_owned()
        };
        let one = code(1, &[1; 16], "mere@example.org");
        assert_eq!(one, code(1, &[1; 16], "mere@example.org"));
        assert!(one.len() == 6 && one.bytes().all(|b| b.is_ascii_digit()));
        assert_ne!(one, code(2, &[1; 16], "mere@example.org"));
        assert_ne!(one, code(1, &[2; 16], "mere@example.org"));
        assert_ne!(one, code(1, &[1; 16], "hemi@example.org"));
    }

    #[test]
    fn codes_are_spread_evenly() {
        let mut first_digits = [0_u32; 10];
        for n in 0..20_000 {
            let code = EmailCode::derive(&key(), Uuid::from_u128(n), &[], "a");
            first_digits[usize::from(code.reveal().as_bytes()[0] - b'0')] += 1;
        }
        // 2,000 expected, standard deviation 42.
        assert!(first_digits.iter().all(|n| (1_790..2_210).contains(n)), "{first_digits:?}");
    }

    #[test]
    fn only_exact_code_matches() {
        let code = EmailCode::derive(&key(), Uuid::nil(), &[], "a");
        assert!(code.matches(code.reveal()));
        for guess in ["", "0", "0000000", &code.reveal()[..5]] {
            assert!(!code.matches(guess));
        }
        assert_eq!(
            guess_tag(&key(), Uuid::nil(), "123456"),
            guess_tag(&key(), Uuid::nil(), "123456")
        );
        assert_ne!(
            guess_tag(&key(), Uuid::nil(), "123456"),
            guess_tag(&key(), Uuid::nil(), "123457")
        );
        assert_ne!(
            guess_tag(&key(), Uuid::nil(), "123456"),
            guess_tag(&key(), Uuid::max(), "123456")
        );
        assert!(!format!("{code:?}").contains(code.reveal()));
    }
}
