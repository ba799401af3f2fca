//! The physical floor: the cost that cannot be avoided, measured on this machine in this run.

use std::{sync::Arc, time::Duration};

use keys::{
    Algorithm, Hasher, HasherConfig, KeyRing, Password, PublishedKey, Rng, SigningKey, TokenType,
};
use store::{Db, DbConfig, Sql, Timestamp};
use tempfile::TempDir;

use crate::server::own_cpu;

/// CPU times of the work that no sign-in can avoid.
pub(crate) struct Floor {
    /// One password hash.
    pub(crate) argon2: Duration,
    /// One RS256 token.
    pub(crate) rs256: Duration,
    /// A transaction that inserts one row and waits for the disk.
    pub(crate) commit_full: Duration,
    /// A transaction that inserts one row and does not wait for the disk.
    pub(crate) commit_normal: Duration,
}

impl Floor {
    pub(crate) async fn measure() -> Self {
        Self {
            argon2: argon2().await,
            rs256: rs256(),
            commit_full: commit(true).await,
            commit_normal: commit(false).await,
        }
    }
}

async fn argon2() -> Duration {
    let config = HasherConfig { threads: 1, queue: 8, wait: Duration::from_mins(1) };
    let hasher = Hasher::new(config, Arc::new(vestibule_tests::app::root_keys()), Rng::system());
    let once = async || {
        let password = Password::parse("a walk along the river").expect("short enough");
        hasher
            .admit(keys::HashingCaller::Stranger)
            .await
            .expect("a slot")
            .verify(password, None)
            .await
            .expect("it hashes")
    };
    once().await;
    let before = own_cpu();
    for _ in 0..60 {
        once().await;
    }
    own_cpu().saturating_sub(before) / 60
}

fn rs256() -> Duration {
    let key = SigningKey::generate("k".to_owned(), Algorithm::RS256).expect("a key");
    let now = Timestamp::from_millis(0);
    let ring = KeyRing::new(vec![PublishedKey { key, signs_from: now }], &[]).expect("a ring");
    let claims = serde_json::json!({ "sub": "somebody", "aud": ["portal"], "exp": 1 });
    let before = own_cpu();
    for _ in 0..1500 {
        ring.sign_user_token(TokenType::Id, Algorithm::RS256, &claims, now).expect("a token");
    }
    own_cpu().saturating_sub(before) / 1500
}

async fn commit(full_sync: bool) -> Duration {
    let folder = TempDir::new().expect("a folder");
    let config = DbConfig::Sqlite { file: folder.path().join("floor.db"), full_sync };
    let db = Db::open(&config).await.expect("it opens");
    db.migrate().await.expect("it migrates");
    let once = async || {
        db.write(async |tx| {
            tx.q("UPDATE revisions SET version = version + 1 WHERE topic = 'settings'")
                .execute()
                .await
        })
        .await
        .expect("it commits")
    };
    once().await;
    let before = own_cpu();
    for _ in 0..1000 {
        once().await;
    }
    own_cpu().saturating_sub(before) / 1000
}
