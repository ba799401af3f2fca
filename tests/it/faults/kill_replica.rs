//! One of two replicas is killed in the middle of every step, and the other one continues.

use std::{net::SocketAddr, time::Duration};

use vestibule_tests::{
    client::PendingRequest, crowd::reference_on_page, db::Engine, http::HttpBrowser,
    proc::ChildProcess,
};

use super::{ServeWithPeople, assert_consistent, assert_sound, print_stats, rounds};

/// Two processes, of which the second is killed again and again.
pub(super) struct ReplicaPair {
    pub(super) program: ServeWithPeople,
    _first: ChildProcess,
    pub(super) second: ChildProcess,
    pub(super) here: SocketAddr,
    pub(super) there: SocketAddr,
    interrupted: u32,
}

impl ReplicaPair {
    pub(super) async fn start(people: usize) -> Self {
        Self::start_with(ServeWithPeople::prepare(Engine::Postgres, people).await).await
    }

    pub(super) async fn start_with(program: ServeWithPeople) -> Self {
        let first = program.served.serve().await;
        let (second, there) = program.served.start_replica().await;
        let here = program.served.address();
        Self { program, _first: first, second, here, there, interrupted: 0 }
    }

    /// Kills the second replica in the middle of `step`, which runs there; if it fails, it is repeated at the first. The
    /// delay before the kill varies, so that it hits different points of the step.
    async fn kill_during<T: Send + 'static>(
        &mut self,
        after: Duration,
        step: impl AsyncFn(SocketAddr) -> Option<T>,
    ) -> T {
        let there = self.there;
        let (answer, ()) = tokio::join!(step(there), async {
            tokio::time::sleep(after).await;
            self.second.kill().await;
        });
        (self.second, self.there) = self.program.served.start_replica().await;
        if let Some(answer) = answer {
            return answer;
        }
        self.interrupted += 1;
        step(self.here).await.expect("the other replica answers")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steps_survive_killed_replica() {
    let mut pair = ReplicaPair::start(1).await;
    let (client, patient) = (pair.program.client.clone(), pair.program.people[0].clone());
    let issuer = pair.program.served.issuer();
    let mail = pair.program.served.mail.clone();
    let (least, mut round) = (5 * rounds(), 0);
    // At least so many rounds, or more until a kill hit a step.
    while round < least || pair.interrupted == 0 {
        assert!(round < 20 * least, "no kill hit a step");
        // From the arrival of a request to its last statement, a little later each time.
        let after = |step: u64| Duration::from_micros(500 + u64::from(round % least) * step);
        let browser = HttpBrowser::new_at(&issuer, pair.here);
        let pending = PendingRequest::new(&client);
        let page = browser.get(pending.url(&issuer, &[])).await;
        let form = page.form().with("email", &patient.email).with("password", &patient.password);
        let before = mail.count(&patient.email);
        let posted = async |at| browser.at_replica(at).try_post(&form, "continue").await;
        let answer = pair.kill_during(after(15_000), posted).await;
        let page = browser.follow(answer).await;
        assert!(page.has_field("code"), "round {round}: {}", page.text());
        // By its reference: a mail of an earlier round may be sent again, and that of this round when its lease ends.
        let reference = reference_on_page(&page).expect("a reference on the page");
        let code = mail.wait_for_code_in(&patient.email, &reference, before).await;
        let form = page.form().with("code", &code);
        let posted = async |at| browser.at_replica(at).try_post(&form, "continue").await;
        let answer = pair.kill_during(after(2_000), posted).await;
        let landed = browser.follow(answer).await.authorization_response(pending);
        let redeemed = async |at| client.try_redeem(&browser.at_replica(at), &landed).await;
        let before = pair.interrupted;
        let answer = pair.kill_during(after(1_000), redeemed).await;
        // Redeemed by the request that was killed: its tokens never arrived, and the reuse revokes them.
        let cut_off = pair.interrupted > before && answer.status == 400;
        assert!(answer.status == 200 || cut_off, "round {round}: {}", answer.body);
        let again = client.try_redeem(&browser, &landed).await.expect("an answer");
        assert_eq!(again.json()["error"], "invalid_grant", "round {round}: used once");
        round += 1;
    }
    println!(
        "{} of {} steps were cut off by SIGKILL of one of two replicas",
        pair.interrupted,
        3 * round
    );
    let db = pair.program.data.open().await;
    let tally = vestibule_tests::crowd::CrowdStats { completed: round, ..Default::default() };
    assert_consistent(&db, &tally).await;
}

/// The same while people sign in all the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_replica_under_load_loses_nothing() {
    let mut pair = ReplicaPair::start(4).await;
    let crowd = pair.program.crowd(vec![pair.here, pair.there]);
    crowd.wait_for_sign_ins(2).await;
    let mut kills = 0;
    // At least so many kills, or more until a request was cut off.
    while kills < 4 * rounds() || crowd.stats().repeated == 0 {
        assert!(kills < 100 * rounds(), "no kill hit a request");
        // The delay varies, so that the kill hits different points of a request.
        tokio::time::sleep(Duration::from_millis(200 + u64::from(kills % 4) * 37)).await;
        pair.second.kill().await;
        let refused = crowd.stats().refused;
        crowd.until("the port is closed", |tally| tally.refused > refused).await;
        pair.second = pair.program.served.start_replica_at(pair.there).await;
        kills += 1;
    }
    crowd.mark_fault_over();
    crowd.wait_for_sign_ins(6).await;
    let tally = crowd.finish().await;
    print_stats(&format!("one of two replicas was killed {kills} times"), &tally);
    assert_sound(&tally);
    assert_consistent(&pair.program.data.open().await, &tally).await;
}
