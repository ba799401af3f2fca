//! Mails as jobs: a mail is a job that is prepared, with the lane and the waits of its category.

use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};
use store::{Timestamp, Tx, UserId};

use super::{
    category::Category,
    letter::{Letter, Wording},
};
use crate::{
    Cx, Result,
    audit::event::MailFailed,
    jobs::{Backoff, CompletedJob, FailedJob, Job, JobAuditDetail, JobResult},
};

/// The result of preparing a mail.
#[derive(Debug)]
pub enum PreparedMail {
    /// Its content.
    Letter(Box<Letter>),
    /// It is not sent: the result of its job.
    Ended(JobResult),
}

impl From<Option<Letter>> for PreparedMail {
    /// Without a letter, the mail is no longer true or wanted.
    fn from(letter: Option<Letter>) -> Self {
        letter.map_or(Self::Ended(JobResult::Superseded), |letter| Self::Letter(Box::new(letter)))
    }
}

/// A mail: the value identifies its rows. Its member `mail`, the name of the mail, is in the trail.
pub(crate) trait Mail: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Its kind of job.
    const KIND: &'static str;
    /// Its category.
    const CATEGORY: Category;
    /// The texts that it may have.
    const WORDINGS: &'static [Wording];

    /// Prepares its content from the current rows. It was requested at `asked_at`.
    fn prepare(
        &self,
        cx: &Cx,
        requested_at: Timestamp,
    ) -> impl Future<Output = Result<PreparedMail>> + Send;

    /// The recipient, for the trail when the mail was not sent.
    fn user(&self, tx: &mut Tx) -> impl Future<Output = Result<Option<UserId>>> + Send;

    /// Writes what follows when the mail server has accepted it, in the transaction that records it; `cx.now` is the time of
    /// acceptance. It may be called twice.
    fn on_sent(
        &self,
        _cx: &Cx,
        _tx: &mut Tx,
        _done: &CompletedJob<'_>,
    ) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// Writes what follows when it will not be sent any more, in the transaction that records it.
    fn on_failed(&self, _cx: &Cx, _tx: &mut Tx) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }
}

impl From<FailedJob> for MailFailed {
    fn from(FailedJob { job, detail: about, r#try, why }: FailedJob) -> Self {
        Self { job, mail: about, r#try, why }
    }
}

impl<M: Mail> Job for M {
    const NAME: &'static str = M::KIND;
    const LANE: &'static str = M::CATEGORY.as_str();
    const BACKOFF: Backoff = M::CATEGORY.backoff();
    const MAX_AGE: Option<Duration> = M::CATEGORY.max_age();
    type Failed = MailFailed;

    async fn audit_detail(&self, tx: &mut Tx) -> Result<JobAuditDetail> {
        let detail = serde_json::to_value(self)?;
        Ok(JobAuditDetail { user: self.user(tx).await?, detail })
    }

    async fn on_done(&self, cx: &Cx, tx: &mut Tx, done: &CompletedJob<'_>) -> Result<()> {
        self.on_sent(cx, tx, done).await
    }

    async fn on_failed(&self, cx: &Cx, tx: &mut Tx) -> Result<()> {
        self.on_failed(cx, tx).await
    }
}
