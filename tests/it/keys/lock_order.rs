//! Whoever writes signing keys takes the row that all wait for first, then the keys. Two that took them in opposite orders
//! would wait for each other until PostgreSQL ends one of them.

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
/// Keys that are published, and as many that have ended.
const KEYS: usize = 6;
/// The row that all wait for.
const REVISION: &str = "UPDATE revisions SET version = version + 1 WHERE topic = 'signing_keys'";

fn row(id: String) -> SigningKeyRow {
    let algorithm = ALGORITHM.to_owned();
    SigningKeyRow { id, algorithm, sealed: vec![1], created_at: NOW, signs_from: NOW }
}

fn ended_key_row(id: String) -> EndedKeyRow {
    EndedKeyRow { id, algorithm: ALGORITHM.to_owned(), public: vec![1], ended_at: NOW }
}

/// What is published and what has ended, of one algorithm.
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

/// Keys of a round, each following the one before; returns the newest.
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

/// As a rotation of stolen keys: the new one, then all others, the newest first, and what has ended.
async fn replace(db: Db, round: usize, newest: String) -> Result<()> {
    db.write(async |tx| {
        let new = row(format!("r{round}new"));
        assert!(signing_key::insert(tx, &new, &newest).await?, "nobody else replaces it");
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

/// As the end of a key whose time is over.
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

/// All that is under way, and how many of them PostgreSQL holds back.
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

    /// Waits until all of them wait; none when that took so long that the first wait no more. Those at SQLite's one writer
    /// cannot be seen, and wait in a queue.
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
            assert!(self.writes.iter().all(|write| !write.is_finished()), "nothing ends yet");
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

/// The one that replaces comes first and the others are there before it goes on: who held a key already would hold it up
/// while waiting for it.
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

/// All at once, in whatever order they come.
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
        assert_eq!(
            ended,
            Vec::<String>::new(),
            "round {round}: whatever ended, ended before or with it"
        );
    }
}
