//! Challenges: mailed codes. A code is not stored: it is derived from the row's id and nonce with a key that is not in the
//! database.

use sqlx::FromRow;

use crate::{
    ChallengeId, Result, Sql, Timestamp, TokenHash, UserId,
    left_join::LeftJoined,
    user::{UserWithPassword, with_password_columns},
};

/// One mailed code of one person in one browser.
#[derive(Clone, Debug, FromRow)]
pub struct EmailChallenge {
    /// Id; an input of the code.
    #[sqlx(rename = "challenge_id")]
    pub id: ChallengeId,
    /// The person that it is for.
    pub user_id: UserId,
    /// The browser that requested it.
    #[sqlx(rename = "challenge_browser")]
    pub browser: TokenHash,
    /// What its code is for, as [`ChallengePurpose::as_str`] has it.
    pub purpose: String,
    /// The person's epoch when it was made.
    #[sqlx(rename = "challenge_epoch")]
    pub epoch: i64,
    /// The address that it is mailed to; an input of the code.
    pub address: String,
    /// Id of the root key that the code is derived from.
    pub key_id: String,
    /// 128 random bits; an input of the code.
    pub nonce: Vec<u8>,
    /// A reference on the page and in the mail, by which they can be matched.
    pub reference: String,
    /// When the first mail was requested; the cap counts from here.
    pub first_issued_at: Timestamp,
    /// When the last mail was requested; the cool-down counts from here.
    pub last_requested_at: Timestamp,
    /// When the mail server last accepted one; the window counts from here.
    pub last_accepted_at: Option<Timestamp>,
    /// Mails requested.
    pub sends: i64,
    /// Guesses charged and not refunded.
    pub tries: i64,
    /// Keyed tags of the charged guesses.
    pub tried: String,
    /// When its code was used.
    #[sqlx(rename = "challenge_completed_at")]
    pub completed_at: Option<Timestamp>,
    /// When a newer challenge replaced it.
    pub superseded_at: Option<Timestamp>,
    /// When the mail server last rejected one permanently.
    pub refused_at: Option<Timestamp>,
    /// The language of the page that requested it last (BCP 47).
    #[sqlx(rename = "challenge_language")]
    pub language: Option<String>,
    /// Browser and system that requested it, such as `Firefox/Windows`, if both are recognised.
    pub asked_with: Option<String>,
}

/// What a mailed code is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengePurpose {
    /// The second step of a sign-in.
    SignIn,
}

impl ChallengePurpose {
    /// Name in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignIn => "sign_in",
        }
    }
}

impl EmailChallenge {
    /// Whether it can still be answered.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.completed_at.is_none() && self.superseded_at.is_none()
    }
}

/// Columns of [`EmailChallenge`].
macro_rules! challenge_columns {
    () => {
        "email_challenges.id AS challenge_id, email_challenges.user_id, email_challenges.browser AS challenge_browser, \
         email_challenges.purpose, email_challenges.epoch AS challenge_epoch, email_challenges.address, \
         email_challenges.key_id, email_challenges.nonce, email_challenges.reference, email_challenges.first_issued_at, \
         email_challenges.last_requested_at, email_challenges.last_accepted_at, email_challenges.sends, \
         email_challenges.tries, email_challenges.tried, email_challenges.completed_at AS challenge_completed_at, \
         email_challenges.superseded_at, email_challenges.refused_at, email_challenges.language AS challenge_language, \
         email_challenges.asked_with"
    };
}

pub(crate) use challenge_columns;

/// A challenge with its person.
#[derive(Clone, Debug, FromRow)]
pub struct ChallengeWithUser {
    /// The challenge.
    #[sqlx(flatten)]
    pub challenge: EmailChallenge,
    /// The person that it is for.
    #[sqlx(flatten)]
    pub person: UserWithPassword,
}

impl LeftJoined for ChallengeWithUser {
    const KEY: &'static str = "challenge_id";
}

/// Looks a challenge up with its person.
pub async fn by_id_with_user(
    sql: &mut impl Sql,
    id: ChallengeId,
) -> Result<Option<ChallengeWithUser>> {
    sql.q(concat!(
        "SELECT ",
        challenge_columns!(),
        ", ",
        with_password_columns!(),
        " FROM email_challenges JOIN users ON users.id = email_challenges.user_id \
         LEFT JOIN passwords ON passwords.user_id = users.id WHERE email_challenges.id = $1"
    ))
    .bind(id)
    .fetch_optional()
    .await
}

/// Opens a challenge. False when this person has an open one for this purpose in this browser, which the caller then uses,
/// and when the person is not active any more or has another epoch or address.
pub async fn insert(sql: &mut impl Sql, new: &EmailChallenge) -> Result<bool> {
    let added = sql
        .q("INSERT INTO email_challenges (id, user_id, browser, purpose, epoch, address, key_id, nonce, reference,
                                          first_issued_at, last_requested_at, sends, tries, tried, language, asked_with)
            SELECT $1, users.id, $3, $4, users.epoch, users.email, $7, $8, $9, $10, $10, $11, 0, '', $12, $13 FROM users
            WHERE users.id = $2 AND users.epoch = $5 AND users.status = 'active' AND users.email = $6
            ON CONFLICT (user_id, browser, purpose) WHERE completed_at IS NULL AND superseded_at IS NULL DO NOTHING")
        .bind(new.id)
        .bind(new.user_id)
        .bind(&new.browser)
        .bind(&new.purpose)
        .bind(new.epoch)
        .bind(&new.address)
        .bind(&new.key_id)
        .bind(&new.nonce)
        .bind(&new.reference)
        .bind(new.first_issued_at)
        .bind(new.sends)
        .bind(new.language.as_deref())
        .bind(new.asked_with.as_deref())
        .execute()
        .await?;
    Ok(added == 1)
}

/// Looks a challenge up.
pub async fn by_id(sql: &mut impl Sql, id: ChallengeId) -> Result<Option<EmailChallenge>> {
    sql.q(concat!(
        "SELECT ",
        challenge_columns!(),
        " FROM email_challenges WHERE email_challenges.id = $1"
    ))
    .bind(id)
    .fetch_optional()
    .await
}

/// The open challenge of a person in a browser for a purpose.
pub async fn find_open(
    sql: &mut impl Sql,
    user: UserId,
    browser: &TokenHash,
    purpose: ChallengePurpose,
) -> Result<Option<EmailChallenge>> {
    sql.q(concat!(
        "SELECT ",
        challenge_columns!(),
        " FROM email_challenges WHERE user_id = $1 AND browser = $2 AND purpose = $3 AND completed_at IS NULL \
         AND superseded_at IS NULL"
    ))
        .bind(user)
        .bind(browser)
        .bind(purpose.as_str())
        .fetch_optional()
        .await
}

/// The newest eight challenges of a person for a purpose, in any browser, since `since`. A code that failed is compared with
/// them to show *why* it failed.
pub async fn recent(
    sql: &mut impl Sql,
    user: UserId,
    purpose: ChallengePurpose,
    since: Timestamp,
) -> Result<Vec<EmailChallenge>> {
    sql.q(concat!(
        "SELECT ",
        challenge_columns!(),
        " FROM email_challenges WHERE user_id = $1 AND purpose = $2 AND first_issued_at >= $3 \
         ORDER BY first_issued_at DESC, email_challenges.id DESC LIMIT 8"
    ))
    .bind(user)
    .bind(purpose.as_str())
    .bind(since)
    .fetch_all()
    .await
}

/// Charges a guess before it is compared; returns the tries spent. `None`: all tries are spent, or the same guess was
/// charged before.
pub async fn charge_guess(
    sql: &mut impl Sql,
    id: ChallengeId,
    tag: &str,
    max_tries: i64,
) -> Result<Option<i64>> {
    let tries: Option<(i64,)> = sql
        .q("UPDATE email_challenges SET tries = tries + 1, tried = tried || $2 || ' '
            WHERE id = $1 AND tries < $3 AND tried NOT LIKE '%' || $2 || '%'
            RETURNING tries")
        .bind(id)
        .bind(tag)
        .bind(max_tries)
        .fetch_optional()
        .await?;
    Ok(tries.map(|(tries,)| tries))
}

/// Refunds a guess that was charged in the same transaction, because nothing is compared: the same one may be charged again.
pub async fn refund_guess(sql: &mut impl Sql, id: ChallengeId, tag: &str) -> Result<()> {
    sql.q("UPDATE email_challenges SET tries = tries - 1, tried = REPLACE(tried, $2 || ' ', '') WHERE id = $1")
        .bind(id)
        .bind(tag)
        .execute()
        .await?;
    Ok(())
}

/// Completes a challenge and refunds the try of the right guess; returns the tries that other guesses have spent. Only one
/// caller ever gets them.
pub async fn complete(sql: &mut impl Sql, id: ChallengeId, now: Timestamp) -> Result<Option<i64>> {
    let tries: Option<(i64,)> = sql
        .q("UPDATE email_challenges SET completed_at = $2, tries = CASE WHEN tries > 0 THEN tries - 1 ELSE 0 END
            WHERE id = $1 AND completed_at IS NULL AND superseded_at IS NULL
            RETURNING tries")
        .bind(id)
        .bind(now)
        .fetch_optional()
        .await?;
    Ok(tries.map(|(tries,)| tries))
}

/// Marks an open challenge as superseded by a newer one; false when it is not open.
pub async fn supersede(sql: &mut impl Sql, id: ChallengeId, now: Timestamp) -> Result<bool> {
    let rows = sql
        .q("UPDATE email_challenges SET superseded_at = $2
            WHERE id = $1 AND completed_at IS NULL AND superseded_at IS NULL")
        .bind(id)
        .bind(now)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Records one more mail of an open challenge, in the language of the page that requests it, unless another request has
/// recorded one since `seen` was read.
pub async fn record_send(
    sql: &mut impl Sql,
    seen: &EmailChallenge,
    language: &str,
    now: Timestamp,
) -> Result<bool> {
    let rows = sql
        .q("UPDATE email_challenges SET sends = sends + 1, last_requested_at = $3, language = $4
            WHERE id = $1 AND sends = $2 AND completed_at IS NULL AND superseded_at IS NULL")
        .bind(seen.id)
        .bind(seen.sends)
        .bind(now)
        .bind(language)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// The challenge of a mail that the mail server accepted.
#[derive(Clone, Debug, FromRow)]
pub struct AcceptedMail {
    /// The person.
    pub user_id: UserId,
    /// The reference on page and mail.
    pub reference: String,
}

/// Records that the mail server accepted a mail. The latest acceptance is kept, in whatever order they are recorded.
pub async fn record_accepted(
    sql: &mut impl Sql,
    id: ChallengeId,
    at: Timestamp,
) -> Result<Option<AcceptedMail>> {
    sql.q("UPDATE email_challenges
           SET last_accepted_at = CASE WHEN last_accepted_at > $2 THEN last_accepted_at ELSE $2 END
           WHERE id = $1 RETURNING user_id, reference")
        .bind(id)
        .bind(at)
        .fetch_optional()
        .await
}

/// Records that the mail server rejected a mail permanently.
pub async fn record_refused(sql: &mut impl Sql, id: ChallengeId, at: Timestamp) -> Result<()> {
    sql.q("UPDATE email_challenges SET refused_at = $2 WHERE id = $1")
        .bind(id)
        .bind(at)
        .execute()
        .await?;
    Ok(())
}

/// Moves the open challenges of a browser to its new value.
pub async fn move_browser(sql: &mut impl Sql, from: &TokenHash, to: &TokenHash) -> Result<()> {
    sql.q("UPDATE email_challenges SET browser = $2
           WHERE browser = $1 AND completed_at IS NULL AND superseded_at IS NULL")
        .bind(from)
        .bind(to)
        .execute()
        .await?;
    Ok(())
}

/// Deletes up to `limit` challenges that were first requested before `before`; returns how many. Their ids have the same
/// time, so that few rows are read.
pub async fn sweep(sql: &mut impl Sql, before: Timestamp, limit: i64) -> Result<u64> {
    sql.q("DELETE FROM email_challenges WHERE id IN
           (SELECT id FROM email_challenges WHERE id < $1 AND first_issued_at < $2 ORDER BY id LIMIT $3)")
        .bind(ChallengeId::new(before, [0; 10]))
        .bind(before)
        .bind(limit)
        .execute()
        .await
}

/// Counts the challenges since a time with codes from a root key. It reads every challenge: for commands, not for requests.
pub async fn count_with_root_key(
    sql: &mut impl Sql,
    key_id: &str,
    since: Timestamp,
) -> Result<i64> {
    let (count,): (i64,) = sql
        .q("SELECT COUNT(*) FROM email_challenges WHERE key_id = $1 AND first_issued_at > $2")
        .bind(key_id)
        .bind(since)
        .fetch_one()
        .await?;
    Ok(count)
}
