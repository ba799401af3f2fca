//! What happens when a part fails while people sign in through two replicas: dedicated servers, honest people at a bounded
//! rate, and a count of what was lost or done twice.

mod clock_skew;
mod connections;
mod disk_full;
mod kill_in_transaction;
mod kill_process;
mod kill_replica;
mod postgres;
mod redis;
mod rolling_restart;
mod single_connection;
mod smtp;
mod wrong_clock_at_start;

use std::{net::SocketAddr, time::Duration};

use store::{Db, Sql};
use vestibule_tests::{
    app::{Options, Patient, Replica, TestApp},
    client::Client,
    crowd::{Crowd, CrowdStats},
    db::{Engine, TestDb},
    proc::run,
    serve_process::ServeSetup,
    wait,
};

/// How soon people can sign in again after a fault: a mail whose replica was killed is sent when its lease ends, after 30 s.
const RECOVERY_LIMIT: Duration = Duration::from_mins(1);

/// How often each fault is repeated: once, or as often as `scripts/bench faults` says.
fn rounds() -> u32 {
    std::env::var("VESTIBULE_FAULT_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(1)
}

/// A provider of two replicas, and the people who use it.
struct FaultScenario {
    app: TestApp,
    _other: Replica,
    crowd: Crowd,
}

impl FaultScenario {
    async fn start(db: TestDb, redis: Option<String>) -> Self {
        let app = TestApp::start_on(db, redis, Options::default()).await;
        let other = app.replica().await;
        let crowd = Crowd::start(&app, vec![app.first().address, other.address], 4).await;
        crowd.wait_for_sign_ins(2).await;
        Self { app, _other: other, crowd }
    }

    /// After the fault everything works again without a restart, and nothing was lost or done twice.
    async fn finish_after_fault(self, name: &str) -> CrowdStats {
        self.crowd.mark_fault_over();
        self.crowd.wait_for_sign_ins(8).await;
        let tally = self.crowd.finish().await;
        print_stats(name, &tally);
        assert_sound(&tally);
        assert_consistent(self.app.replica_db(), &tally).await;
        tally
    }
}

fn assert_sound(tally: &CrowdStats) {
    let nobody: [&str; 0] = [];
    assert_eq!(tally.lost_mails, nobody, "mails were lost");
    assert_eq!(tally.lost_sign_ins, nobody, "sign-ins were lost");
    assert_eq!(tally.codes_accepted_twice, nobody, "codes were accepted twice");
    assert_eq!(tally.unhelpful_answers, nobody, "answers do not say what to do");
    let back = tally.recovery_time.expect("a sign-in after the fault");
    assert!(back < RECOVERY_LIMIT, "recovered only after {back:?}");
}

/// Checks the database, once every mail is sent.
async fn assert_consistent(db: &Db, tally: &CrowdStats) {
    let count = async |sql| {
        let mut conn = db.read().await.expect("a connection");
        let (count,): (i64,) = conn.q(sql).fetch_one().await.expect("a row");
        count
    };
    let open = "SELECT COUNT(*) FROM jobs WHERE done_at IS NULL AND failed_at IS NULL";
    wait::until_equal("mails that are not sent", 0, async || count(open).await).await;
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
    assert_eq!(count(unsent).await, 0, "each requested mail was sent or refused");
    let given_up = count("SELECT COUNT(*) FROM jobs WHERE failed_at IS NOT NULL").await;
    assert_eq!(given_up, 0, "no mail failed for good");
}

fn print_stats(name: &str, tally: &CrowdStats) {
    println!(
        "{name}: {} sign-ins, {} of them after it, the first {:?} after; {} requests repeated and {} connections refused, the longest answer {:?}; \
         lost {} mails and {} sign-ins, doubled {} codes and {} mails; in doubt {}, begun anew {}",
        tally.completed,
        tally.completed_after_fault,
        tally.recovery_time.unwrap_or_default(),
        tally.repeated,
        tally.refused,
        tally.longest_answer,
        tally.lost_mails.len(),
        tally.lost_sign_ins.len(),
        tally.codes_accepted_twice.len(),
        tally.duplicate_mails,
        tally.in_doubt,
        tally.restarts,
    );
}

/// A provider of processes, and people who were added by commands.
struct ServeWithPeople {
    data: TestDb,
    served: ServeSetup,
    client: Client,
    people: Vec<Patient>,
}

impl ServeWithPeople {
    async fn prepare(engine: Engine, people: usize) -> Self {
        let data = TestDb::create(engine).await;
        let served = ServeSetup::prepare(engine, &data).await;
        Self::with_people(data, served, people).await
    }

    async fn over_tls(engine: Engine, people: usize) -> Self {
        let data = TestDb::create(engine).await;
        let served = ServeSetup::over_tls(engine, &data).await;
        Self::with_people(data, served, people).await
    }

    async fn with_people(data: TestDb, served: ServeSetup, people: usize) -> Self {
        for (name, value) in [
            ("sign_in.sends_per_day", "1000"),
            ("sign_in.sends_per_hour", "1000"),
            ("sign_in.posts_per_minute_ipv6_48", "100000"),
            ("sign_in.posts_per_minute", "100000"),
        ] {
            run(served.change_command(&["setting", "set", name, value]), "").await;
        }
        let mut all = Vec::new();
        for nth in 0..people {
            let email = format!("patient{nth}@patients.example");
            let password = "a walk along the river".to_owned();
            run(served.change_command(&["user", "add", &email, "--password-stdin"]), &password)
                .await;
            all.push(Patient { email, password, name: format!("Patient {nth}") });
        }
        let client = served.add_portal("https://portal.example/callback").await;
        Self { data, served, client, people: all }
    }

    fn crowd(&self, replicas: Vec<SocketAddr>) -> Crowd {
        let browser = self.served.browser_at(replicas[0]);
        let site = (browser, self.served.mail.clone());
        Crowd::with_people(site, replicas, self.client.clone(), self.people.clone())
    }
}
