//! The daily comparison of grants with their sign-ins: it finds what only a manual change of the database can cause.

use std::time::Duration;

use flows::invariant_check::{self, InvariantCheckResult};
use store::Sql;
use vestibule_tests::{app::TestApp, db::Engine, metrics::Scrape};

use crate::engines::{apply, both_engines};

/// Changes one sign-in and its grant to a state that the program never writes.
async fn tamper(app: &TestApp, statements: &'static [&'static str]) {
    let tampered = app.replica_db().write(async |tx| {
        for statement in statements {
            tx.q(statement).execute().await?;
        }
        Ok::<_, store::Error>(())
    });
    tampered.await.expect("the statements run");
}

#[apply(both_engines)]
async fn unproven_grant_raises_alarm(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, mere) = (app.client("portal").await, app.patient("Mere").await);
    app.patient("Hemi").await;
    app.browser().sign_in(&app, &client, &mere).await;
    app.browser().sign_in(&app, &client, &mere).await;
    let fine = InvariantCheckResult { checked: 2, unproven: 0 };
    assert_eq!(invariant_check::run(&app.cx()).await.unwrap(), fine);
    assert_eq!(invariant_check::run_if_due(&app.cx()).await.unwrap(), None, "once a day is enough");
    tamper(
        &app,
        &["UPDATE grants SET user_id = (SELECT id FROM users WHERE email LIKE 'hemi%')
                        WHERE id = (SELECT id FROM grants ORDER BY id LIMIT 1)"],
    )
    .await;
    app.clock.advance(Duration::from_hours(25));
    assert_eq!(
        invariant_check::run_if_due(&app.cx()).await.unwrap(),
        Some(InvariantCheckResult { checked: 2, unproven: 1 })
    );
    assert_eq!(app.audit_outcomes("grant.unproven").await, ["found"]);
    let scrape = Scrape::fetch(app.first()).await;
    assert_eq!(scrape.value("vestibule_unproven_grants", &[]), Some(1.0), "{}", scrape.text);
    // Every replica exports it, even after a restart: it is in the database.
    let other = app.replica().await;
    assert_eq!(Scrape::fetch(&other).await.value("vestibule_unproven_grants", &[]), Some(1.0));
    other.stop().await;
}

/// The schema refuses such a row, so the test drops the CHECK first.
#[apply(both_engines)]
async fn removed_second_step_is_found(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    app.browser().sign_in(&app, &client, &patient).await;
    tamper(
        &app,
        match engine {
            Engine::Sqlite => &[
                "PRAGMA ignore_check_constraints = ON",
                "UPDATE sign_ins SET second = NULL, second_at = NULL",
            ],
            Engine::Postgres => &[
                "ALTER TABLE sign_ins DROP CONSTRAINT two_steps",
                "UPDATE sign_ins SET second = NULL, second_at = NULL",
            ],
        },
    )
    .await;
    assert_eq!(invariant_check::run(&app.cx()).await.unwrap().unproven, 1);
}

#[apply(both_engines)]
async fn grant_older_than_steps_is_found(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    app.browser().sign_in(&app, &client, &patient).await;
    // A difference within the tolerance for clocks of replicas is no finding.
    tamper(&app, &["UPDATE grants SET created_at = created_at - 4000"]).await;
    assert_eq!(invariant_check::run(&app.cx()).await.unwrap().unproven, 0);
    tamper(&app, &["UPDATE grants SET created_at = created_at - 60000"]).await;
    assert_eq!(invariant_check::run(&app.cx()).await.unwrap().unproven, 1);
}
