//! What happens when a part dies while people sign in through two replicas. Real servers of the test's own, honest people at a
//! bounded rate, and a count of what was lost or doubled.

mod clock;
mod connections;
mod disk;
mod kill;
mod kill_steps;
mod one_connection;
mod postgres;
mod redis;
mod restart;
mod smtp;
mod wrong_start;

use std::{net::SocketAddr, time::Duration};

use store::{Db, Sql};
use vestibule_tests::{
    app::{Options, Patient, Replica, TestApp},
    client::Client,
    crowd::{Crowd, Tally},
    db::{Engine, TestDb},
    proc::run,
    served::Served,
    wait,
};

/// How soon people sign in again when a fault is over: a mail whose replica was killed comes with the end of its lease, after
/// 30 s.
const BACK: Duration = Duration::from_mins(1);

/// How often each fault comes: once, or as `scripts/bench faults` says.
fn rounds() -> u32 {
    std::env::var("VESTIBULE_FAULT_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(1)
}

/// A provider of two replicas, and the people at it.
struct Site {
    app: TestApp,
    _other: Replica,
    crowd: Crowd,
}

impl Site {
    async fn start(db: TestDb, redis: Option<String>) -> Self {
        let app = TestApp::on(db, redis, Options::default()).await;
        let other = app.replica().await;
        let crowd = Crowd::start(&app, vec![app.first().address, other.address], 4).await;
        crowd.complete(2).await;
        Self { app, _other: other, crowd }
    }

    /// The fault is over: everybody is back without a restart, and nothing was lost or doubled.
    async fn mended(self, name: &str) -> Tally {
        self.crowd.mended();
        self.crowd.complete(8).await;
        let tally = self.crowd.finish().await;
        print(name, &tally);
        assert_sound(&tally);
        assert_consistent(self.app.sql(), &tally).await;
        tally
    }
}

fn assert_sound(tally: &Tally) {
    let nobody: [&str; 0] = [];
    assert_eq!(tally.lost_mails, nobody, "mails were lost");
    assert_eq!(tally.lost, nobody, "sign-ins were lost");
    assert_eq!(tally.doubled, nobody, "codes were accepted twice");
    assert_eq!(tally.unhelpful, nobody, "answers do not say what to do");
    let back = tally.back_after.expect("somebody signed in after it");
    assert!(back < BACK, "back only after {back:?}");
}

/// What the database says about it, once every mail is gone.
async fn assert_consistent(db: &Db, tally: &Tally) {
    let count = async |sql| {
        let mut conn = db.read().await.expect("a connection");
        let (count,): (i64,) = conn.q(sql).fetch_one().await.expect("a row");
        count
    };
    let open = "SELECT COUNT(*) FROM jobs WHERE done_at IS NULL AND failed_at IS NULL";
    wait::until_equal("mails that have not left", 0, async || count(open).await).await;
    let sign_ins = count("SELECT COUNT(*) FROM sign_ins").await;
    assert!(sign_ins >= i64::from(tally.completed + tally.in_doubt), "{sign_ins} of {tally:?}");
    let used = "SELECT COUNT(*) FROM email_challenges WHERE completed_at IS NOT NULL";
    assert_eq!(count(used).await, sign_ins, "each mailed code ends in one sign-in");
    let without =
        "SELECT COUNT(*) FROM grants LEFT JOIN sign_ins ON sign_ins.id = grants.sign_in_id
                   WHERE sign_ins.second IS NULL";
    assert_eq!(count(without).await, 0, "no grant without both steps");
    let issued = count("SELECT COUNT(*) FROM audit WHERE event = 'token.issued'").await;
    let redeemed = count("SELECT COUNT(*) FROM auth_codes WHERE used_at IS NOT NULL").await;
    assert_eq!(issued, redeemed, "each code of a client ends in one issue");
    let unsent =
        "SELECT COUNT(*) FROM email_challenges WHERE sends > 0 AND last_accepted_at IS NULL
                  AND refused_at IS NULL AND superseded_at IS NULL AND completed_at IS NULL";
    assert_eq!(count(unsent).await, 0, "each mail that was asked for was sent or refused");
    let given_up = count("SELECT COUNT(*) FROM jobs WHERE failed_at IS NOT NULL").await;
    assert_eq!(given_up, 0, "no mail was given up");
}

fn print(name: &str, tally: &Tally) {
    println!(
        "{name}: {} sign-ins, {} of them after it, the first {:?} after; {} requests repeated and {} connections refused, the longest answer {:?}; \
         lost {} mails and {} sign-ins, doubled {} codes and {} mails; in doubt {}, begun anew {}",
        tally.completed,
        tally.after,
        tally.back_after.unwrap_or_default(),
        tally.repeated,
        tally.refused,
        tally.longest,
        tally.lost_mails.len(),
        tally.lost.len(),
        tally.doubled.len(),
        tally.doubled_mails,
        tally.in_doubt,
        tally.begun_anew,
    );
}

/// A provider of processes, and people who were added by commands.
struct Program {
    data: TestDb,
    served: Served,
    client: Client,
    people: Vec<Patient>,
}

impl Program {
    async fn prepare(engine: Engine, people: usize) -> Self {
        let data = TestDb::create(engine).await;
        let served = Served::prepare(engine, &data).await;
        Self::of(data, served, people).await
    }

    async fn over_tls(engine: Engine, people: usize) -> Self {
        let data = TestDb::create(engine).await;
        let served = Served::over_tls(engine, &data).await;
        Self::of(data, served, people).await
    }

    async fn of(data: TestDb, served: Served, people: usize) -> Self {
        for (name, value) in [
            ("sign_in.sends_per_hour", "1000"),
            ("sign_in.sends_per_day", "1000"),
            ("sign_in.posts_per_minute", "100000"),
        ] {
            run(served.change(&["setting", "set", name, value]), "").await;
        }
        let mut all = Vec::new();
        for nth in 0..people {
            let email = format!("patient{nth}@patients.example");
            let password = "a walk along the river".to_owned();
            run(served.change(&["user", "add", &email, "--password-stdin"]), &password).await;
            all.push(Patient { email, password, name: format!("Patient {nth}") });
        }
        let client = served.add_portal("https://portal.example/callback").await;
        Self { data, served, client, people: all }
    }

    fn crowd(&self, replicas: Vec<SocketAddr>) -> Crowd {
        let browser = self.served.browser_at(replicas[0]);
        let site = (browser, self.served.mail.clone());
        Crowd::of(site, replicas, self.client.clone(), self.people.clone())
    }
}
