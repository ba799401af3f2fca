//! Two replicas on one database: what one changes, the other follows.

use std::time::Duration;

use flows::settings::{self, Change};
use vestibule_tests::{app::TestApp, db::Engine, starvation_probe::StarvationProbe, wait};

use crate::engines::{apply, both_engines};

/// The window is a live setting: applied to codes already sent, on every replica within two seconds.
#[apply(both_engines)]
async fn a_changed_code_window_reaches_a_running_replica(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let other = app.replica().await;
    let browser = app.browser_at(&other);
    let (page, code, pending) = browser.up_to_code(&app, &client, &patient).await;
    app.settled().await;
    app.clock.advance(Duration::from_mins(17));
    // Written by a command, not by the replica that serves.
    let change =
        Change { name: "sign_in.code_window", value: "20m", reason: "patients asked for it" };
    settings::set(&app.cx(), change).await.unwrap().unwrap();
    let probe = StarvationProbe::start();
    let changed = probe.stopwatch();
    let window = async || other.app.live.snapshot().settings.code_window;
    wait::until_equal("the window", Duration::from_mins(20), window).await;
    let (wall, net) = (changed.wall(), changed.net());
    println!("{engine:?}: in force on a running replica after {wall:?}, {net:?} not starved");
    assert!(net < Duration::from_secs(2), "not within two seconds: {net:?} of {wall:?}");
    // 17 minutes after it was sent, the code of a 15-minute window works.
    browser.code(&page, &code).await.landed(pending).code();
    let history = settings::history(&app.cx(), "sign_in.code_window").await.unwrap().unwrap();
    assert_eq!((history[0].before.as_str(), history[0].value.as_str()), ("15m", "20m"));
    settings::undo(&app.cx(), "sign_in.code_window", "").await.unwrap().unwrap();
    app.refresh().await;
    assert_eq!(app.app().live.snapshot().settings.code_window, Duration::from_mins(15));
    assert_eq!(app.outcomes("setting.changed").await.len(), 2);
    other.stop().await;
}

/// A sign-in may begin on one replica and end on another.
#[apply(both_engines)]
async fn steps_of_one_attempt_on_two_replicas(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let other = app.replica().await;
    other.app.live.refresh(&other.app.db, &other.app.root).await.unwrap();
    let (here, there) = (app.browser(), app.browser_at(&other));
    let (page, pending) = here.start(&client).await;
    there.set_cookie("browser", &here.cookie("browser").unwrap());
    let page = there.password(&page, &patient).await;
    let code = app.mail.code(&patient.email, 1).await;
    let answer = here.code(&page, &code).await;
    client.tokens(&app, &answer.landed(pending)).await;
}
