//! The only source of randomness. It is handed around, so that whoever needs chance says so in a parameter.

use aws_lc_rs::rand;

/// Random bytes of the operating system.
#[derive(Clone, Debug)]
pub struct Rng(());

impl Rng {
    /// The source of this machine.
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
            // A machine without randomness has no secrets: nothing that could be answered now would be safe.
            std::process::abort();
        }
        bytes
    }
}

/// What a signature with ECDSA draws from.
pub(crate) fn signature_rng() -> rand::SystemRandom {
    #[expect(clippy::disallowed_methods, reason = "this is the one source of randomness")]
    rand::SystemRandom::new()
}
