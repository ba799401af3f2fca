//! Two replicas on PostgreSQL and Redis: what may happen once happens once, whichever of them is asked.

use std::time::{Duration, Instant};

use flows::settings::{self, Change};
use futures_util::future::join_all;
use vestibule_tests::{
    app::{Replica, TestApp},
    client::{Client, Landed, Pending, userinfo},
    db::Engine,
    http::HttpBrowser,
    on_both_engines,
};

/// Sign-ins of one person with a session, all silent: one code each.
async fn codes(browser: &HttpBrowser, app: &TestApp, client: &Client, count: usize) -> Vec<Landed> {
    let mut landed = Vec::new();
    for _ in 0..count {
        let pending = Pending::new(client);
        let url = pending.url(app.issuer(), &[("prompt", "none")]);
        landed.push(browser.get(url).await.landed(pending));
    }
    landed
}

/// A thousand codes of a client, each redeemed at both replicas at once: one winner each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_codes_each_redeemed_at_both() {
    let app = TestApp::start(Engine::Postgres).await;
    app.set("sign_in.posts_per_minute", "100000").await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let other = app.replica().await;
    let browser = app.browser();
    browser.sign_in(&app, &client, &patient).await;
    let (here, there) = (app.browser(), app.browser_at(&other));
    let (mut winners, mut losers, begun) = ([0, 0], 0, Instant::now());
    for _ in 0..100 {
        let landed = codes(&browser, &app, &client, 10).await;
        let races = landed.iter().map(|landed| async {
            let (one, two) =
                tokio::join!(client.redeem_with(&here, landed), client.redeem_with(&there, landed));
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

/// One right code of a mail, posted to both replicas at once: one sign-in, and both answers lead to the same end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mailed_code_posted_to_both() {
    let app = TestApp::start(Engine::Postgres).await;
    app.set("sign_in.sends_per_hour", "1000").await;
    app.set("sign_in.sends_per_day", "1000").await;
    app.set("sign_in.posts_per_minute", "100000").await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let other = app.replica().await;
    for round in 1..=20 {
        let browser = app.browser();
        let (page, code, pending) = browser.up_to_code(&app, &client, &patient).await;
        let form = page.form().with("code", &code);
        let (here, there) = (browser.copied(), browser.copied().sent_to(other.address));
        let (one, two) = tokio::join!(here.post(&form, "continue"), there.post(&form, "continue"));
        assert_eq!(app.count("SELECT COUNT(*) FROM sign_ins").await, round);
        let mut alive = 0;
        for (browser, answer) in [(&here, one), (&there, two)] {
            let answer = browser.follow(answer).await;
            let landed = answer.landed(pending.clone());
            alive += i32::from(client.redeem_with(browser, &landed).await.status == 200);
        }
        // The later answer's code voids the earlier's, unless that was redeemed already.
        assert!(alive == 1, "round {round}: {alive} codes were good");
    }
    other.stop().await;
}

/// Waits until `there` says so; how long it took.
async fn within_two_seconds(what: &str, mut there: impl AsyncFnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !there().await {
        assert!(begun.elapsed() < Duration::from_secs(2), "{what}: not within two seconds");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    begun.elapsed()
}

async fn is_signed_in(browser: &HttpBrowser, app: &TestApp, client: &Client) -> bool {
    let pending = Pending::new(client);
    let url = pending.url(app.issuer(), &[("prompt", "none")]);
    browser.get(url).await.landed(pending).url.query_pairs().any(|(name, _)| name == "code")
}

on_both_engines! {
    /// Settings and revocations are in force on every replica within two seconds.
    async fn a_change_is_in_force_at_both(engine) {
        let app = TestApp::start(engine).await;
        let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
        let other: Replica = app.replica().await;
        let live = async || other.app.live.snapshot();
        let change = Change { name: "sign_in.code_window", value: "20m", reason: "patients asked for it" };
        settings::set(&app.cx(), change).await.unwrap().unwrap();
        let setting = within_two_seconds("setting", async || live().await.settings.code_window == Duration::from_mins(20)).await;
        app.client("late").await;
        let client_there = within_two_seconds("client", async || live().await.clients.get("late").is_some()).await;
        let browser = app.browser();
        let there = browser.sent_to(other.address);
        let landed = browser.sign_in(&app, &client, &patient).await;
        let tokens = client.tokens(&app, &landed).await;
        assert!(is_signed_in(&there, &app, &client).await);
        app.reset(&patient).await;
        let session = within_two_seconds("reset", async || !is_signed_in(&there, &app, &client).await).await;
        let access = tokens["access_token"].as_str().unwrap().to_owned();
        let token = within_two_seconds("token", async || userinfo(&app, &access).await.status == 401).await;
        println!("{engine:?}: setting {setting:?}, client {client_there:?}, reset {session:?}, token {token:?}");
        other.stop().await;
    }
}
