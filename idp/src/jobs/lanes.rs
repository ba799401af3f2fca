//! THE tables of jobs: which kinds there are, and which workers run them.

use std::{pin::Pin, time::Duration};

use flows::{
    jobs::{ClaimedJob, JobKinds, JobResult},
    mail::{CATALOGUE, Category},
};

use super::mail;
use crate::app::App;

/// An attempt at a job: what it takes, and how it ended.
pub type AttemptFuture<'a> =
    Pin<Box<dyn Future<Output = Result<JobResult, flows::Error>> + Send + 'a>>;

/// A lane: the jobs in it wait for each other, and for no job of another lane.
#[derive(Clone, Copy, Debug)]
pub struct Lane {
    /// Its name: the kinds of this lane are run here.
    pub name: &'static str,
    /// What a job of it is called, in the log and in traces; in the trail it acts as `system:WHAT`.
    pub job_name: &'static str,
    /// Attempts that are made at once.
    pub workers: fn(&App) -> usize,
    /// The longest that the outward part of an attempt may take. A job is claimed for this long and ten seconds more, for
    /// reading and for writing down how it ended.
    pub limit: fn(&App) -> Duration,
    /// One attempt. It writes nothing down: how it ended is recorded by the worker.
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
