//! Every writer of signing keys locks the shared revision row first, then the keys. Two writers with opposite lock orders
//! would deadlock until PostgreSQL ends one of them.

use std::time::Instant;

use store::{
    Db, Error, Result, Timestamp,
    signing_key::{self, EndedKeyRow, SigningKeyRow},
};
use tokio::task::JoinHandle;
use vestibule_tests::{
    blocking_tx::{BlockingTx, MOST_OF_LOCK_WAIT},
    db::{Engine, TestDb},
    wait,
};

use crate::engines::{apply, both_engines};

const ALGORITHM: &str = "ES256";
const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
/// Keys that are published, and as many that are ended.
const KEYS: usize = 6;
/// Locks the row that every writer locks first.
const REVISION: &str = "UPDATE revisions SET version = version + 1 WHERE topic = 'signing_keys'";

fn row(id: String) -> SigningKeyRow {
    let algorithm = ALGORITHM.to_owned();
    SigningKeyRow { id, algorithm, sealed: vec![1], created_at: NOW, signs_from: NOW }
}

fn ended_key_row(id: String) -> EndedKeyRow {
    EndedKeyRow { id, algorithm: ALGORITHM.to_owned(), public: vec![1], ended_at: NOW }
}

/// The published and the ended keys of one algorithm.
async fn key_ids(db: &Db) -> (Vec<String>, Vec<String>) {
    let mut conn = db.read().await.expect("a connection");
    let mut published = signing_key::all(&mut conn).await.expect("rows");
    published.retain(|row| row.algorithm == ALGORITHM);
    let mut ended = signing_key::all_ended(&mut conn).await.expect("rows");
    ended.retain(|row| row.algorithm == ALGORITHM);
    (
        published.into_iter().map(|row| row.id).collect(),
        ended.into_iter().map(|row| row.id).collect(),
    )
}

/// Inserts the keys of a round, each the successor of the one before; returns the newest.
async fn fill(db: &Db, round: usize, mut newest: String) -> String {
    for nth in 0..KEYS {
        let (id, gone) = (format!("r{round}k{nth}"), format!("r{round}e{nth}"));
        db.write(async |tx| {
            assert!(signing_key::insert(tx, &row(id.clone()), &newest).await?);
            signing_key::insert_ended(tx, &ended_key_row(gone)).await
        })
        .await
        .expect("it is written");
        newest = id;
    }
    newest
}

/// Like a rotation of stolen keys: inserts the new key, then deletes all others, the newest first, and the ended ones.
async fn replace(db: Db, round: usize, newest: String) -> Result<()> {
    db.write(async |tx| {
        let new = row(format!("r{round}new"));
        assert!(signing_key::insert(tx, &new, &newest).await?, "no other writer replaces it");
        let mut others = signing_key::all(tx).await?;
        others.retain(|row| row.algorithm == ALGORITHM && row.id != new.id);
        for other in others.iter().rev() {
            signing_key::remove(tx, &other.id).await?;
        }
        signing_key::delete_ended(tx, ALGORITHM).await?;
        Ok(())
    })
    .await
}

/// Like the end of a key that has expired.
async fn end(db: Db, id: String) -> Result<()> {
    db.write(async |tx| {
        if signing_key::remove(tx, &id).await? {
            signing_key::insert_ended(tx, &ended_key_row(id)).await?;
        }
        Ok(())
    })
    .await
}

async fn forget(db: Db) -> Result<()> {
    db.write(async |tx| signing_key::sweep_ended(tx, NOW).await.map(drop)).await
}

/// All writes that are under way.
struct ConcurrentWrites<'a> {
    data: &'a TestDb,
    begun: Instant,
    writes: Vec<JoinHandle<Result<()>>>,
}

impl<'a> ConcurrentWrites<'a> {
    fn none(data: &'a TestDb) -> Self {
        Self { data, begun: Instant::now(), writes: Vec::new() }
    }

    fn begin(&mut self, write: impl Future<Output = Result<()>> + Send + 'static) {
        self.writes.push(tokio::spawn(write));
    }

    /// Waits until PostgreSQL blocks all of them; returns none when that took so long that the first ones stopped waiting.
    /// SQLite has one writer: its writes wait in a queue that cannot be observed.
    async fn all_wait(&self) -> Option<()> {
        if self.data.engine() == Engine::Sqlite {
            return Some(());
        }
        let wanted = i64::try_from(self.writes.len()).expect("few");
        let wait = async || {
            let waiting = self.data.lock_waiters().await;
            if self.begun.elapsed() > MOST_OF_LOCK_WAIT {
                return Ok(None);
            }
            assert!(self.writes.iter().all(|write| !write.is_finished()), "no write ends yet");
            if waiting < wanted { Err(waiting) } else { Ok(Some(())) }
        };
        wait::until("all of them wait", wait).await
    }

    async fn end(self) {
        for write in self.writes {
            let ended: Result<(), Error> = write.await.expect("no panic");
            ended.expect("none is ended as a deadlock");
        }
    }
}

/// The rotation is first in line, and the others wait before it continues: a writer that already held a key would deadlock
/// with it.
#[apply(both_engines)]
async fn key_rotation_and_ending_never_deadlock(engine: Engine) {
    wait::retry_while_slow("all of them wait", async || try_rotation_while_keys_end(engine).await)
        .await;
}

async fn try_rotation_while_keys_end(engine: Engine) -> Option<()> {
    let data = TestDb::create(engine).await.with_max_connections(24);
    let db = data.open().await;
    let mut newest = key_ids(&db).await.0.pop().unwrap_or_default();
    for round in 0..3 {
        newest = fill(&db, round, newest).await;
        let held = BlockingTx::open(db.clone(), REVISION).await;
        let mut many = ConcurrentWrites::none(&data);
        many.begin(replace(db.clone(), round, newest));
        many.all_wait().await?;
        for nth in 0..KEYS {
            many.begin(end(db.clone(), format!("r{round}k{nth}")));
            many.begin(forget(db.clone()));
        }
        many.all_wait().await?;
        held.commit().await;
        many.end().await;
        newest = format!("r{round}new");
        assert_eq!(key_ids(&db).await, (vec![newest.clone()], Vec::new()), "round {round}");
    }
    Some(())
}

/// All at once, in any order.
#[apply(both_engines)]
async fn concurrent_key_writes_never_fail(engine: Engine) {
    let data = TestDb::create(engine).await.with_max_connections(24);
    let db = data.open().await;
    let mut newest = key_ids(&db).await.0.pop().unwrap_or_default();
    for round in 0..10 {
        newest = fill(&db, round, newest).await;
        let mut many = ConcurrentWrites::none(&data);
        for nth in 0..KEYS {
            if nth == round % KEYS {
                many.begin(replace(db.clone(), round, newest.clone()));
            }
            many.begin(forget(db.clone()));
            many.begin(end(db.clone(), format!("r{round}k{}", KEYS - 1 - nth)));
        }
        many.end().await;
        newest = format!("r{round}new");
        let (published, ended) = key_ids(&db).await;
        assert_eq!(published, [newest.as_str()], "round {round}");
        assert_eq!(ended, Vec::<String>::new(), "round {round}: every other key has ended");
    }
}
