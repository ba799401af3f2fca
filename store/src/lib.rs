//! Rows, statements and transactions. No other crate uses SQL or Redis.
//!
//! Each entity has a file with all of its statements. They take an [`Sql`], and each runs unchanged on SQLite and
//! PostgreSQL. Single use is enforced by one guarded statement, never by a read and a later write.

pub mod attempt;
pub mod audit;
pub mod audit_seal;
pub mod auth_code;
pub mod client;
mod commit_hooks;
mod commit_tracker;
pub mod consent;
mod db;
pub mod device;
pub mod document;
pub mod email_challenge;
mod ephemeral;
mod error;
pub mod grant;
mod id;
pub mod invariant_check;
pub mod job;
pub mod lease;
mod left_join;
pub mod passkey;
pub mod password;
pub mod recovery_code;
pub mod revision;
pub mod root_key;
pub mod sealed;
pub mod second_steps;
pub mod session;
pub mod sign_in;
pub mod signing_key;
pub mod throttle;
mod time;
mod token_hash;
pub mod totp_app;
pub mod user;
pub mod wrong_code;

pub use commit_tracker::CommitTracker;
pub use db::{
    BindValue, Conn, Db, DbConfig, FromAnyRow, Migrations, PoolState, Sql, Statement, Tx,
};
pub use ephemeral::{EphemeralCounters, HitResult};
pub use error::{Error, Result};
pub use id::{
    AttemptId, AuditId, ChallengeId, GrantId, Id, IdRandom, JobId, PasskeyId, RecoveryCodeId,
    SessionId, SignInId, TokenId, TotpAppId, UserId,
};
pub use time::Timestamp;
pub use token_hash::TokenHash;
