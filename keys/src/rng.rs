//! The only source of randomness. It is passed as a parameter, so that signatures show which functions need it.

use aws_lc_rs::rand;

/// Random bytes of the operating system.
#[derive(Clone, Debug)]
pub struct Rng(());

impl Rng {
    /// The source of the operating system.
    #[must_use]
    pub const fn system() -> Self {
        Self(())
    }

    /// `N` random bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        #[expect(clippy::disallowed_methods, reason = "this is the one source of randomness")]
        let filled = rand::fill(&mut bytes);
        if filled.is_err() {
            // Without randomness there are no secrets: no response would be safe.
            std::process::abort();
        }
        bytes
    }
}

/// The source of randomness for signatures.
pub(crate) fn signature_rng() -> rand::SystemRandom {
    #[expect(clippy::disallowed_methods, reason = "this is the one source of randomness")]
    rand::SystemRandom::new()
}
