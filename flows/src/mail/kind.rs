//! What every mail is: a job that is opened, with the lane and the waits of its category.

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
    jobs::{About, Done, End, Job, Undone, Waits},
};

/// What became of a mail when it was read.
#[derive(Debug)]
pub enum Opened {
    /// What it says.
    Letter(Box<Letter>),
    /// It is not sent: how its job ends.
    Ended(End),
}

impl From<Option<Letter>> for Opened {
    /// Without a letter it is no longer true or wanted.
    fn from(letter: Option<Letter>) -> Self {
        letter.map_or(Self::Ended(End::Superseded), |letter| Self::Letter(Box::new(letter)))
    }
}

/// A mail: the value says which rows it is about. Its member `mail`, the name of the mail, is in the trail.
pub(crate) trait Mail: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Its kind of job.
    const KIND: &'static str;
    /// What it is for.
    const CATEGORY: Category;
    /// The texts that it may have.
    const WORDINGS: &'static [Wording];

    /// Reads what it says, from the rows of this moment. It was asked for at `asked_at`.
    fn open(&self, cx: &Cx, asked_at: Timestamp) -> impl Future<Output = Result<Opened>> + Send;

    /// The recipient, as the trail has it when it was not sent.
    fn user(&self, tx: &mut Tx) -> impl Future<Output = Result<Option<UserId>>> + Send;

    /// Writes what follows when the mail server took it, in the transaction that says so; `cx.now` is when it said so. It
    /// may be asked twice.
    fn sent(
        &self,
        _cx: &Cx,
        _tx: &mut Tx,
        _done: &Done<'_>,
    ) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// Writes what follows when it will not be sent any more, in the transaction that says so.
    fn refused(&self, _cx: &Cx, _tx: &mut Tx) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }
}

impl From<Undone> for MailFailed {
    fn from(Undone { job, about, r#try, why }: Undone) -> Self {
        Self { job, mail: about, r#try, why }
    }
}

impl<M: Mail> Job for M {
    const NAME: &'static str = M::KIND;
    const LANE: &'static str = M::CATEGORY.as_str();
    const WAITS: Waits = M::CATEGORY.waits();
    const LASTS: Option<Duration> = M::CATEGORY.lasts();
    type Failed = MailFailed;

    async fn about(&self, tx: &mut Tx) -> Result<About> {
        let detail = serde_json::to_value(self)?;
        Ok(About { user: self.user(tx).await?, detail })
    }

    async fn done(&self, cx: &Cx, tx: &mut Tx, done: &Done<'_>) -> Result<()> {
        self.sent(cx, tx, done).await
    }

    async fn failed(&self, cx: &Cx, tx: &mut Tx) -> Result<()> {
        self.refused(cx, tx).await
    }
}
