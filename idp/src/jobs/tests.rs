//! The workers against an SQLite file and a small mail server.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use flows::{
    jobs::Job,
    mail::{Category, CodeMail, PasswordChangedMail, ResetForcedMail},
};
use keys::{HasherConfig, Rng};
use store::{
    ChallengeId, Db, DbConfig, EphemeralCounters, JobId, Sql, Timestamp, TokenHash, UserId,
    email_challenge::EmailChallenge,
    job::{JobFilter, NewJob},
    user::User,
};
use tokio::{
    task::JoinHandle,
    time::{interval, timeout},
};

use super::*;
use crate::{
    app::AppDependencies,
    brand::brand_config,
    clock::{Clock, ClockShift},
    config::{Issuer, PasskeysConfig, ProxiesConfig},
    mail::{
        fixtures,
        smtp::{
            Mailer,
            fake::{Script, Seen, config, serve},
        },
    },
};

/// The time limit for reaching a state: far longer than any takes, also on a busy machine.
const LIMIT: Duration = Duration::from_mins(5);
/// A time limit of one attempt that no test reaches.
const LONG: Duration = Duration::from_mins(1);
/// A time limit of one attempt for tests in which the mail server stops answering.
const SHORT: Duration = Duration::from_millis(700);

/// One replica with its database, clock and mail server.
struct World {
    app: App,
    db: Db,
    clock: Clock,
    shift: ClockShift,
    seen: Seen,
    folder: PathBuf,
    stop: watch::Sender<bool>,
    worker: Option<JoinHandle<()>>,
}

impl Drop for World {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

impl World {
    async fn new(script: Script) -> Self {
        Self::with(script, LONG).await
    }

    async fn with(script: Script, smtp_timeout: Duration) -> Self {
        static NTH: AtomicU32 = AtomicU32::new(0);
        let nth = NTH.fetch_add(1, Ordering::SeqCst);
        let folder =
            std::env::temp_dir().join(format!("vestibule-jobs-{}-{nth}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let db = DbConfig::Sqlite { file: folder.join("idp.db"), full_sync: false };
        let db = Db::open(&db).await.unwrap();
        db.migrate().await.unwrap();
        let (clock, shift) = Clock::shifted();
        let (port, seen) = serve(script).await;
        let app = replica(&db, &clock, port, smtp_timeout).await;
        let stop = watch::channel(false).0;
        Self { app, db, clock, shift, seen, folder, stop, worker: None }
    }

    fn work(&mut self) {
        self.worker =
            Some(tokio::spawn(run(self.app.clone(), LANES.to_vec(), self.stop.subscribe())));
    }

    async fn person(&self, address: &str) -> UserId {
        let now = self.clock.now();
        let random = Rng::system().bytes();
        let id = UserId::new(now, random);
        let user = User {
            id,
            subject: address.to_owned(),
            pairwise_seed: address.to_owned(),
            user_handle: id.uuid(),
            status: store::user::STATUS_ACTIVE.to_owned(),
            email: Some(address.to_owned()),
            email_canonical: Some(address.to_owned()),
            email_verified: true,
            name: fixtures::NAME.to_owned(),
            claims: "{}".to_owned(),
            epoch: 0,
            tokens_invalid_before: None,
            password_change_required_since: None,
            updated_at: now,
            created_at: now,
            language: None,
        };
        let add = async |tx: &mut store::Tx| store::user::insert(tx, &user).await;
        assert!(self.db.write(add).await.unwrap());
        user.id
    }

    async fn queue<J: Job>(&self, job: J) -> JobId {
        self.queue_text::<J>(&serde_json::to_string(&job).unwrap()).await
    }

    async fn queue_text<J: Job>(&self, payload: &str) -> JobId {
        let now = self.clock.now();
        let id = JobId::new(now, Rng::system().bytes());
        let new = NewJob { id, lane: J::LANE, kind: J::NAME, payload };
        let add = async |tx: &mut store::Tx| store::job::insert(tx, new, now).await;
        self.db.write(add).await.unwrap();
        self.app.lane_notifier.notify(J::LANE);
        id
    }

    /// A code for a new person.
    async fn code(&self, address: &str) -> (JobId, ChallengeId) {
        let user = self.person(address).await;
        let now = self.clock.now();
        let challenge = EmailChallenge {
            id: ChallengeId::new(now, Rng::system().bytes()),
            browser: TokenHash::from_bytes([4; 32]),
            ..fixtures::challenge(user, address, now)
        };
        let add = async |tx: &mut store::Tx| store::email_challenge::insert(tx, &challenge).await;
        assert!(self.db.write(add).await.unwrap());
        (self.queue(CodeMail { challenge: challenge.id }).await, challenge.id)
    }

    async fn job(&self, id: JobId) -> Row {
        let mut conn = self.db.read().await.unwrap();
        let row = conn
            .q("SELECT tries, run_at, locked_until, done_at, failed_at, last_error FROM jobs WHERE id = $1")
            .bind(id);
        let (tries, run_at, locked, done, failed, error): Columns = row.fetch_one().await.unwrap();
        Row { tries, run_at, locked, done: done.is_some(), failed: failed.is_some(), error }
    }

    async fn until(&self, id: JobId, ready: impl Fn(&Row) -> bool) -> Row {
        let mut ticks = interval(Duration::from_millis(10));
        let found = timeout(LIMIT, async {
            loop {
                ticks.tick().await;
                let row = self.job(id).await;
                if ready(&row) {
                    return row;
                }
            }
        });
        found.await.expect("in time")
    }

    async fn accepted_at(&self, id: ChallengeId) -> Option<Timestamp> {
        let mut conn = self.db.read().await.unwrap();
        let challenge = store::email_challenge::by_id(&mut conn, id).await.unwrap().unwrap();
        challenge.last_accepted_at
    }

    /// Event and outcome of every row about mail in the audit trail.
    async fn trail(&self) -> Vec<(String, String)> {
        let mut conn = self.db.read().await.unwrap();
        let events =
            conn.q("SELECT event, outcome FROM audit WHERE actor = 'system:mail' ORDER BY id");
        events.fetch_all().await.unwrap()
    }

    fn mails(&self) -> usize {
        self.seen.count("DATA")
    }
}

type Columns =
    (i64, Timestamp, Option<Timestamp>, Option<Timestamp>, Option<Timestamp>, Option<String>);

#[derive(Debug)]
struct Row {
    tries: i64,
    run_at: Timestamp,
    locked: Option<Timestamp>,
    done: bool,
    failed: bool,
    error: Option<String>,
}

async fn replica(db: &Db, clock: &Clock, port: u16, timeout: Duration) -> App {
    let smtp = crate::config::SmtpConfig { timeout, ..config(port) };
    let dependencies = AppDependencies {
        issuer: Issuer::parse("https://login.example.org").unwrap(),
        brand: brand_config(),
        passkeys: PasskeysConfig::default(),
        proxies: ProxiesConfig::default(),
        db: db.clone(),
        ephemeral: EphemeralCounters::in_memory(),
        clock: clock.clone(),
        rng: Rng::system(),
        root: fixtures::root(),
        hashing: HasherConfig { threads: 1, queue: 1, wait: Duration::from_secs(1) },
        mailer: Mailer::smtp(&smtp).unwrap(),
        job_kinds: kinds(),
    };
    App::start(dependencies).await.unwrap()
}

fn one(event: &str, outcome: &str) -> Vec<(String, String)> {
    vec![(event.to_owned(), outcome.to_owned())]
}

#[tokio::test]
async fn queued_code_is_sent_and_recorded() {
    let mut world = World::new(Script::default()).await;
    let before = world.clock.now();
    let (job, challenge) = world.code("mere@patient.example").await;
    world.work();
    let row = world.until(job, |row| row.done).await;
    assert_eq!((row.tries, row.locked, row.error), (1, None, None));
    let accepted = world.accepted_at(challenge).await.unwrap();
    assert!(before <= accepted && accepted <= world.clock.now());
    assert_eq!(world.trail().await, one("code.accepted", "ok"));
    assert_eq!(world.mails(), 1);
    assert_eq!(world.seen.count("@login.example.org #"), 1);
}

/// A job whose kind has no lane would wait for ever.
#[test]
fn every_kind_has_lane() {
    let lanes: BTreeSet<_> = LANES.iter().map(|lane| lane.name).collect();
    assert_eq!(kinds().lanes(), lanes);
    let names: BTreeSet<_> = kinds().iter().map(|kind| kind.name).collect();
    assert_eq!(names.len(), kinds().iter().count());
    assert!(names.iter().all(|name| !name.contains(',')), "{names:?}");
}

#[tokio::test]
async fn wake_before_wait_is_kept() {
    let wake: LaneNotifier = kinds().lanes().into_iter().collect();
    for lane in LANES {
        wake.notify(lane.name);
        timeout(LIMIT, wake.notified(lane.name)).await.unwrap();
    }
}

#[tokio::test]
async fn retried_code_window_starts_at_acceptance() {
    let script = Script { end: Some("451 4.3.0 later"), ..Script::default() };
    let mut world = World::new(script).await;
    let (job, challenge) = world.code("mere@patient.example").await;
    // The attempt was made between these two times.
    let before = world.clock.now();
    world.work();
    let row = world.until(job, |row| row.error.is_some()).await;
    let waits = [row.run_at.since(before), row.run_at.since(world.clock.now())];
    assert!(waits[0] > Duration::from_secs(1) && waits[1] < Duration::from_secs(3), "{waits:?}");
    assert!(row.error.unwrap().contains("451") && !row.done && !row.failed);
    assert_eq!(world.accepted_at(challenge).await, None);
    world.shift.advance(Duration::from_secs(3));
    let before = world.clock.now();
    world.app.lane_notifier.notify(Category::Code.as_str());
    let row = world.until(job, |row| row.tries == 2 && row.locked.is_none()).await;
    assert!(row.run_at.since(before) > Duration::from_secs(3));
    world.seen.mended.store(true, Ordering::SeqCst);
    world.shift.advance(Duration::from_mins(10));
    let late = world.clock.now();
    world.app.lane_notifier.notify(Category::Code.as_str());
    assert_eq!(world.until(job, |row| row.done).await.tries, 3);
    assert!(world.accepted_at(challenge).await.unwrap() >= late);
    assert_eq!(world.trail().await, one("code.accepted", "ok"));
}

#[tokio::test]
async fn permanent_rejection_fails_job() {
    let script = Script { rcpt: Some("550 5.1.1 nobody here"), ..Script::default() };
    let mut world = World::new(script).await;
    let (job, challenge) = world.code("mere@patient.example").await;
    world.work();
    let row = world.until(job, |row| row.failed).await;
    assert!(row.error.unwrap().contains("550") && row.locked.is_none());
    assert_eq!(world.accepted_at(challenge).await, None);
    assert_eq!(world.trail().await, one("mail.failed", "refused"));
}

#[tokio::test]
async fn superseded_mails_are_not_sent() {
    let mut world = World::new(Script::default()).await;
    let (completed, challenge) = world.code("mere@patient.example").await;
    let now = world.clock.now();
    let complete =
        async |tx: &mut store::Tx| store::email_challenge::complete(tx, challenge, now).await;
    assert_eq!(world.db.write(complete).await.unwrap(), Some(0));
    // This person has chosen a new password since the reset.
    let user = world.person("hemi@patient.example").await;
    let reset = world.queue(ResetForcedMail { user }).await;
    let (capped, _) = world.code("aroha@patient.example").await;
    world.shift.advance(Duration::from_mins(31));
    world.work();
    for job in [completed, reset, capped] {
        world.until(job, |row| row.done).await;
    }
    assert_eq!(world.mails(), 0);
    let trail = world.trail().await;
    assert_eq!(trail.len(), 3);
    assert!(trail.iter().all(|row| *row == one("mail.failed", "superseded")[0]), "{trail:?}");
}

#[tokio::test]
async fn malformed_mail_is_not_sent() {
    let mut world = World::new(Script::default()).await;
    // A reference that looks like a link, as an example of forbidden text.
    let (job, challenge) = world.code("mere@patient.example").await;
    let break_it = async |tx: &mut store::Tx| {
        tx.q("UPDATE email_challenges SET reference = 'http' WHERE id = $1")
            .bind(challenge)
            .execute()
            .await
    };
    assert_eq!(world.db.write(break_it).await.unwrap(), 1);
    world.work();
    let row = world.until(job, |row| row.failed).await;
    assert_eq!(row.error.as_deref(), Some("the subject contains `http`"));
    assert_eq!(world.mails(), 0);
    assert_eq!(world.trail().await, one("mail.failed", "malformed"));
}

#[tokio::test]
async fn unusable_address_fails_as_refused() {
    let mut world = World::new(Script::default()).await;
    let (job, _) = world.code("me re@patient.example").await;
    world.work();
    world.until(job, |row| row.failed).await;
    assert_eq!(world.trail().await, one("mail.failed", "refused"));
}

#[tokio::test]
async fn notices_do_not_delay_codes() {
    let script = Script { silent_after: Some("RCPT TO:<slow"), ..Script::default() };
    let mut world = World::new(script).await;
    let mut notices = Vec::new();
    for nth in 0..6 {
        let user = world.person(&format!("slow{nth}@patient.example")).await;
        notices.push(world.queue(PasswordChangedMail { user }).await);
    }
    world.work();
    world.until(notices[0], |row| row.tries == 1).await;
    let (job, _) = world.code("mere@patient.example").await;
    world.until(job, |row| row.done).await;
    let mut begun = 0;
    for notice in &notices {
        let row = world.job(*notice).await;
        assert!(!row.done);
        begun += row.tries;
    }
    assert!(begun <= 4, "no more than two at once: {begun}");
}

#[tokio::test]
async fn slow_codes_do_not_delay_others() {
    let script = Script { silent_after: Some("RCPT TO:<slow"), ..Script::default() };
    let mut world = World::new(script).await;
    for nth in 0..7 {
        world.code(&format!("slow{nth}@patient.example")).await;
    }
    world.work();
    let (job, _) = world.code("mere@patient.example").await;
    world.until(job, |row| row.done).await;
}

#[tokio::test]
async fn unreadable_payload_is_retried_later() {
    let mut world = World::new(Script::default()).await;
    let job = world.queue_text::<ResetForcedMail>(r#"{"mail":"from_the_future"}"#).await;
    world.work();
    let row = world.until(job, |row| row.error.is_some()).await;
    assert!(!row.done && !row.failed && row.run_at > world.clock.now(), "{row:?}");
}

#[tokio::test]
async fn expired_lease_returns_job() {
    let mut world = World::new(Script::default()).await;
    let (job, _) = world.code("mere@patient.example").await;
    let now = world.clock.now();
    let lease = Duration::from_mins(1);
    let claims = JobFilter::new(CodeMail::LANE, &[CodeMail::NAME]);
    let claim = async |tx: &mut store::Tx| store::job::claim(tx, &claims, 20, now, lease).await;
    assert_eq!(world.db.write(claim).await.unwrap().len(), 1);
    world.work();
    let (other, _) = world.code("hemi@patient.example").await;
    world.until(other, |row| row.done).await;
    assert!(!world.job(job).await.done);
    world.shift.advance(lease);
    world.app.lane_notifier.notify(Category::Code.as_str());
    assert_eq!(world.until(job, |row| row.done).await.tries, 2);
}

#[tokio::test]
async fn two_replicas_send_each_mail_once() {
    let mut world = World::new(Script::default()).await;
    let mut jobs = Vec::new();
    for nth in 0..30 {
        jobs.push(world.code(&format!("p{nth}@patient.example")).await.0);
    }
    let (port, seen) = serve(Script::default()).await;
    let other = replica(&world.db, &world.clock, port, LONG).await;
    let other = tokio::spawn(run(other, LANES.to_vec(), world.stop.subscribe()));
    world.work();
    for job in jobs {
        assert_eq!(world.until(job, |row| row.done).await.tries, 1);
    }
    world.stop.send_replace(true);
    timeout(LIMIT, other).await.unwrap().unwrap();
    assert_eq!(world.mails() + seen.count("DATA"), 30);
}

#[tokio::test]
async fn shutdown_finishes_claimed_jobs_only() {
    let script = Script { silent_after: Some("RCPT TO:<slow"), ..Script::default() };
    let mut world = World::with(script, SHORT).await;
    let (job, _) = world.code("slow@patient.example").await;
    world.work();
    world.until(job, |row| row.tries == 1).await;
    world.stop.send_replace(true);
    let (later, _) = world.code("mere@patient.example").await;
    let worker = world.worker.take().unwrap();
    timeout(LIMIT, worker).await.unwrap().unwrap();
    let row = world.job(job).await;
    assert!(row.locked.is_none() && row.error.unwrap().contains("no answer"));
    assert_eq!(world.job(later).await.tries, 0);
}
