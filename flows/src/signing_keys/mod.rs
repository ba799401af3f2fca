//! Signing keys: sealed in the database, loaded into a ring of parsed keys, and replaced without interruption (decision 7).
//!
//! ```text
//! made ─▶ waiting ────────────▶ signing ─▶ retired ────────────────────▶ ended ─────────────────▶ deleted
//!         published, so that    until the  published until the last      only its public half,
//!         every cache has it    next one   token and cache are over      for hints
//! compromised: the next one signs at once, and nothing is left of the others
//! ```
//!
//! No state is stored: it follows from the time at which a key starts to sign and that at which its successor does.

mod maintenance;
mod rotate;

use std::time::Duration;

use keys::{Algorithm, EndedKey, KeyRing, PublishedKey, RootKeys, SigningKey};
use store::{
    Sql, Timestamp,
    signing_key::{EndedKeyRow, SigningKeyRow},
};

pub use maintenance::{MaintenanceReport, maintain};
pub use rotate::{Rotation, RotationOutcome, rotate};

use crate::{
    Cx, Result,
    audit::{self, event},
    change_authority::ChangeAuthority,
};

/// How long clients may cache the key set: `max-age` of its response.
pub const MAX_AGE: Duration = Duration::from_mins(5);
/// How long a key is published before it signs, and after its last token: until cached key sets have expired, and as long
/// again for replicas that have not loaded it yet, clocks that differ and slow caches.
pub const PUBLICATION_MARGIN: Duration = Duration::from_mins(10);
/// The maximum of `token.access`: tokens that were signed under an earlier value of it are still valid.
const LONGEST_TOKEN: Duration = Duration::from_hours(1);
/// The maximum of `session.absolute`: for so long an ID token may be a hint about a session that still exists.
const LONGEST_SESSION: Duration = Duration::from_hours(30 * 24);

/// The state of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Published, and not signing yet.
    Waiting,
    /// Signing.
    Signing,
    /// Replaced, and still published.
    Retired,
    /// No longer published.
    Ended,
}

impl KeyState {
    /// Its name in output for people and programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Signing => "signing",
            Self::Retired => "retired",
            Self::Ended => "ended",
        }
    }
}

/// A key and its state.
#[derive(Clone, Debug)]
pub struct ListedKey {
    /// `kid`.
    pub kid: String,
    /// Its algorithm.
    pub algorithm: String,
    /// Its state.
    pub state: KeyState,
    /// From when it was published, where that is still known.
    pub published_from: Option<Timestamp>,
    /// From when it signs, where that is still known.
    pub signs_from: Option<Timestamp>,
    /// Until when it is published, once that is known.
    pub published_until: Option<Timestamp>,
}

/// Creates the first key of each algorithm that has none.
pub async fn ensure(cx: &Cx) -> Result<()> {
    repair_successions(cx).await?;
    let present = load_rows(cx).await?;
    for algorithm in Algorithm::ALL {
        if present.iter().any(|row| row.algorithm == algorithm.as_str()) {
            continue;
        }
        let row = generate_row(cx, algorithm, cx.now)?;
        cx.db
            .write(async |tx| {
                // Another replica that starts at the same time may have inserted one first.
                if store::signing_key::insert(tx, &row, "").await? {
                    record_added(cx, tx, None, &row).await?;
                }
                Ok::<_, crate::Error>(())
            })
            .await?;
    }
    Ok(())
}

/// A key that was deleted by hand leaves the `follows` reference to its predecessor: this removes it, so that another
/// successor is possible.
async fn repair_successions(cx: &Cx) -> Result<()> {
    for algorithm in
        cx.db.write(async |tx| store::signing_key::repair_successions(tx).await).await?
    {
        tracing::error!(
            algorithm,
            "alarm: a signing key was deleted by hand; another can take its place"
        );
    }
    Ok(())
}

async fn load_rows(cx: &Cx) -> Result<Vec<SigningKeyRow>> {
    let mut conn = cx.db.read().await?;
    Ok(store::signing_key::all(&mut conn).await?)
}

/// Generates and seals a key; nothing is written.
fn generate_row(cx: &Cx, algorithm: Algorithm, signs_from: Timestamp) -> Result<SigningKeyRow> {
    let kid =
        format!("{}-{}", algorithm.as_str().to_lowercase(), crate::cx::generate_reference(&cx.rng));
    let key = SigningKey::generate(kid.clone(), algorithm)?;
    Ok(SigningKeyRow {
        sealed: cx.root.seal(&cx.rng, &aad(&kid), &key.to_pkcs8()?)?,
        id: kid,
        algorithm: algorithm.to_string(),
        created_at: cx.now,
        signs_from,
    })
}

async fn record_added(
    cx: &Cx,
    tx: &mut store::Tx,
    authority: Option<&ChangeAuthority>,
    row: &SigningKeyRow,
) -> Result<()> {
    let added = event::SigningKeyAdded { kid: row.id.clone(), algorithm: row.algorithm.clone() };
    audit::record(cx, tx, audit::AuditEntry::done(added).by(authority)).await
}

/// Noun and row id: a sealed key can be opened only for its own row.
fn aad(kid: &str) -> Vec<u8> {
    format!("signing_keys/{kid}").into_bytes()
}

fn open_key(root: &RootKeys, row: &SigningKeyRow) -> Result<SigningKey> {
    let pkcs8 = zeroize::Zeroizing::new(root.open(&aad(&row.id), &row.sealed)?);
    Ok(SigningKey::from_pkcs8(row.id.clone(), row.algorithm.parse()?, &pkcs8)?)
}

/// Every key that this build can use.
#[derive(Debug)]
pub struct LoadedKeys {
    /// The keys.
    pub ring: KeyRing,
    /// How many published keys are of an algorithm that this build does not know: they are neither published nor used.
    pub unusable: usize,
    /// The same for ended ones: they verify no hint.
    pub unusable_ended: usize,
}

/// Loads, opens and parses every key of an algorithm that this build knows.
///
/// # Errors
/// A database error, or a key that no root key opens: then a root key is missing.
pub async fn load(root: &RootKeys, sql: &mut impl Sql) -> Result<LoadedKeys> {
    let (mut keys, mut ended) = (Vec::new(), Vec::new());
    let (mut unusable, mut unusable_ended) = (0, 0);
    for row in store::signing_key::all(sql).await? {
        if is_known(&row.id, &row.algorithm) {
            keys.push(PublishedKey { key: open_key(root, &row)?, signs_from: row.signs_from });
        } else {
            unusable += 1;
        }
    }
    for EndedKeyRow { id, algorithm, public, .. } in store::signing_key::all_ended(sql).await? {
        if is_known(&id, &algorithm) {
            ended.push(EndedKey { kid: id, algorithm: algorithm.parse()?, public_key: public });
        } else {
            unusable_ended += 1;
        }
    }
    Ok(LoadedKeys { ring: KeyRing::new(keys, &ended)?, unusable, unusable_ended })
}

/// Whether this build knows the algorithm of a key.
fn is_known(kid: &str, algorithm: &str) -> bool {
    let known = algorithm.parse::<Algorithm>().is_ok();
    if !known {
        tracing::warn!(
            kid,
            algorithm,
            "this build cannot use a key: it does not know its algorithm"
        );
    }
    known
}

/// Every known key, the published ones first, each algorithm in the order in which its keys sign.
pub async fn list(cx: &Cx) -> Result<Vec<ListedKey>> {
    let mut conn = cx.db.read().await?;
    let published = store::signing_key::all(&mut conn).await?;
    let ended = store::signing_key::all_ended(&mut conn).await?;
    let mut listed: Vec<ListedKey> =
        published.iter().map(|row| to_listed(row, &published, cx.now)).collect();
    listed.sort_by(|a, b| (&a.algorithm, a.signs_from).cmp(&(&b.algorithm, b.signs_from)));
    listed.extend(ended.into_iter().map(|row| ListedKey {
        kid: row.id,
        algorithm: row.algorithm,
        state: KeyState::Ended,
        published_from: None,
        signs_from: None,
        published_until: Some(row.ended_at),
    }));
    Ok(listed)
}

fn to_listed(row: &SigningKeyRow, all: &[SigningKeyRow], now: Timestamp) -> ListedKey {
    let next = successor(row, all);
    let is_first =
        !all.iter().any(|other| self::successor(other, all).is_some_and(|n| n.id == row.id));
    let state = match next {
        Some(next) if next.signs_from <= now => KeyState::Retired,
        // The first key signs even if a clock is behind.
        _ if row.signs_from <= now || is_first => KeyState::Signing,
        _ => KeyState::Waiting,
    };
    ListedKey {
        kid: row.id.clone(),
        algorithm: row.algorithm.clone(),
        state,
        published_from: Some(row.created_at),
        signs_from: Some(row.signs_from),
        published_until: next.map(|next| published_until(next.signs_from)),
    }
}

/// The key that signs after this one; `all` is in the order in which keys sign.
fn successor<'a>(row: &SigningKeyRow, all: &'a [SigningKeyRow]) -> Option<&'a SigningKeyRow> {
    let later = |other: &&SigningKeyRow| {
        other.algorithm == row.algorithm
            && (other.signs_from, &other.id) > (row.signs_from, &row.id)
    };
    all.iter().find(later)
}

/// When publication ends of a key whose successor signs from `replaced`: its last token expires, then caches do.
fn published_until(replaced: Timestamp) -> Timestamp {
    replaced.plus(LONGEST_TOKEN + PUBLICATION_MARGIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Setting, parse_duration};

    const NOW: Timestamp = Timestamp::from_millis(1_000_000_000);

    fn row(id: &str, signs_from: Timestamp) -> SigningKeyRow {
        SigningKeyRow {
            id: id.to_owned(),
            algorithm: "ES256".to_owned(),
            sealed: Vec::new(),
            created_at: signs_from,
            signs_from,
        }
    }

    #[test]
    fn longest_lifetimes_match_settings() {
        let most = |name| parse_duration(Setting::find(name).unwrap().most).unwrap();
        assert_eq!(most("token.access"), LONGEST_TOKEN);
        assert_eq!(most("session.absolute"), LONGEST_SESSION);
    }

    #[test]
    fn key_state_follows_from_times() {
        let all = [row("a", NOW), row("b", NOW.plus(PUBLICATION_MARGIN))];
        let states = |at| all.each_ref().map(|row| to_listed(row, &all, at).state);
        let late = NOW.minus(Duration::from_secs(2));
        assert_eq!(
            states(late),
            [KeyState::Signing, KeyState::Waiting],
            "on a clock that is behind"
        );
        assert_eq!(states(NOW), [KeyState::Signing, KeyState::Waiting]);
        assert_eq!(states(NOW.plus(PUBLICATION_MARGIN)), [KeyState::Retired, KeyState::Signing]);
        let until = to_listed(&all[0], &all, NOW).published_until.unwrap();
        assert_eq!(until.since(NOW), Duration::from_mins(10 + 60 + 10));
        assert_eq!(to_listed(&all[1], &all, NOW).published_until, None);
    }
}
