//! Mailed codes. The code is never here: it is derived from the row's id and nonce with a key that the database has not.

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
    /// Whose code it is.
    pub user_id: UserId,
    /// The browser that it was asked in.
    #[sqlx(rename = "challenge_browser")]
    pub browser: TokenHash,
    /// What its code is good for, by [`ChallengePurpose::as_str`].
    pub purpose: String,
    /// The person's epoch when it was made.
    #[sqlx(rename = "challenge_epoch")]
    pub epoch: i64,
    /// Where it is mailed to; an input of the code.
    pub address: String,
    /// The root key that the code is derived from.
    pub key_id: String,
    /// 128 random bits; an input of the code.
    pub nonce: Vec<u8>,
    /// Words on the page and in the mail by which they can be matched.
    pub reference: String,
    /// When the first mail was asked for; the cap counts from here.
    pub first_issued_at: Timestamp,
    /// When the last mail was asked for; the cool-down counts from here.
    pub last_requested_at: Timestamp,
    /// When the mail server last took one; the window counts from here.
    pub last_accepted_at: Option<Timestamp>,
    /// Mails asked for.
    pub sends: i64,
    /// Guesses judged and not refunded.
    pub tries: i64,
    /// Keyed tags of the judged guesses.
    pub tried: String,
    /// When it was used.
    #[sqlx(rename = "challenge_completed_at")]
    pub completed_at: Option<Timestamp>,
    /// When a newer one took its place.
    pub superseded_at: Option<Timestamp>,
    /// When the mail server last refused one for good.
    pub refused_at: Option<Timestamp>,
    /// The language of the page that asked for it last (BCP 47).
    #[sqlx(rename = "challenge_language")]
    pub language: Option<String>,
    /// Browser and system that asked for it, `Firefox/Windows`, if they are known ones.
    pub asked_with: Option<String>,
}

/// What a mailed code is good for.
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
    /// Whose code it is.
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

/// Opens a challenge; false when this person has an open one for this purpose in this browser, which is then the one to join,
/// and when the person is no longer active, of its epoch and at its address.
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

/// The challenge of a person in a browser for a purpose that can still be answered.
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

/// The newest challenges of a person for a purpose, in any browser, since `since`: what a code is matched against to say *why* it fails.
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

/// Charges a guess, before it is judged. `None`: all tries are spent, or this very guess was charged before.
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

/// Uses a challenge up and gives the try of the right guess back: only one caller ever gets the tries that other guesses
/// have spent.
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

/// Puts a challenge aside for a newer one.
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

/// Counts one more mail of an open challenge, in the language of the page that asks for it, unless another request
/// counted one since `seen` was read.
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

/// Which challenge a mail was of that the mail server took.
#[derive(Clone, Debug, FromRow)]
pub struct AcceptedMail {
    /// Whose.
    pub user_id: UserId,
    /// The reference on page and mail.
    pub reference: String,
}

/// Records that the mail server took a mail. The last acceptance is kept, whatever the order in which they are recorded.
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

/// Records that the mail server refused a mail for good.
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

/// Deletes up to `limit` challenges that were first asked for before `before`; returns how many. Their ids are as old as
/// they are.
pub async fn sweep(sql: &mut impl Sql, before: Timestamp, limit: i64) -> Result<u64> {
    sql.q("DELETE FROM email_challenges WHERE id IN
           (SELECT id FROM email_challenges WHERE id < $1 AND first_issued_at < $2 ORDER BY id LIMIT $3)")
        .bind(ChallengeId::new(before, [0; 10]))
        .bind(before)
        .bind(limit)
        .execute()
        .await
}

/// How many challenges since a time are of a root key. It reads every challenge: for a command, not for a request.
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
