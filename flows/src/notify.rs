//! Mails as jobs: written in the transaction that causes them, read when they are sent; `idp` composes and sends them.
//!
//! ```text
//! queued ─▶ claimed ─▶ opened ─▶ composed and offered to the mail server ─▶ sent
//!   ▲          │          └─▶ superseded             ├─▶ refused, malformed, given up
//!   ├── the lease ends (its worker died)             │
//!   └──────────────── not now: the wait grows ───────┘
//! ```
//!
//! A mail may leave twice, after a time-out or a crash behind the server's answer. That is harmless: a mail says what is
//! true when it is sent, and the code of a challenge is always the same.

mod cause;
mod wait;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{
    ChallengeId, Conn, JobId, Timestamp, Tx, UserId,
    email_challenge::EmailChallenge,
    job::{Job, Lane},
    throttle::{self, Kind, Quota},
};

use crate::{Cx, Result, audit};
pub(crate) use cause::Cause;
use cause::Payload;

/// A mail to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mail", rename_all = "snake_case")]
pub enum Mail {
    /// The code of a challenge. The code itself is derived when it is sent.
    Code {
        /// Which challenge.
        challenge: ChallengeId,
    },
    /// "Your password was changed".
    PasswordChanged {
        /// Whose.
        user: UserId,
    },
    /// "You will be asked for a new password".
    ResetForced {
        /// Of whom.
        user: UserId,
    },
    /// "Somebody tried to sign in as you". Written for an address that is nobody's too, so that its row costs the same.
    SomebodyTried {
        /// At whom; nobody, where there is no such person.
        user: Option<UserId>,
        /// What was wrong so often.
        tried: Tried,
    },
}

/// What was wrong so often that strangers now wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tried {
    /// Passwords.
    Password,
    /// Codes, by somebody who has given the password.
    Code,
}

/// How often a person is told that somebody tries. Each kind apart: that passwords were tried, as anybody can, must not
/// silence that somebody has the right one.
const fn told(tried: Tried) -> Quota {
    let kind = match tried {
        Tried::Password => Kind::Notice,
        Tried::Code => Kind::CodeNotice,
    };
    Quota { kind, limit: 1, window: Duration::from_hours(24) }
}

/// `kind` of mail jobs.
pub const KIND: &str = "mail";

/// How old a notice may become. A code has its cap instead.
const NOTICE_LASTS: Duration = Duration::from_hours(24);

/// Asks for the mail of a challenge, in a sign-in at `client`.
pub(crate) async fn code(cx: &Cx, tx: &mut Tx, challenge: ChallengeId, client: &str) -> Result<()> {
    queue(cx, tx, (Lane::Code, Mail::Code { challenge }), Some(client)).await
}

/// Asks for the notice of a password that was changed in a sign-in at `client`.
pub(crate) async fn password_changed(
    cx: &Cx,
    tx: &mut Tx,
    user: UserId,
    client: &str,
) -> Result<()> {
    queue(cx, tx, (Lane::Notice, Mail::PasswordChanged { user }), Some(client)).await
}

/// Asks for the notice of a forced reset.
pub(crate) async fn reset_forced(cx: &Cx, tx: &mut Tx, user: UserId) -> Result<()> {
    queue(cx, tx, (Lane::Notice, Mail::ResetForced { user }), None).await
}

/// Asks for the notice that somebody tries at `client`, unless the address had such a one in the last 24 hours.
pub(crate) async fn somebody_tried(
    cx: &Cx,
    tx: &mut Tx,
    (canonical, user): (&str, Option<UserId>),
    (tried, client): (Tried, &str),
) -> Result<()> {
    if throttle::take(tx, &cx.root.lookup(canonical), told(tried), cx.now).await? {
        let mail = Mail::SomebodyTried { user, tried };
        queue(cx, tx, (Lane::Notice, mail), Some(client)).await?;
    }
    Ok(())
}

async fn queue(
    cx: &Cx,
    tx: &mut Tx,
    (lane, mail): (Lane, Mail),
    client: Option<&str>,
) -> Result<()> {
    let cause = Some(Cause::of(cx, client));
    let payload = serde_json::to_string(&Payload { mail, cause })?;
    store::job::insert(tx, cx.id(), lane, (KIND, &payload), cx.now).await?;
    Ok(())
}

/// A mail of one claim: until the lease ends, nobody else tries it.
#[derive(Clone, Debug)]
pub struct Claimed {
    lane: Lane,
    job: Job,
}

impl Claimed {
    /// Its job.
    #[must_use]
    pub const fn id(&self) -> JobId {
        self.job.id
    }

    /// Its lane.
    #[must_use]
    pub const fn lane(&self) -> Lane {
        self.lane
    }

    /// Which try this is, from 1.
    #[must_use]
    pub const fn tries(&self) -> i64 {
        self.job.tries
    }

    fn mail(&self) -> Option<Mail> {
        self.payload().map(|payload| payload.mail)
    }

    /// The request that asked for it.
    fn cause(&self) -> Option<Cause> {
        self.payload().and_then(|payload| payload.cause)
    }

    fn payload(&self) -> Option<Payload> {
        serde_json::from_str(&self.job.payload).ok().filter(|_| self.job.kind == KIND)
    }
}

/// Claims up to `most` mails of a lane that are due. When there are none it costs a read and no write.
pub async fn claim(cx: &Cx, lane: Lane, most: usize, lease: Duration) -> Result<Vec<Claimed>> {
    let mut conn = cx.db.read().await?;
    let due = store::job::due(&mut conn, lane, cx.now).await?;
    drop(conn);
    if !due {
        return Ok(Vec::new());
    }
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let jobs: Vec<Job> =
        cx.db.write(async |tx| store::job::claim(tx, lane, most, cx.now, lease).await).await?;
    Ok(jobs.into_iter().map(|job| Claimed { lane, job }).collect())
}

/// What a mail says, read from the rows of the moment in which it is sent.
#[derive(Debug)]
pub enum Letter {
    /// A code.
    Code(Box<CodeToSend>),
    /// "Your password was changed".
    PasswordChanged(Notice),
    /// "You will be asked for a new password".
    ResetForced(Notice),
    /// "Somebody tried to sign in as you".
    SomebodyTried(Notice, Tried),
}

/// What the mail of a challenge needs.
#[derive(Debug)]
pub struct CodeToSend {
    /// The challenge.
    pub challenge: EmailChallenge,
    /// The code.
    pub code: keys::EmailCode,
    /// Until when it works if the mail server takes the mail now.
    pub until: Timestamp,
    /// The person's name.
    pub name: String,
}

/// What a notice needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The person.
    pub user: UserId,
    /// Where it is mailed to.
    pub address: String,
    /// The person's name.
    pub name: String,
    /// When it happened.
    pub happened_at: Timestamp,
    /// The language in which the person last signed in (BCP 47).
    pub language: Option<String>,
}

impl Letter {
    /// Whom it is to.
    #[must_use]
    pub const fn user(&self) -> UserId {
        match self {
            Self::Code(code) => code.challenge.user_id,
            Self::PasswordChanged(notice)
            | Self::ResetForced(notice)
            | Self::SomebodyTried(notice, _) => notice.user,
        }
    }

    /// Where it is mailed to, as its owner writes it.
    #[must_use]
    pub fn address(&self) -> &str {
        match self {
            Self::Code(code) => &code.challenge.address,
            Self::PasswordChanged(notice)
            | Self::ResetForced(notice)
            | Self::SomebodyTried(notice, _) => &notice.address,
        }
    }

    /// The language that it is written in (BCP 47): a code's is that of the page that asked for it, so that mail and page
    /// can be held against each other; a notice's is the one in which the person last signed in.
    #[must_use]
    pub fn language(&self) -> Option<&str> {
        match self {
            Self::Code(code) => code.challenge.language.as_deref(),
            Self::PasswordChanged(notice)
            | Self::ResetForced(notice)
            | Self::SomebodyTried(notice, _) => notice.language.as_deref(),
        }
    }

    /// The person's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Code(code) => &code.name,
            Self::PasswordChanged(notice)
            | Self::ResetForced(notice)
            | Self::SomebodyTried(notice, _) => &notice.name,
        }
    }
}

/// Reads what a claimed mail says. Nothing when there is nothing to send; the job is then settled: a mail that is no
/// longer true or wanted is done, and one that only a newer build can read is left to it.
pub async fn open(cx: &Cx, claimed: &Claimed) -> Result<Option<Letter>> {
    let Some(mail) = claimed.mail() else {
        give_back(cx, claimed, "this build does not know such a job").await?;
        return Ok(None);
    };
    let letter = match mail {
        Mail::Code { challenge } => {
            code_to_send(cx, challenge).await?.map(Box::new).map(Letter::Code)
        }
        Mail::PasswordChanged { user } => {
            notice(cx, claimed, user, |_| true).await?.map(Letter::PasswordChanged)
        }
        // Who has chosen the new password since need not hear that it will be asked for.
        Mail::ResetForced { user } => {
            notice(cx, claimed, user, |user| user.password_change_required_since.is_some())
                .await?
                .map(Letter::ResetForced)
        }
        Mail::SomebodyTried { user: Some(user), tried } => notice(cx, claimed, user, |_| true)
            .await?
            .map(|notice| Letter::SomebodyTried(notice, tried)),
        // Nobody's address: there is nobody to tell, and nothing to record.
        Mail::SomebodyTried { user: None, .. } => {
            cx.db.write(async |tx| store::job::done(tx, claimed.id(), cx.now).await).await?;
            return Ok(None);
        }
    };
    if letter.is_none() {
        superseded(cx, claimed, mail).await?;
    }
    Ok(letter)
}

/// Nothing when it is no longer worth sending: used, superseded, guessed at too often, past its cap, or of a person who
/// was reset since, is not active or has no address any more.
async fn code_to_send(cx: &Cx, id: ChallengeId) -> Result<Option<CodeToSend>> {
    use crate::login::code_window::{self, Time};
    let mut conn = cx.db.read().await?;
    let Some(challenge) = store::email_challenge::by_id(&mut conn, id).await? else {
        return Ok(None);
    };
    let Some(user) = store::user::by_id(&mut conn, challenge.user_id).await? else {
        return Ok(None);
    };
    drop(conn);
    let dead = !challenge.is_open()
        || challenge.epoch != user.epoch
        || !user.is_active()
        || user.email.is_none()
        || challenge.tries >= cx.settings.code_tries
        || code_window::time(cx, &challenge) == Time::Past;
    if dead {
        return Ok(None);
    }
    let code = code_window::code_of(cx, &challenge)?;
    let until = cx.now.plus(cx.settings.code_window).min(code_window::cap(cx, &challenge));
    Ok(Some(CodeToSend { challenge, code, until, name: user.name }))
}

async fn notice(
    cx: &Cx,
    claimed: &Claimed,
    id: UserId,
    still_true: impl FnOnce(&store::user::User) -> bool,
) -> Result<Option<Notice>> {
    let mut conn: Conn = cx.db.read().await?;
    let user = store::user::by_id(&mut conn, id).await?.filter(still_true);
    Ok(user.and_then(|user| {
        Some(Notice {
            user: user.id,
            address: user.email?,
            name: user.name,
            happened_at: claimed.job.created_at,
            language: user.language,
        })
    }))
}

async fn superseded(cx: &Cx, claimed: &Claimed, mail: Mail) -> Result<()> {
    cx.db
        .write(async |tx| {
            if !store::job::done(tx, claimed.id(), cx.now).await? {
                return Ok(());
            }
            let user = match mail {
                Mail::Code { challenge } => {
                    store::email_challenge::by_id(tx, challenge).await?.map(|row| row.user_id)
                }
                Mail::PasswordChanged { user } | Mail::ResetForced { user } => Some(user),
                Mail::SomebodyTried { user, .. } => user,
            };
            let entry = audit::Entry::new(audit::Event::MailFailed)
                .outcome("superseded")
                .user(user)
                .cause(claimed.cause())
                .detail(json!({ "job": claimed.id(), "mail": mail }));
            audit::record(cx, tx, entry).await
        })
        .await
}

/// What the mail server said when it took a mail.
#[derive(Clone, Copy, Debug)]
pub struct Receipt<'a> {
    /// `Message-ID` of the mail.
    pub message_id: &'a str,
    /// The server's reply, without addresses.
    pub reply: &'a str,
}

/// Records that the mail server took a mail; `cx.now` is when it said so, and the window of a code counts from it.
/// Repeating it is safe.
pub async fn sent(cx: &Cx, claimed: &Claimed, letter: &Letter, receipt: Receipt<'_>) -> Result<()> {
    cx.db
        .write(async |tx| {
            if let Letter::Code(code) = letter {
                store::email_challenge::accepted(tx, code.challenge.id, cx.now).await?;
            }
            let first = store::job::done(tx, claimed.id(), cx.now).await?;
            let Letter::Code(code) = letter else { return Ok(()) };
            if !first {
                return Ok(());
            }
            let entry = audit::Entry::new(audit::Event::CodeAccepted)
                .after(cx.now.since(claimed.job.created_at))
                .user(code.challenge.user_id)
                .cause(claimed.cause())
                .detail(json!({
                    "challenge": code.challenge.id,
                    "reference": code.challenge.reference,
                    "try": claimed.tries(),
                    "message_id": receipt.message_id,
                    "reply": receipt.reply,
                }));
            audit::record(cx, tx, entry).await
        })
        .await
}

/// Why a mail did not leave; the texts are for the log and have no addresses.
#[derive(Clone, Copy, Debug)]
pub enum Failure<'a> {
    /// The mail server refused it for good, or nobody could take it.
    Refused(&'a str),
    /// It was found broken before it left.
    Malformed(&'a str),
    /// It was not taken this time.
    NotNow(&'a str),
}

/// What becomes of a mail that did not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is tried again then, if it is still worth sending.
    TryAgain(Timestamp),
    /// It was given up.
    GivenUp,
}

/// Records that a mail did not leave, and decides whether it is tried again.
pub async fn failed(
    cx: &Cx,
    claimed: &Claimed,
    letter: &Letter,
    failure: Failure<'_>,
) -> Result<Next> {
    let (outcome, why) = match failure {
        Failure::NotNow(why) => {
            if claimed.lane == Lane::Code || cx.now.since(claimed.job.created_at) < NOTICE_LASTS {
                return give_back(cx, claimed, why).await.map(Next::TryAgain);
            }
            ("given_up", why)
        }
        Failure::Refused(why) => ("refused", why),
        Failure::Malformed(why) => ("malformed", why),
    };
    cx.db
        .write(async |tx| {
            if !store::job::fail(tx, &claimed.job, cx.now, why).await? {
                return Ok(());
            }
            if let Letter::Code(code) = letter {
                store::email_challenge::refused(tx, code.challenge.id, cx.now).await?;
            }
            let entry = audit::Entry::new(audit::Event::MailFailed)
                .outcome(outcome)
                .user(letter.user())
                .cause(claimed.cause())
                .detail(json!({
                    "job": claimed.id(),
                    "mail": claimed.mail(),
                    "try": claimed.tries(),
                    "why": why,
                }));
            audit::record(cx, tx, entry).await
        })
        .await?;
    Ok(Next::GivenUp)
}

async fn give_back(cx: &Cx, claimed: &Claimed, why: &str) -> Result<Timestamp> {
    let again = cx.now.plus(wait::after(claimed.lane, claimed.tries(), &cx.rng));
    cx.db.write(async |tx| store::job::retry(tx, &claimed.job, again, why).await).await?;
    Ok(again)
}
