//! Passkeys: as both steps in one, as the second step, and the page where a person looks after them.

mod account;
mod apps;
mod replicas;
mod second_step;
mod sign_in;
mod verification;
