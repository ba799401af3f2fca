//! The clock of one of two replicas is set wrong by 90 seconds.

use std::time::{Duration, Instant};

use idp::{
    clock::ClockShift,
    serve::{LeaseError, SingleInstanceLease},
};
use store::Sql;
use vestibule_tests::{
    app::{Replica, TestApp},
    client::PendingRequest,
    crowd::Crowd,
    db::Engine,
    wait,
};

use super::{assert_consistent, assert_sound, print_stats, rounds};
use crate::engines::{apply, both_engines};

const SKEW: Duration = Duration::from_secs(90);

fn skew_clock(clock_shift: &ClockShift, ahead: bool) {
    if ahead {
        clock_shift.advance(SKEW);
    } else {
        clock_shift.set_back(SKEW);
    }
}

/// Waits until a replica detects that its clock is off (or right again): at most two checks and their duration. Returns how
/// long it took.
async fn until_off(replica: &Replica, off: bool) -> Duration {
    let begun = Instant::now();
    let seen = async || replica.app.live.clock_is_off();
    wait::until_equal("the clock of the replica is off", off, seen).await;
    begun.elapsed()
}

/// People sign in at both replicas all the time, even in the second before the check detects it.
#[apply(both_engines)]
async fn clock_step_under_load_loses_nothing(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (other, clock_shift) = app.replica_with_own_clock().await;
    let crowd = Crowd::start(&app, vec![app.first().address, other.address], 4).await;
    crowd.wait_for_sign_ins(2).await;
    for ahead in [true, false].repeat(rounds() as usize) {
        let before = crowd.stats().repeated;
        skew_clock(&clock_shift, ahead);
        let known = until_off(&other, true).await;
        println!(
            "{engine:?}: {} by {SKEW:?}, detected after {known:?}",
            if ahead { "ahead" } else { "behind" }
        );
        crowd.until("the clock is off", |tally| tally.repeated > before).await;
        skew_clock(&clock_shift, !ahead);
        until_off(&other, false).await;
        crowd.wait_for_sign_ins(2).await;
    }
    crowd.mark_fault_over();
    crowd.wait_for_sign_ins(6).await;
    let tally = crowd.finish().await;
    print_stats(
        &format!("{engine:?}: the clock of one of two was set by {SKEW:?}, ahead and behind"),
        &tally,
    );
    assert_sound(&tally);
    assert_consistent(app.replica_db(), &tally).await;
    other.stop().await;
}

/// To a replica that starts with a wrong clock, every lease would look expired: it takes none from a live holder, and
/// reports why.
#[apply(both_engines)]
async fn wrong_clock_takes_no_live_lease(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (other, clock_shift) = app.replica_with_own_clock().await;
    SingleInstanceLease::acquire(app.app()).await.unwrap();
    skew_clock(&clock_shift, true);
    until_off(&other, true).await;
    assert!(matches!(SingleInstanceLease::acquire(&other.app).await, Err(LeaseError::ClockOff)));
    let held = "SELECT COUNT(*) FROM leases WHERE name = 'memory-counters'";
    assert_eq!(app.count(held).await, 1);
    let (holder,): (String,) = app
        .replica_db()
        .read()
        .await
        .unwrap()
        .q("SELECT holder FROM leases WHERE name = 'memory-counters'")
        .fetch_one()
        .await
        .unwrap();
    assert_eq!(holder, app.app().instance_id);
    other.stop().await;
}

#[apply(both_engines)]
async fn replica_with_wrong_clock_answers_503(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let (other, clock_shift) = app.replica_with_own_clock().await;
    for ahead in [true, false] {
        let right = app.browser();
        let wrong = right.at_replica(other.address);
        let (page, code, pending) = right.sign_in_to_code_page(&app, &client, &patient).await;
        skew_clock(&clock_shift, ahead);
        println!("{engine:?}: detected after {:?}", until_off(&other, true).await);
        // This replica refuses whatever depends on the time; the other one serves everything.
        let refused = wrong.post(&page.form().with("code", &code), "continue").await;
        assert_eq!(
            (refused.status.as_u16(), refused.header("retry-after")),
            (503, "2"),
            "{}",
            refused.text()
        );
        assert!(refused.has_text("try again"), "{}", refused.text());
        assert_eq!(
            wrong.get(PendingRequest::new(&client).url(app.issuer(), &[])).await.status,
            503
        );
        assert_eq!(
            wrong.get("/oauth2/jwks").await.status,
            200,
            "the key set does not depend on the time"
        );
        let ready = reqwest::get(format!("http://{}/readyz", other.ops)).await.unwrap();
        let why = ready.text().await.unwrap();
        assert!(why.contains("clock"), "{why}");
        let landed = right.submit_code(&page, &code).await.authorization_response(pending);
        // A code that the right clock considers expired is not redeemed by the clock that is behind.
        let late = client.try_redeem(&wrong, &landed).await.unwrap();
        assert_eq!(late.status, 503, "{}", late.body);
        client.redeem_tokens(&app, &landed).await;
        skew_clock(&clock_shift, !ahead);
        until_off(&other, false).await;
        // With the right clock it serves again, and what was used stays used.
        let again = client.try_redeem(&wrong, &landed).await.unwrap();
        assert_eq!(again.json()["error"], "invalid_grant");
        assert_eq!(
            wrong.get(PendingRequest::new(&client).url(app.issuer(), &[])).await.status,
            303
        );
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM sign_ins").await, 2);
    other.stop().await;
}
