//! Jobs: work that is decided in a transaction and done after it. A job is inserted in the transaction that causes it; `idp`
//! has the workers.
//!
//! ```text
//! written ─▶ claimed ─▶ tried ─▶ done
//!   ▲          │          ├────▶ no longer needed
//!   │          │          ├────▶ refused, malformed, given up
//!   ├── the lease ends (its worker crashed)
//!   └──────── not now: the wait grows ──┘
//! ```
//!
//! A job may be done twice, after a time-out or a crash between the work and its record: its effect must allow that.
//!
//! A kind of job is a type that implements [`Job`], and a row in the table of [`JobKinds`] that a program is built with. A
//! job of a kind that is not in the table is not claimed: it waits for a program that has it.

mod backoff;
mod kinds;
mod queue;

pub use backoff::Backoff;
pub(crate) use kinds::BoxFuture;
pub use kinds::{CompletedJob, FailedJob, Job, JobAuditDetail, JobKind, JobKinds};
pub use queue::{ClaimRequest, ClaimedJob, JobResult, Settlement, claim, insert, settle};
