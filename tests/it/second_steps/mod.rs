//! The second step by an authenticator app or a recovery code, and the pages where a person looks after them.

mod account;
mod authenticator_app;
mod changed_elsewhere;
mod charges;
mod choice;
mod recovery_codes;
mod replicas;
