//! What spends the site's guess budget, and what is charged while it is spent (misuse case 14).

use vestibule_tests::{app::TestApp, db::Engine};

use super::limits::{behind_a_proxy, from, later, wrong};
use crate::engines::{apply, both_engines};

/// What the replica sees of the gauge.
async fn gauge(app: &TestApp) -> i64 {
    let live = &app.app().live;
    live.gauge(&app.app().db, app.app().clock.now()).await.unwrap();
    live.wrong_codes()
}

/// Otherwise one account whose owner mistypes, again and again, would spend what the whole site has.
#[apply(both_engines)]
async fn a_completed_sign_in_takes_its_wrong_codes_back(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let other = app.patient("Hemi").await;
    let thief = from(&app, "203.0.113.9");
    let (page, code, _) = thief.up_to_code(&app, &client, &other).await;
    thief.code(&page, &wrong(&code, 0)).await;
    assert_eq!(gauge(&app).await, 1);
    let home = from(&app, "198.51.100.1");
    let (page, code, pending) = home.up_to_code(&app, &client, &patient).await;
    for guess in [wrong(&code, 0), wrong(&code, 1), wrong(&code, 1), "12345".to_owned()] {
        home.code(&page, &guess).await;
    }
    assert_eq!(
        gauge(&app).await,
        3,
        "the same one counts once, and what cannot be a code not at all"
    );
    home.code(&page, &code).await.landed(pending).code();
    assert_eq!(gauge(&app).await, 1, "its own, and nobody else's");
}

/// They feel nothing of it, so they spend nothing of it.
#[apply(both_engines)]
async fn known_devices_spend_nothing_of_it(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let home = from(&app, "198.51.100.1");
    home.sign_in(&app, &client, &patient).await;
    let browser = later(&home);
    let (page, code, _) = browser.up_to_code(&app, &client, &patient).await;
    for nth in 0..3 {
        browser.code(&page, &wrong(&code, nth)).await;
    }
    assert_eq!(gauge(&app).await, 0);
}

/// A stranger who has had the guesses of the day is told so, and pays for nothing that is not judged.
#[apply(both_engines)]
async fn what_is_not_judged_is_not_charged(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let (client, other) = (app.client("portal").await, app.patient("Hemi").await);
    app.set("sign_in.guess_budget", "1").await;
    let thief = from(&app, "203.0.113.9");
    let (page, code, _) = thief.up_to_code(&app, &client, &other).await;
    thief.code(&page, &wrong(&code, 0)).await;
    assert_eq!(gauge(&app).await, 1);
    let victim = app.patient("Mere").await;
    let mut pages = Vec::new();
    for network in 1..=2 {
        let thief = from(&app, &format!("203.0.113.{network}"));
        let (page, code, _) = thief.up_to_code(&app, &client, &victim).await;
        pages.push((thief, page, code));
    }
    let (first, page, code) = &pages[0];
    for nth in 0..2 {
        first.code(page, &wrong(code, nth)).await;
    }
    let (second, page, code) = &pages[1];
    second.code(page, &wrong(code, 0)).await;
    let mut spent = Vec::new();
    for nth in 1..4 {
        let tries = app.count("SELECT CAST(SUM(tries) AS BIGINT) FROM email_challenges").await;
        let codes = "SELECT CAST(SUM(spent) AS BIGINT) FROM throttles WHERE kind = 'code'";
        spent.push((tries, app.count(codes).await));
        let refused = second.code(page, &wrong(code, nth)).await;
        assert!(
            refused.status == 429 && refused.says("There were too many wrong codes"),
            "{}",
            refused.text()
        );
    }
    assert!(spent.windows(2).all(|pair| pair[0] == pair[1]), "{spent:?}");
    // The guess that was judged before is still told what it was told.
    assert!(second.code(page, &wrong(code, 0)).await.status == 200);
}
