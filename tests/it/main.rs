//! Every end-to-end test, in one binary.

mod architecture;
mod invariant;
mod helm;
mod faults;
mod door;
mod journey;
mod kill;
mod login;
mod mail;
mod misuse;
mod monitoring;
mod oidc;
mod operating;
mod operate;
mod program;
mod race;
mod relying_party;
mod replicas;
mod restore;
mod routes;
mod tabs;
mod upgrade;
mod two_replicas;
