//! Replacing a signing key: in time, so that nobody notices, or at once, when it is in wrong hands.

use keys::Algorithm;
use serde_json::json;
use store::{Timestamp, Tx, signing_key::SigningKeyRow};

use super::{IN_ADVANCE, make, rows};
use crate::{Cx, Result, audit};

/// What somebody asks for.
#[derive(Clone, Copy, Debug)]
pub struct Rotation<'a> {
    /// Keys of this algorithm.
    pub algorithm: Algorithm,
    /// Whether they are in wrong hands: the new one signs at once, and the others are not accepted any more, not even as
    /// hints, whether they were still published or not.
    pub compromised: bool,
    /// Why, for the record.
    pub reason: &'a str,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// A new key was published.
    By {
        /// Its `kid`.
        kid: String,
        /// From when it signs.
        signs_from: Timestamp,
        /// The keys that are not accepted any more: all others, if they were compromised.
        removed: Vec<String>,
    },
    /// One is waiting already, or was made in the same moment.
    Before {
        /// Its `kid`.
        kid: String,
        /// From when it signs.
        signs_from: Timestamp,
    },
}

/// Replaces the keys of an algorithm.
pub async fn rotate(cx: &Cx, rotation: Rotation<'_>) -> Result<Replaced> {
    loop {
        let present = of_algorithm(cx, rotation.algorithm).await?;
        let newest = present.last();
        if let Some(waiting) = newest.filter(|key| key.signs_from > cx.now)
            && !rotation.compromised
        {
            return Ok(Replaced::Before {
                kid: waiting.id.clone(),
                signs_from: waiting.signs_from,
            });
        }
        let signs_from = if rotation.compromised { cx.now } else { cx.now.plus(IN_ADVANCE) };
        let key = make(cx, rotation.algorithm, signs_from)?;
        let follows = newest.map_or("", |newest| newest.id.as_str());
        let removed = cx.db.write(async |tx| replace(cx, tx, rotation, &key, follows).await);
        if let Some(removed) = removed.await? {
            return Ok(Replaced::By { kid: key.id, signs_from, removed });
        }
        // Somebody else has replaced it in this moment. That will do for a planned one, which finds the new key waiting; one
        // in wrong hands is replaced again, because the other may have been planned.
    }
}

async fn of_algorithm(cx: &Cx, algorithm: Algorithm) -> Result<Vec<SigningKeyRow>> {
    let mut present = rows(cx).await?;
    present.retain(|row| row.algorithm == algorithm.as_str());
    Ok(present)
}

/// Publishes the key, unless somebody else has replaced the same one first.
async fn replace(
    cx: &Cx,
    tx: &mut Tx,
    rotation: Rotation<'_>,
    key: &SigningKeyRow,
    follows: &str,
) -> Result<Option<Vec<String>>> {
    if !store::signing_key::insert(tx, key, follows).await? {
        return Ok(None);
    }
    super::added(cx, tx, key).await?;
    let mut removed = Vec::new();
    if rotation.compromised {
        // Read again: what is taken away is what is there now, whoever made it meanwhile.
        let mut others = store::signing_key::all(tx).await?;
        others.retain(|row| row.algorithm == key.algorithm && row.id != key.id);
        for other in others {
            remove(cx, tx, &other).await?;
            removed.push(other.id);
        }
        // One that ended before may be the one that was stolen, and so may be one that ended in this moment: last, so that
        // what its end has left is seen.
        removed.extend(store::signing_key::forget_all(tx, &key.algorithm).await?);
    }
    let detail = json!({
        "algorithm": key.algorithm, "kid": key.id, "follows": follows, "signs_from": key.signs_from,
        "removed": removed, "reason": rotation.reason,
    });
    let outcome = if rotation.compromised { "compromised" } else { "ok" };
    let entry = audit::Entry::new(audit::Event::SigningKeyRotated).outcome(outcome).detail(detail);
    audit::record(cx, tx, entry).await?;
    Ok(Some(removed))
}

/// Nothing is left of a key that somebody else has: what it signed is not even a hint.
async fn remove(cx: &Cx, tx: &mut Tx, key: &SigningKeyRow) -> Result<()> {
    if store::signing_key::remove(tx, &key.id).await? {
        let detail = json!({ "kid": key.id, "algorithm": key.algorithm });
        let entry = audit::Entry::new(audit::Event::SigningKeyEnded);
        audit::record(cx, tx, entry.outcome("compromised").detail(detail)).await?;
    }
    Ok(())
}
