//! Two replicas on one database: a change by one takes effect at the other.

use std::time::Duration;

use flows::settings::{self, Setting};
use vestibule_tests::{
    app::TestApp, db::Engine, starvation_probe::StarvationProbe, test_actor, wait,
};

use crate::engines::{apply, both_engines};

/// The window is a live setting: it applies to codes that were already sent, at every replica within two seconds.
#[apply(both_engines)]
async fn setting_change_reaches_running_replica(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let other = app.replica().await;
    let browser = app.browser_at(&other);
    let (page, code, pending) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    app.wait_for_jobs().await;
    app.clock.advance(Duration::from_mins(17));
    // A command writes the setting, not the replica that serves.
    let setting = Setting::find("sign_in.code_window").unwrap();
    settings::set(&app.cx(), &test_actor(), setting, "20m").await.unwrap().unwrap();
    let probe = StarvationProbe::start();
    let changed = probe.stopwatch();
    let window = async || other.app.live.snapshot().settings.code_window;
    wait::until_equal("the window", Duration::from_mins(20), window).await;
    let (wall, net) = (changed.wall(), changed.net());
    println!("{engine:?}: in force on a running replica after {wall:?}, {net:?} not starved");
    assert!(net < Duration::from_secs(2), "not within two seconds: {net:?} of {wall:?}");
    // 17 minutes after it was sent, the code works: its window was 15 minutes before the change.
    browser.submit_code(&page, &code).await.authorization_response(pending).code();
    let history = settings::history(&app.cx(), Some(setting)).await.unwrap();
    assert_eq!((history[0].before.as_str(), history[0].value.as_str()), ("15m", "20m"));
    settings::undo(&app.cx(), &test_actor(), setting).await.unwrap().unwrap();
    app.refresh().await;
    assert_eq!(app.app().live.snapshot().settings.code_window, Duration::from_mins(15));
    assert_eq!(app.audit_outcomes("setting.changed").await.len(), 2);
    other.stop().await;
}

async fn run(app: &TestApp, sql: &'static str) {
    app.replica_db().write(async |tx| store::Sql::q(tx, sql).execute().await).await.unwrap();
}

/// A draft occupies its version number, so that no other change gets it, and has no effect until it is applied.
#[apply(both_engines)]
async fn draft_setting_is_not_applied(engine: Engine) {
    let app = TestApp::start(engine).await;
    let setting = Setting::find("sign_in.code_window").unwrap();
    settings::set(&app.cx(), &test_actor(), setting, "20m").await.unwrap().unwrap();
    let draft = "INSERT INTO document_versions (kind, name, version, value, before, actor, reason, at)
                 VALUES ('setting', 'sign_in.code_window', 2, '30m', '20m', 'cli:mere', 'to be decided', 0)";
    run(&app, draft).await;
    run(&app, "UPDATE revisions SET version = version + 1").await;
    app.refresh().await;
    let window = || app.app().live.snapshot().settings.code_window;
    assert_eq!(window(), Duration::from_mins(20));
    let versions = async || {
        let history = settings::history(&app.cx(), Some(setting)).await.unwrap();
        history.iter().map(|row| row.version).collect::<Vec<_>>()
    };
    assert_eq!(versions().await, [1]);
    let third = settings::set(&app.cx(), &test_actor(), setting, "25m").await.unwrap().unwrap();
    let third = third.expect("another value");
    assert_eq!((third.version, third.before.as_str()), (3, "20m"));
    let undone = settings::undo(&app.cx(), &test_actor(), setting).await.unwrap().unwrap();
    assert_eq!((undone.undoes, undone.value.as_str()), (Some(3), "20m"));
    assert_eq!(versions().await, [4, 3, 1]);
    // A document of another kind may have the same name.
    run(&app, "INSERT INTO document_versions (kind, name, version, value, before, actor, reason, at, applied_at)
             VALUES ('rule', 'sign_in.code_window', 5, '60m', '', 'cli:mere', '', 0, 0)")
        .await;
    run(&app, "UPDATE revisions SET version = version + 1").await;
    app.refresh().await;
    assert_eq!(window(), Duration::from_mins(20));
}

/// A sign-in may begin on one replica and end on another.
#[apply(both_engines)]
async fn attempt_continues_on_other_replica(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let other = app.replica().await;
    other.app.live.refresh(&other.app.db, &other.app.root).await.unwrap();
    let (here, there) = (app.browser(), app.browser_at(&other));
    let (page, pending) = here.open_sign_in_page(&client).await;
    there.set_cookie("browser", &here.cookie("browser").unwrap());
    let page = there.submit_password(&page, &patient).await;
    let code = app.mail.wait_for_code(&patient.email, 1).await;
    let answer = here.submit_code(&page, &code).await;
    client.redeem_tokens(&app, &answer.authorization_response(pending)).await;
}
