//! Jobs that are not mails, run by the program's own workers; and kinds of jobs that a replica does not have.

use std::time::Duration;

use flows::{
    Cx,
    audit::event::MailFailed,
    jobs::{self, Backoff, ClaimedJob, CompletedJob, Job, JobAuditDetail, JobKind, JobResult},
    mail::{CATALOGUE, Category},
};
use idp::{
    app::App,
    jobs::{AttemptFuture, LANES, Lane},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{JobId, Sql, Timestamp, Tx, UserId, job::NewJob};
use vestibule_tests::{
    app::{ExtraJobs, Options, Patient, ReplicaOptions, TestApp},
    db::Engine,
    metrics::Scrape,
    wait::{until, until_equal},
};

use crate::engines::{apply, both_engines};

/// A job that is not a mail. It fails as often as it is set to; then it is done, or refused.
#[derive(Debug, Serialize, Deserialize)]
struct Errand {
    user: UserId,
    failures: i64,
    refused: bool,
}

const FIRST_WAIT: Duration = Duration::from_secs(10);
const LASTS: Duration = Duration::from_hours(1);

impl Job for Errand {
    const NAME: &'static str = "test.errand";
    const LANE: &'static str = "errands";
    const BACKOFF: Backoff =
        Backoff::Doubling { first: FIRST_WAIT, longest: Duration::from_mins(10) };
    const MAX_AGE: Option<Duration> = Some(LASTS);
    // Kinds of the program have events of their own.
    type Failed = MailFailed;

    async fn audit_detail(&self, _tx: &mut Tx) -> flows::Result<JobAuditDetail> {
        Ok(JobAuditDetail { user: Some(self.user), detail: json!({ "refused": self.refused }) })
    }

    /// Writes in the same transaction. The test reads it back as the person's language.
    async fn on_done(&self, _cx: &Cx, tx: &mut Tx, done: &CompletedJob<'_>) -> flows::Result<()> {
        assert_eq!((done.receipt, done.tries), (&json!("receipt"), self.failures + 1));
        set_language(tx, self.user, "done").await
    }

    async fn on_failed(&self, _cx: &Cx, tx: &mut Tx) -> flows::Result<()> {
        set_language(tx, self.user, "failed").await
    }
}

/// Stores a word as the person's language.
async fn set_language(tx: &mut Tx, user: UserId, word: &'static str) -> flows::Result<()> {
    let sql = "UPDATE users SET language = $2 WHERE id = $1";
    store::Sql::q(tx, sql).bind(user).bind(word).execute().await?;
    Ok(())
}

fn attempt<'a>(_app: &'a App, claimed: &'a ClaimedJob) -> AttemptFuture<'a> {
    Box::pin(async {
        let errand: Errand = claimed.read().expect("its payload");
        Ok(if claimed.tries() <= errand.failures {
            JobResult::NotNow("not today".to_owned())
        } else if errand.refused {
            JobResult::Refused("never".to_owned())
        } else {
            JobResult::Done(json!("receipt"))
        })
    })
}

fn errands() -> ExtraJobs {
    let lane = Lane {
        name: Errand::LANE,
        job_name: "errand",
        workers: |_| 2,
        limit: |_| Duration::from_secs(1),
        attempt,
    };
    ExtraJobs { kinds: vec![JobKind::of::<Errand>()], lanes: vec![lane] }
}

/// A provider that runs errands, and a person.
async fn with_errands(engine: Engine) -> (TestApp, Patient, UserId) {
    let app = TestApp::start_with(engine, Options { jobs: errands(), ..Options::default() }).await;
    let patient = app.patient("Mere").await;
    let user = user(&app, &patient).await;
    (app, patient, user)
}

async fn user(app: &TestApp, patient: &Patient) -> UserId {
    let mut conn = app.replica_db().read().await.unwrap();
    store::user::by_email(&mut conn, &patient.email).await.unwrap().expect("a person").id
}

/// What the transaction that ended the errand wrote.
async fn language_of(app: &TestApp, patient: &Patient) -> Option<String> {
    let mut conn = app.replica_db().read().await.unwrap();
    store::user::by_email(&mut conn, &patient.email).await.unwrap().expect("a person").language
}

/// Enqueues the errand as a flow would; returns the reference of the request that caused it.
async fn send(app: &TestApp, errand: Errand) -> String {
    let cx = app.cx();
    cx.db.write(async |tx| jobs::insert(&cx, tx, errand, Some("portal")).await).await.unwrap();
    app.app().lane_notifier.notify(Errand::LANE);
    cx.trace.reference
}

type Row = (JobId, i64, Timestamp, Option<Timestamp>, Option<Timestamp>, Option<Timestamp>);

/// The columns of a job's row that a worker writes.
#[derive(Debug)]
struct JobState {
    id: JobId,
    tries: i64,
    run_at: Timestamp,
    claimed: bool,
    done: bool,
    failed: bool,
}

async fn job_state(app: &TestApp, kind: &str) -> JobState {
    let mut conn = app.replica_db().read().await.unwrap();
    let sql =
        "SELECT id, tries, run_at, locked_until, done_at, failed_at FROM jobs WHERE kind = $1";
    let (id, tries, run_at, locked, done, failed): Row =
        conn.q(sql).bind(kind).fetch_one().await.unwrap();
    let (claimed, done, failed) = (locked.is_some(), done.is_some(), failed.is_some());
    JobState { id, tries, run_at, claimed, done, failed }
}

/// Waits until the errand was tried so often and its claim was released.
async fn wait_for_tries(app: &TestApp, tries: i64) -> JobState {
    until("the errand was tried", async || {
        let seen = job_state(app, Errand::NAME).await;
        if seen.tries == tries && !seen.claimed { Ok(seen) } else { Err(seen) }
    })
    .await
}

/// Moves the clock to the next try, and waits for that try.
async fn advance_to_next_try(app: &TestApp, by: Duration, tries: i64) -> JobState {
    app.clock.advance(by);
    app.app().lane_notifier.notify(Errand::LANE);
    wait_for_tries(app, tries).await
}

/// A row of the audit trail about an errand.
#[derive(Debug, PartialEq)]
struct AuditedFailure {
    outcome: String,
    user: Option<UserId>,
    client: Option<String>,
    reference: String,
    actor: String,
    detail: Value,
}

type AuditRow = (String, Option<UserId>, Option<String>, String, String, String);

async fn trail(app: &TestApp) -> Vec<AuditedFailure> {
    let mut conn = app.replica_db().read().await.unwrap();
    let sql = "SELECT outcome, user_id, client_id, reference, actor, detail FROM audit WHERE event = 'mail.failed'";
    let rows: Vec<AuditRow> = conn.q(sql).fetch_all().await.unwrap();
    let recorded = |(outcome, user, client, reference, actor, detail): AuditRow| {
        let detail = serde_json::from_str(&detail).expect("JSON");
        AuditedFailure { outcome, user, client, reference, actor, detail }
    };
    rows.into_iter().map(recorded).collect()
}

#[apply(both_engines)]
async fn failed_errand_is_retried_with_backoff(engine: Engine) {
    let (app, patient, user) = with_errands(engine).await;
    let mut before = app.app().clock.now();
    send(&app, Errand { user, failures: 3, refused: false }).await;
    let mut errand = wait_for_tries(&app, 1).await;
    for (tries, wait) in [(1, FIRST_WAIT), (2, FIRST_WAIT * 2), (3, FIRST_WAIT * 4)] {
        assert!(!errand.done && !errand.failed, "{errand:?}");
        // With jitter: between 80 and 120 %.
        assert!(errand.run_at >= before.plus(wait * 79 / 100), "{errand:?} after {before:?}");
        let now = app.app().clock.now();
        assert!(errand.run_at <= now.plus(wait * 121 / 100), "{errand:?} at {now:?}");
        before = now;
        errand = advance_to_next_try(&app, wait * 121 / 100, tries + 1).await;
    }
    assert!(errand.done && !errand.failed, "{errand:?}");
    assert_eq!(language_of(&app, &patient).await.as_deref(), Some("done"));
    assert_eq!(trail(&app).await, []);
    let scrape = Scrape::fetch(app.first()).await;
    for (outcome, attempts) in [("again", 3.0), ("accepted", 1.0)] {
        let labels = [("lane", Errand::LANE), ("outcome", outcome)];
        assert_eq!(scrape.value("vestibule_mail_attempts_total", &labels), Some(attempts));
    }
    assert_eq!(scrape.value("vestibule_unusable_rows", &[("table", "jobs")]), Some(0.0));
}

#[apply(both_engines)]
async fn expired_errand_is_given_up(engine: Engine) {
    let (app, patient, user) = with_errands(engine).await;
    let reference = send(&app, Errand { user, failures: i64::MAX, refused: false }).await;
    assert!(!wait_for_tries(&app, 1).await.failed);
    let errand = advance_to_next_try(&app, LASTS, 2).await;
    assert!(errand.failed && !errand.done, "{errand:?}");
    assert_eq!(language_of(&app, &patient).await.as_deref(), Some("failed"));
    let row = AuditedFailure {
        outcome: "given_up".to_owned(),
        user: Some(user),
        client: Some("portal".to_owned()),
        reference,
        actor: "system:errand".to_owned(),
        detail: json!({
            "job": errand.id, "mail": { "refused": false }, "try": 2, "why": "not today"
        }),
    };
    assert_eq!(trail(&app).await, [row]);
}

#[apply(both_engines)]
async fn refused_errand_is_not_retried(engine: Engine) {
    let (app, patient, user) = with_errands(engine).await;
    send(&app, Errand { user, failures: 0, refused: true }).await;
    let errand = wait_for_tries(&app, 1).await;
    assert!(errand.failed && !errand.done, "{errand:?}");
    assert_eq!(language_of(&app, &patient).await.as_deref(), Some("failed"));
    let [row] = &trail(&app).await[..] else { panic!("one row") };
    assert_eq!((row.outcome.as_str(), &row.detail["why"]), ("refused", &json!("never")));
}

/// Inserts a mail of a newer version, in a lane that this version has.
async fn insert_future_mail(app: &TestApp) -> &'static str {
    let (cx, kind) = (app.cx(), "mail.from_the_future");
    assert!(CATALOGUE.iter().all(|mail| mail.kind.name != kind));
    let lane = Category::Notice.as_str();
    let new = NewJob { id: cx.new_id(), lane, kind, payload: "{}" };
    cx.db.write(async |tx| store::job::insert(tx, new, cx.now).await).await.unwrap();
    kind
}

async fn is_untouched(app: &TestApp, kind: &str) -> bool {
    let seen = job_state(app, kind).await;
    seen.tries == 0 && !seen.claimed && !seen.done && !seen.failed
}

/// An unknown kind in a known lane, and an unknown lane: these jobs are neither claimed nor failed, and do not block other
/// jobs.
#[apply(both_engines)]
async fn unknown_job_is_not_claimed(engine: Engine) {
    let app = TestApp::start(engine).await;
    let patient = app.patient("Mere").await;
    let user = user(&app, &patient).await;
    let kind = insert_future_mail(&app).await;
    send(&app, Errand { user, failures: 0, refused: false }).await;
    // One more than a lane runs at once, so that the lane has read the remaining jobs twice.
    for name in ["Hemi", "Aroha", "Tui"] {
        let other = app.patient(name).await;
        app.force_reset(&other).await;
        app.mail.wait_for(&other.email, 1).await;
    }
    assert!(is_untouched(&app, kind).await && is_untouched(&app, Errand::NAME).await);
    let unknown = async |replica| {
        Scrape::fetch(replica).await.value("vestibule_unusable_rows", &[("table", "jobs")])
    };
    assert_eq!(unknown(app.first()).await, Some(2.0));
    let newer = app
        .replica_with(ReplicaOptions { jobs: Some(errands()), ..ReplicaOptions::default() })
        .await;
    until_equal("the newer replica has run the errand", true, async || {
        job_state(&app, Errand::NAME).await.done
    })
    .await;
    assert_eq!(language_of(&app, &patient).await.as_deref(), Some("done"));
    assert!(is_untouched(&app, kind).await);
    assert_eq!(unknown(&newer).await, Some(1.0));
    newer.stop().await;
}

/// `docs/jobs.md` has a row for each mail of the catalogue, and for each lane.
#[test]
fn document_lists_every_mail_and_lane() {
    let path = vestibule_tests::workspace_root().join("docs/jobs.md");
    let text = std::fs::read_to_string(path).expect("the document");
    let rows = |title: &str| -> Vec<Vec<String>> {
        let (_, table) = text.split_once(title).expect("the table");
        let rows = table.lines().skip(2).take_while(|line| line.starts_with("| `"));
        rows.map(|row| row.split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
    };
    let mails = rows("| kind | lane |").into_iter().map(|row| row[1..4].to_vec());
    let listed = CATALOGUE.iter().map(|mail| {
        let lasts = mail.kind.max_age.map(|lasts| format!("{} hours", lasts.as_secs() / 3600));
        let lasts = lasts.unwrap_or_else(|| "as long as its code can work".to_owned());
        vec![format!("`{}`", mail.kind.name), format!("`{}`", mail.kind.lane), lasts]
    });
    assert_eq!(mails.collect::<Vec<_>>(), listed.collect::<Vec<_>>());
    let lanes = rows("| lane | for |").into_iter().map(|row| row[1].clone());
    let run = LANES.iter().map(|lane| format!("`{}`", lane.name));
    assert_eq!(lanes.collect::<Vec<_>>(), run.collect::<Vec<_>>());
}
