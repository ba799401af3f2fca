//! Jobs: what is decided in a transaction and happens after it. A job is written in the transaction that causes it; `idp`
//! has the workers.
//!
//! ```text
//! written ─▶ claimed ─▶ tried ─▶ done
//!   ▲          │          ├────▶ no longer needed
//!   │          │          ├────▶ refused, malformed, given up
//!   ├── the lease ends (its worker died)
//!   └──────── not now: the wait grows ──┘
//! ```
//!
//! A job may be done twice, after a time-out or a crash between the deed and its record: what it does must bear that.
//!
//! A kind of job is a type that is a [`Job`], and a row in the table of [`Kinds`] that a program is built with. A job of a
//! kind that is not in the table is not claimed: it waits for a program that knows it.

mod backoff;
mod kinds;
mod queue;

pub use backoff::Backoff;
pub(crate) use kinds::BoxFuture;
pub use kinds::{CompletedJob, FailedJob, Job, JobAuditDetail, JobKind, JobKinds};
pub use queue::{ClaimRequest, ClaimedJob, JobResult, Settlement, claim, insert, settle};
