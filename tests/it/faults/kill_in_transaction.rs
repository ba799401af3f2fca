//! In each step, SIGKILL ends the replica that runs it: before its first row is written, in the commit of its charge, and in
//! the commit of its outcome. Repeated at the other replica, the step continues from its state.
//!
//! The point is not left to chance: a trigger makes the step wait there for a lock that the test holds.

use std::{cell::Cell, collections::BTreeMap, net::SocketAddr};

use store::{Db, Sql};
use vestibule_tests::{
    app::Patient,
    blocking_tx::BlockingTx,
    client::{AuthorizationResponse, Client, PendingRequest},
    crowd::{CrowdStats, reference_on_page},
    db::Engine,
    http::{HttpBrowser, Response},
    proc::run,
    wait,
};

use super::{ServeWithPeople, assert_consistent, kill_replica::ReplicaPair};

/// The point of a step at which its replica is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum KillPoint {
    /// Nothing is written yet.
    BeforeWrite,
    /// The server commits what was charged or prepared.
    ChargeCommit,
    /// The server commits the outcome, and its response is lost.
    OutcomeCommit,
}

impl KillPoint {
    const fn lock_statement(self) -> &'static str {
        match self {
            Self::BeforeWrite => "SELECT pg_advisory_xact_lock(76)",
            Self::ChargeCommit => "SELECT pg_advisory_xact_lock(77)",
            Self::OutcomeCommit => "SELECT pg_advisory_xact_lock(78)",
        }
    }
}

const LOCK_WAITERS: &str =
    "SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'
     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
const OPEN_JOBS: &str = "SELECT COUNT(*) FROM jobs WHERE done_at IS NULL AND failed_at IS NULL";

const WAIT_FUNCTION: &str = "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_advisory_xact_lock_shared(CAST(TG_ARGV[0] AS BIGINT)); RETURN COALESCE(NEW, OLD); END'";

/// Two triggers: before a row of a table is written, and when it is committed.
macro_rules! wait_triggers {
    ($($table:literal: $lock:literal,)*) => {
        [$(
            concat!("CREATE TRIGGER writing BEFORE INSERT OR UPDATE OR DELETE ON ", $table,
                " FOR EACH ROW EXECUTE FUNCTION wait(76)"),
            concat!("CREATE CONSTRAINT TRIGGER ending AFTER INSERT OR UPDATE OR DELETE ON ", $table,
                " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait(", $lock, ")"),
        )*]
    };
}

const WAIT_TRIGGERS: [&str; 16] = wait_triggers! {
    "attempts": 77,
    "email_challenges": 77,
    "sign_ins": 78,
    "sessions": 78,
    "passwords": 78,
    "consents": 78,
    "grants": 78,
    "auth_codes": 78,
};

/// Waits until a count has the wanted value.
async fn until(db: &Db, sql: &'static str, wanted: impl Fn(i64) -> bool) {
    let probe = async || {
        let mut conn = db.read().await.expect("a connection");
        let (count,): (i64,) = conn.q(sql).fetch_one().await.expect("a row");
        if wanted(count) { Ok(()) } else { Err(count) }
    };
    wait::until(sql, probe).await;
}

/// Two replicas, one of which is killed in each step.
struct KilledSteps {
    pair: ReplicaPair,
    db: Db,
    lab: Client,
    kills: BTreeMap<(&'static str, KillPoint), u32>,
    redeemed: u32,
    /// How many mails a person had when the current sign-in began: references repeat.
    mails_before: Cell<usize>,
}

impl KilledSteps {
    async fn start(people: usize) -> Self {
        let program = ServeWithPeople::prepare(Engine::Postgres, people).await;
        run(program.served.change_command(&["setting", "set", "sign_in.resend_wait", "0s"]), "")
            .await;
        let uri = "https://lab.example/callback";
        let add = ["client", "add", "lab", "--profile", "web", "--json", "--redirect-uri", uri];
        let added = run(program.served.change_command(&add), "").await;
        let added: serde_json::Value = serde_json::from_str(&added).expect("JSON");
        let lab = Client {
            id: "lab".to_owned(),
            secret: added["client_secret"].as_str().map(str::to_owned),
            redirect_uri: uri.to_owned(),
            ..program.client.clone()
        };
        let db = program.data.open().await;
        for sql in std::iter::once(WAIT_FUNCTION).chain(WAIT_TRIGGERS) {
            db.write(async |tx| tx.q(sql).execute().await).await.expect("it runs");
        }
        let pair = ReplicaPair::start_with(program).await;
        Self { pair, db, lab, kills: BTreeMap::new(), redeemed: 0, mails_before: Cell::new(0) }
    }

    fn issuer(&self) -> String {
        self.pair.program.served.issuer()
    }

    fn browser(&self) -> HttpBrowser {
        HttpBrowser::new_at(&self.issuer(), self.pair.here)
    }

    /// Kills the replica that runs a step at `moment`, and repeats the step at the other one.
    async fn kill_and_retry(
        &mut self,
        (name, moment): (&'static str, KillPoint),
        step: impl AsyncFn(SocketAddr) -> Option<Response>,
    ) -> Response {
        for _ in 0..10 {
            // No other write is under way.
            let db = self.db.clone();
            until(&db, OPEN_JOBS, |open| open == 0).await;
            let held = BlockingTx::open(db.clone(), moment.lock_statement()).await;
            let (there, second) = (self.pair.there, &mut self.pair.second);
            let (answer, ()) = tokio::join!(step(there), async {
                until(&db, LOCK_WAITERS, |waiting| waiting > 0).await;
                second.kill().await;
            });
            held.commit().await;
            until(&db, LOCK_WAITERS, |waiting| waiting == 0).await;
            self.pair.second = self.pair.program.served.start_replica_at(there).await;
            // On a very busy machine the step may have failed before the kill.
            let Some(answer) = answer else {
                *self.kills.entry((name, moment)).or_default() += 1;
                return step(self.pair.here).await.expect("the other replica answers");
            };
            assert_eq!(answer.status, 503, "{name} {moment:?}: {}", answer.text());
        }
        panic!("{name} {moment:?}: no kill hit it");
    }

    async fn open_password_page(
        &self,
        client: &Client,
        who: &Patient,
    ) -> (HttpBrowser, Response, PendingRequest) {
        self.mails_before.set(self.pair.program.served.mail.count(&who.email));
        let browser = self.browser();
        let pending = PendingRequest::new(client);
        let page = browser.get(pending.url(&self.issuer(), &[])).await;
        let page = browser.follow(page).await;
        (browser, page, pending)
    }

    async fn open_code_page(
        &self,
        client: &Client,
        who: &Patient,
    ) -> (HttpBrowser, Response, PendingRequest) {
        let (browser, page, pending) = self.open_password_page(client, who).await;
        let page = browser.submit_password(&page, who).await;
        assert!(page.has_field("code"), "{}", page.text());
        (browser, page, pending)
    }

    /// The mailed code for a page: no mail is lost.
    async fn code(&self, page: &Response, who: &Patient) -> String {
        let reference =
            reference_on_page(page).unwrap_or_else(|| panic!("no reference: {}", page.text()));
        let before = self.mails_before.get();
        self.pair.program.served.mail.wait_for_code_in(&who.email, &reference, before).await
    }

    async fn submit_mailed_code(
        &self,
        (browser, page): (&HttpBrowser, &Response),
        who: &Patient,
    ) -> Response {
        let code = self.code(page, who).await;
        browser.submit_code(page, &code).await
    }

    async fn sign_in(&self, who: &Patient) -> (HttpBrowser, AuthorizationResponse) {
        let (browser, page, pending) = self.open_code_page(&self.pair.program.client, who).await;
        let landed =
            self.submit_mailed_code((&browser, &page), who).await.authorization_response(pending);
        (browser, landed)
    }

    /// Redeems a code: the first time succeeds, the second fails.
    async fn redeem(&mut self, client: &Client, landed: &AuthorizationResponse) -> Response {
        let browser = self.browser();
        let tokens = client.redeem_at(&browser, landed).await;
        assert_eq!(tokens.status, 200, "{}", tokens.body);
        let again = client.redeem_at(&browser, landed).await;
        assert_eq!(again.json()["error"], "invalid_grant", "used once");
        self.redeemed += 1;
        tokens
    }

    async fn is_signed_in(&self, browser: &HttpBrowser) -> bool {
        let pending = PendingRequest::new(&self.pair.program.client);
        let url = pending.url(&self.issuer(), &[("prompt", "none")]);
        browser.get(url).await.authorization_response(pending).param("code").is_some()
    }

    async fn password(&mut self, moment: KillPoint, who: &Patient) {
        let client = self.pair.program.client.clone();
        let (browser, page, pending) = self.open_password_page(&client, who).await;
        let form = page.form().with("email", &who.email).with("password", &who.password);
        let posted = async |at| browser.at_replica(at).try_post(&form, "continue").await;
        let page = browser.follow(self.kill_and_retry(("password", moment), posted).await).await;
        let landed =
            self.submit_mailed_code((&browser, &page), who).await.authorization_response(pending);
        self.redeem(&client, &landed).await;
    }

    async fn resend(&mut self, moment: KillPoint, who: &Patient) {
        let client = self.pair.program.client.clone();
        let (browser, page, pending) = self.open_code_page(&client, who).await;
        self.code(&page, who).await;
        let form = page.form();
        let posted = async |at| browser.at_replica(at).try_post(&form, "resend").await;
        let page = browser.follow(self.kill_and_retry(("resend", moment), posted).await).await;
        let landed =
            self.submit_mailed_code((&browser, &page), who).await.authorization_response(pending);
        self.redeem(&client, &landed).await;
    }

    async fn mailed_code(&mut self, moment: KillPoint, who: &Patient) {
        let client = self.pair.program.client.clone();
        let (browser, page, pending) = self.open_code_page(&client, who).await;
        let form = page.form().with("code", &self.code(&page, who).await);
        let posted = async |at| browser.at_replica(at).try_post(&form, "continue").await;
        let answer = self.kill_and_retry(("code", moment), posted).await;
        let landed = browser.follow(answer).await.authorization_response(pending);
        self.redeem(&client, &landed).await;
    }

    async fn token(&mut self, moment: KillPoint, who: &Patient) {
        let client = self.pair.program.client.clone();
        let (browser, landed) = self.sign_in(who).await;
        let redeemed = async |at| client.try_redeem(&browser.at_replica(at), &landed).await;
        let answer = self.kill_and_retry(("token", moment), redeemed).await;
        // Redeemed by the request that was killed: its tokens never arrived.
        let wanted = if moment == KillPoint::OutcomeCommit { 400 } else { 200 };
        assert_eq!(answer.status, wanted, "{}", answer.body);
        let again = client.redeem_at(&browser, &landed).await;
        assert_eq!(again.json()["error"], "invalid_grant", "used once");
    }

    async fn silent(&mut self, moment: KillPoint, who: &Patient) {
        let client = self.pair.program.client.clone();
        let (browser, landed) = self.sign_in(who).await;
        self.redeem(&client, &landed).await;
        let pending = PendingRequest::new(&client);
        let url = pending.url(&self.issuer(), &[("prompt", "none")]);
        let asked = async |at| browser.at_replica(at).try_get(&url).await;
        let landed =
            self.kill_and_retry(("silent", moment), asked).await.authorization_response(pending);
        self.redeem(&client, &landed).await;
    }

    async fn consent(&mut self, moment: KillPoint, who: &Patient) {
        let lab = self.lab.clone();
        let (browser, page, pending) = self.open_code_page(&lab, who).await;
        let page = self.submit_mailed_code((&browser, &page), who).await;
        let form = page.form();
        let allowed = async |at| browser.at_replica(at).try_post(&form, "allow").await;
        let answer = self.kill_and_retry(("consent", moment), allowed).await;
        let landed = browser.follow(answer).await.authorization_response(pending);
        self.redeem(&lab, &landed).await;
    }

    /// After a forced reset; the chosen password is valid from then on.
    async fn new_password(&mut self, moment: KillPoint, who: &mut Patient) {
        let served = &self.pair.program.served;
        run(served.command(&["user", "reset", &who.email, "--reason", "test"]), "").await;
        let client = self.pair.program.client.clone();
        let (browser, page, pending) = self.open_code_page(&client, who).await;
        let page = self.submit_mailed_code((&browser, &page), who).await;
        assert!(page.has_field("new_password"), "{}", page.text());
        let chosen = format!("another walk along the river {moment:?}");
        let form = page.form().with("new_password", &chosen);
        let posted = async |at| browser.at_replica(at).try_post(&form, "continue").await;
        let answer = self.kill_and_retry(("new password", moment), posted).await;
        let answer = browser.follow(answer).await;
        if moment == KillPoint::OutcomeCommit {
            // The step was committed, but its session never arrived: one more sign-in, with the new password.
            assert!(answer.has_text("Please start again"), "{}", answer.text());
        } else {
            self.redeem(&client, &answer.authorization_response(pending)).await;
        }
        who.password = chosen;
        let (_, landed) = self.sign_in(who).await;
        self.redeem(&client, &landed).await;
    }

    async fn logout(&mut self, moment: KillPoint, who: &Patient) {
        let client = self.pair.program.client.clone();
        let (browser, landed) = self.sign_in(who).await;
        let tokens = self.redeem(&client, &landed).await.json();
        assert!(self.is_signed_in(&browser).await);
        let hint = tokens["id_token"].as_str().expect("a token");
        let url = format!("/oauth2/logout?id_token_hint={hint}");
        // A copy of the cookie has no session either.
        let kept = browser.with_copied_cookies();
        let asked = async |at| browser.at_replica(at).try_get(&url).await;
        let page = self.kill_and_retry(("logout", moment), asked).await;
        assert!(page.has_text("You are signed out"), "{}", page.text());
        assert!(!self.is_signed_in(&kept).await, "signed out");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn step_killed_anywhere_resumes_elsewhere() {
    use KillPoint::{BeforeWrite, ChargeCommit, OutcomeCommit};
    let mut steps = KilledSteps::start(5).await;
    let people = steps.pair.program.people.clone();
    let [who, reset, consents @ ..] = people.as_slice() else { panic!("five people") };
    let mut reset = reset.clone();
    for moment in [BeforeWrite, ChargeCommit] {
        steps.password(moment, who).await;
        steps.resend(moment, who).await;
        steps.mailed_code(moment, who).await;
    }
    steps.mailed_code(OutcomeCommit, who).await;
    // Each person is asked for consent once.
    for (moment, allows) in [BeforeWrite, OutcomeCommit].into_iter().zip(consents) {
        steps.consent(moment, allows).await;
        steps.token(moment, who).await;
        steps.silent(moment, who).await;
        steps.new_password(moment, &mut reset).await;
        steps.logout(moment, who).await;
    }
    println!(
        "cut off by SIGKILL of one of two replicas, and completed at the other: {:?}",
        steps.kills
    );
    assert_eq!(steps.kills.len(), 17, "every step at every moment: {:?}", steps.kills);
    let tally = CrowdStats { completed: 1, ..CrowdStats::default() };
    assert_consistent(&steps.db, &tally).await;
    println!("{} codes of clients redeemed once each, no mail lost", steps.redeemed);
}
