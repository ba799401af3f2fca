//! Replacing a signing key: in advance, without interruption, or at once, when it is compromised.

use keys::Algorithm;
use store::{Timestamp, Tx, signing_key::SigningKeyRow};

use super::{PUBLICATION_MARGIN, generate_row, load_rows, repair_successions};
use crate::{
    Cx, Result,
    audit::{self, event, outcome::KeyOutcome},
    change_authority::ChangeAuthority,
};

/// A request to rotate keys.
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    /// Keys of this algorithm.
    pub algorithm: Algorithm,
    /// Whether they are compromised: the new one signs at once, and all others are no longer accepted, not even for hints,
    /// whether they were still published or not.
    pub compromised: bool,
}

/// The result of a rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RotationOutcome {
    /// A new key was published.
    Rotated {
        /// Its `kid`.
        kid: String,
        /// From when it signs.
        signs_from: Timestamp,
        /// The keys that are no longer accepted: all others, if they were compromised.
        removed: Vec<String>,
    },
    /// A new key is waiting already, or was created at the same time.
    AlreadyPending {
        /// Its `kid`.
        kid: String,
        /// From when it signs.
        signs_from: Timestamp,
    },
}

/// Replaces the keys of an algorithm.
pub async fn rotate(
    cx: &Cx,
    authority: &ChangeAuthority,
    rotation: Rotation,
) -> Result<RotationOutcome> {
    loop {
        let present = of_algorithm(cx, rotation.algorithm).await?;
        let newest = present.last();
        if let Some(waiting) = newest.filter(|key| key.signs_from > cx.now)
            && !rotation.compromised
        {
            return Ok(RotationOutcome::AlreadyPending {
                kid: waiting.id.clone(),
                signs_from: waiting.signs_from,
            });
        }
        let signs_from =
            if rotation.compromised { cx.now } else { cx.now.plus(PUBLICATION_MARGIN) };
        let key = generate_row(cx, rotation.algorithm, signs_from)?;
        let follows = newest.map_or("", |newest| newest.id.as_str());
        let successor = Successor { key: &key, follows, compromised: rotation.compromised };
        let removed = cx.db.write(async |tx| publish_successor(cx, tx, authority, successor).await);
        if let Some(removed) = removed.await? {
            return Ok(RotationOutcome::Rotated { kid: key.id, signs_from, removed });
        }
        // Its successor may have been deleted by hand.
        repair_successions(cx).await?;
        // Another caller has replaced it at the same time. That is enough for a planned rotation, which finds the new key
        // waiting; a compromised key is replaced again, because the other rotation may have been planned.
    }
}

async fn of_algorithm(cx: &Cx, algorithm: Algorithm) -> Result<Vec<SigningKeyRow>> {
    let mut present = load_rows(cx).await?;
    present.retain(|row| row.algorithm == algorithm.as_str());
    Ok(present)
}

/// A key that replaces another.
#[derive(Clone, Copy)]
struct Successor<'a> {
    key: &'a SigningKeyRow,
    /// The key that it replaces; empty if there is none.
    follows: &'a str,
    /// Whether the others are compromised.
    compromised: bool,
}

/// Publishes the key, unless another caller has replaced the same one first.
async fn publish_successor(
    cx: &Cx,
    tx: &mut Tx,
    authority: &ChangeAuthority,
    Successor { key, follows, compromised }: Successor<'_>,
) -> Result<Option<Vec<String>>> {
    if !store::signing_key::insert(tx, key, follows).await? {
        return Ok(None);
    }
    super::record_added(cx, tx, Some(authority), key).await?;
    let mut removed = Vec::new();
    if compromised {
        // Read again: every key that exists now is removed, whichever replica created it.
        let mut others = store::signing_key::all(tx).await?;
        others.retain(|row| row.algorithm == key.algorithm && row.id != key.id);
        for other in others {
            remove_compromised(cx, tx, authority, &other).await?;
            removed.push(other.id);
        }
        // The stolen key may have ended before, or at this moment: this statement comes last, so that it sees what that end
        // has left.
        removed.extend(store::signing_key::delete_ended(tx, &key.algorithm).await?);
    }
    let rotated = event::SigningKeyRotated {
        algorithm: key.algorithm.clone(),
        kid: key.id.clone(),
        follows: follows.to_owned(),
        signs_from: key.signs_from,
        removed: removed.clone(),
    };
    let outcome = if compromised { KeyOutcome::Compromised } else { KeyOutcome::Ok };
    audit::record(cx, tx, audit::AuditEntry::new(rotated, outcome).by(authority)).await?;
    Ok(Some(removed))
}

/// Deletes a compromised key completely: what it signed is not even accepted as a hint.
async fn remove_compromised(
    cx: &Cx,
    tx: &mut Tx,
    authority: &ChangeAuthority,
    key: &SigningKeyRow,
) -> Result<()> {
    if store::signing_key::remove(tx, &key.id).await? {
        let ended =
            event::SigningKeyEnded { kid: key.id.clone(), algorithm: key.algorithm.clone() };
        let entry = audit::AuditEntry::new(ended, KeyOutcome::Compromised).by(authority);
        audit::record(cx, tx, entry).await?;
    }
    Ok(())
}
