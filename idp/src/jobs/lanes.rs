//! THE tables of jobs: which kinds there are, and which workers run them.

use std::{pin::Pin, time::Duration};

use flows::{
    jobs::{ClaimedJob, JobKinds, JobResult},
    mail::{CATALOGUE, Category},
};

use super::mail;
use crate::app::App;

/// The future of one attempt at a job, with its result.
pub type AttemptFuture<'a> =
    Pin<Box<dyn Future<Output = Result<JobResult, flows::Error>> + Send + 'a>>;

/// A lane: the jobs in it wait for each other, and for no job of another lane.
#[derive(Clone, Copy, Debug)]
pub struct Lane {
    /// Its name. Its worker runs the kinds of jobs that name this lane.
    pub name: &'static str,
    /// The name of its jobs in the log and in traces; their actor in the audit trail is `system:NAME`.
    pub job_name: &'static str,
    /// The number of attempts at once.
    pub workers: fn(&App) -> usize,
    /// The time limit of the outward part of an attempt. The lease of a job is ten seconds longer, for reading and for
    /// recording the result.
    pub limit: fn(&App) -> Duration,
    /// Makes one attempt. It records nothing: the worker records the result.
    pub attempt: for<'a> fn(&'a App, &'a ClaimedJob) -> AttemptFuture<'a>,
}

/// Notices are few, and no person waits for one in front of a page.
const NOTICES_AT_ONCE: usize = 2;

/// Every lane; each has a worker of its own.
pub const LANES: [Lane; 2] = [
    Lane {
        name: Category::Code.as_str(),
        job_name: "mail",
        workers: |app| app.mailer.connections(),
        limit: |app| app.mailer.limit(),
        attempt: |app, claimed| Box::pin(mail::attempt(app, claimed)),
    },
    Lane {
        name: Category::Notice.as_str(),
        job_name: "mail",
        workers: |_| NOTICES_AT_ONCE,
        limit: |app| app.mailer.limit(),
        attempt: |app, claimed| Box::pin(mail::attempt(app, claimed)),
    },
];

/// Every kind of job.
#[must_use]
pub fn kinds() -> JobKinds {
    CATALOGUE.iter().map(|mail| mail.kind).collect()
}
