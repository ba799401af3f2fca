//! Every end-to-end test, in one binary.

mod architecture;
mod door;
mod faults;
mod helm;
mod invariant;
mod audit;
mod journey;
mod keys;
mod kill;
mod login;
mod mail;
mod misuse;
mod monitoring;
mod oidc;
mod operate;
mod operating;
mod program;
mod race;
mod relying_party;
mod replicas;
mod restore;
mod retention;
mod routes;
mod tabs;
mod two_replicas;
mod upgrade;
