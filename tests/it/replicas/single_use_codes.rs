//! Two replicas on PostgreSQL and Redis: single use holds across both.

use std::time::Instant;

use futures_util::future::join_all;
use vestibule_tests::{
    app::TestApp,
    client::{AuthorizationResponse, Client, PendingRequest},
    db::Engine,
    http::HttpBrowser,
};

/// Silent sign-ins of one person with a session: one code each.
async fn codes(
    browser: &HttpBrowser,
    app: &TestApp,
    client: &Client,
    count: usize,
) -> Vec<AuthorizationResponse> {
    let mut landed = Vec::new();
    for _ in 0..count {
        let pending = PendingRequest::new(client);
        let url = pending.url(app.issuer(), &[("prompt", "none")]);
        landed.push(browser.get(url).await.authorization_response(pending));
    }
    landed
}

/// A thousand codes of a client, each redeemed at both replicas at once: each succeeds once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_redemption_has_one_winner() {
    let app = TestApp::start(Engine::Postgres).await;
    for name in ["posts_per_minute_ipv6_48", "posts_per_minute", "sends_per_day", "sends_per_hour"]
    {
        app.set_setting(&format!("sign_in.{name}"), "100000").await;
    }
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let other = app.replica().await;
    let mut browser = app.browser();
    let (here, there) = (app.browser(), app.browser_at(&other));
    let (mut winners, mut losers, begun) = ([0, 0], 0, Instant::now());
    for round in 0..200 {
        // A session gets 60 codes in a minute without a page, and its newest five are good.
        if round % 12 == 0 {
            browser = app.browser();
            browser.sign_in(&app, &client, &patient).await;
        }
        let landed = codes(&browser, &app, &client, 5).await;
        let races = landed.iter().map(|landed| async {
            let (one, two) =
                tokio::join!(client.redeem_at(&here, landed), client.redeem_at(&there, landed));
            [one, two]
        });
        for race in join_all(races).await {
            let won = race.each_ref().map(|answer| answer.status == 200);
            assert!(won[0] != won[1], "one winner: {} {}", race[0].body, race[1].body);
            winners[usize::from(won[1])] += 1;
            losers += race
                .iter()
                .filter(|a| a.status == 400 && a.json()["error"] == "invalid_grant")
                .count();
        }
    }
    println!(
        "1,000 codes at both replicas: {winners:?} won, {losers} refused, {:?}",
        begun.elapsed()
    );
    assert_eq!((winners[0] + winners[1], losers), (1000, 1000));
    assert!(winners.iter().all(|won| *won > 0), "it was a race: {winners:?}");
    assert_eq!(app.count("SELECT COUNT(*) FROM audit WHERE event = 'token.issued'").await, 1000);
    other.stop().await;
}

/// One right code of a mail, posted to both replicas at once: one sign-in, and both answers lead to the same result.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_mailed_code_signs_in_once() {
    let app = TestApp::start(Engine::Postgres).await;
    app.set_setting("sign_in.sends_per_day", "1000").await;
    app.set_setting("sign_in.sends_per_hour", "1000").await;
    app.set_setting("sign_in.posts_per_minute_ipv6_48", "100000").await;
    app.set_setting("sign_in.posts_per_minute", "100000").await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let other = app.replica().await;
    for round in 1..=20 {
        let browser = app.browser();
        let (page, code, pending) = browser.sign_in_to_code_page(&app, &client, &patient).await;
        let form = page.form().with("code", &code);
        let (here, there) = (
            browser.with_copied_cookies(),
            browser.with_copied_cookies().at_replica(other.address),
        );
        let (one, two) = tokio::join!(here.post(&form, "continue"), there.post(&form, "continue"));
        assert_eq!(app.count("SELECT COUNT(*) FROM sign_ins").await, round);
        let mut alive = 0;
        for (browser, answer) in [(&here, one), (&there, two)] {
            let answer = browser.follow(answer).await;
            let landed = answer.authorization_response(pending.clone());
            alive += i32::from(client.redeem_at(browser, &landed).await.status == 200);
        }
        // The code of the later answer revokes that of the earlier one, unless it was redeemed already.
        assert!(alive == 1, "round {round}: {alive} codes were valid");
    }
    other.stop().await;
}
