//! Signing keys: made at the first start, sealed in the database, read into a ring of parsed ones.

use keys::{Algorithm, KeyRing, SigningKey};
use store::{Sql, signing_key::SigningKeyRow};

use crate::{Cx, Result, audit};

/// Makes the keys that are missing.
pub async fn ensure(cx: &Cx) -> Result<()> {
    let mut conn = cx.db.read().await?;
    let present = store::signing_key::all(&mut conn).await?;
    drop(conn);
    for algorithm in Algorithm::ALL {
        if present.iter().all(|row| row.algorithm != algorithm.to_string()) {
            add(cx, algorithm).await?;
        }
    }
    Ok(())
}

async fn add(cx: &Cx, algorithm: Algorithm) -> Result<()> {
    let kid = format!("{}-{}", algorithm.to_string().to_lowercase(), crate::cx::reference(&cx.rng));
    let key = SigningKey::generate(kid.clone(), algorithm)?;
    let row = SigningKeyRow {
        sealed: cx.root.seal(&cx.rng, &aad(&kid), &key.to_pkcs8()?)?,
        id: kid,
        algorithm: algorithm.to_string(),
        created_at: cx.now,
        signs_from: cx.now,
    };
    cx.db
        .write(async |tx| {
            store::signing_key::insert(tx, &row).await?;
            let detail = serde_json::json!({ "kid": row.id, "algorithm": row.algorithm });
            audit::record(cx, tx, audit::Entry::new(audit::Event::SigningKeyAdded).detail(detail))
                .await
        })
        .await
}

/// Every key, oldest first.
pub async fn list(cx: &Cx) -> Result<Vec<SigningKeyRow>> {
    let mut conn = cx.db.read().await?;
    Ok(store::signing_key::all(&mut conn).await?)
}

/// Table and row id: a sealed key opens only in its own place.
fn aad(kid: &str) -> Vec<u8> {
    format!("signing_keys/{kid}").into_bytes()
}

/// Reads, opens and parses every key. Of two of one algorithm the older signs; both are published.
pub async fn load(root: &keys::RootKeys, sql: &mut impl Sql) -> Result<KeyRing> {
    let mut signing: Vec<SigningKey> = Vec::new();
    let mut published = Vec::new();
    for row in store::signing_key::all(sql).await? {
        let algorithm: Algorithm = row.algorithm.parse()?;
        let pkcs8 = root.open(&aad(&row.id), &row.sealed)?;
        let key = SigningKey::from_pkcs8(row.id, algorithm, &pkcs8)?;
        if signing.iter().any(|other| other.algorithm() == algorithm) {
            published.push(key);
        } else {
            signing.push(key);
        }
    }
    Ok(KeyRing::new(signing, &published)?)
}
