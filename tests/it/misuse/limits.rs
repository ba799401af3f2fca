//! Misuse cases 7, 14, 18, 53 and 54: limits that slow guessing down, and that a stranger cannot turn against the owner.

use std::time::Duration;

use vestibule_tests::{
    app::{Options, Patient, TestApp},
    client::Client,
    db::Engine,
    http::{HttpBrowser, Response},
    test_actor,
};

use crate::engines::{apply, both_engines};

/// A provider behind a proxy that sends the clients' addresses.
pub(super) async fn behind_a_proxy(engine: vestibule_tests::db::Engine) -> TestApp {
    TestApp::start_with(engine, Options { proxies: vec!["127.0.0.0/8"], ..Options::default() })
        .await
}

/// A browser with an address of its own.
pub(super) fn browser_from(app: &TestApp, address: &str) -> HttpBrowser {
    let mut browser = app.browser();
    browser.extra_headers.push(("x-forwarded-for", address.to_owned()));
    browser
}

/// The same browser on another day: its device is known, and it is not signed in.
pub(super) fn without_session(browser: &HttpBrowser) -> HttpBrowser {
    let later = browser.with_copied_cookies();
    later.set_cookie("session", "");
    later
}

pub(super) fn with_wrong_password(patient: &Patient) -> Patient {
    Patient { password: "not the password of anybody".to_owned(), ..patient.clone() }
}

pub(super) async fn guess(browser: &HttpBrowser, client: &Client, patient: &Patient) -> Response {
    let (page, _) = browser.open_sign_in_page(client).await;
    browser.submit_password(&page, &with_wrong_password(patient)).await
}

pub(super) fn wrong_code(code: &str, nth: usize) -> String {
    let number: usize = code.parse().unwrap();
    format!("{:06}", (number + 1 + nth) % 1_000_000)
}

/// A device cookie belongs to one account and one browser; it replaces no step and no session.
#[apply(both_engines)]
async fn case_7_known_device_proves_nothing(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let client = app.client("portal").await;
    let (mere, hemi) = (app.patient("Mere").await, app.patient("Hemi").await);
    app.set_setting("sign_in.password_failures", "3").await;
    let home = browser_from(&app, "198.51.100.1");
    home.sign_in(&app, &client, &mere).await;
    let device = home.cookie("device").expect("a completed sign-in sets it");
    // Alone it is neither a session nor a step.
    let thief = browser_from(&app, "198.51.100.9");
    thief.set_cookie("device", &device);
    let (page, _) = thief.open_sign_in_page(&client).await;
    assert!(page.has_field("password"));
    assert!(thief.submit_password(&page, &with_wrong_password(&mere)).await.has_field("password"));
    // Strangers have used up their tries at both accounts.
    for who in [&mere, &hemi] {
        for nth in 0..3 {
            guess(&browser_from(&app, &format!("203.0.113.{nth}")), &client, who).await;
        }
        assert_eq!(guess(&browser_from(&app, "203.0.113.77"), &client, who).await.status, 429);
    }
    // Mere's device is worthless for Hemi's account, and so is a forged or a truncated one.
    let forged = format!("{}{}", "A".repeat(43), &device[43..]);
    for value in [device.as_str(), &forged, &device[..60], "x", &format!("{device}.{device}")] {
        let browser = browser_from(&app, "198.51.100.10");
        browser.set_cookie("device", value);
        let (page, _) = browser.open_sign_in_page(&client).await;
        assert_eq!(browser.submit_password(&page, &hemi).await.status, 429, "{value}");
    }
    let (page, _) = without_session(&home).open_sign_in_page(&client).await;
    assert!(
        without_session(&home).submit_password(&page, &mere).await.has_field("code"),
        "hers works"
    );
    // Only its hash is stored.
    let stored = app.count("SELECT COUNT(*) FROM devices").await;
    assert_eq!(stored, 1);
}

#[apply(both_engines)]
async fn case_7_reset_or_time_ends_device(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let client = app.client("portal").await;
    let patient = app.patient("Mere").await;
    app.set_setting("sign_in.password_failures", "3").await;
    let home = browser_from(&app, "198.51.100.1");
    home.sign_in(&app, &client, &patient).await;
    let lock = async || {
        for nth in 0..3 {
            guess(&browser_from(&app, &format!("203.0.113.{nth}")), &client, &patient).await;
        }
    };
    let gets_in = async || {
        let browser = without_session(&home);
        let (page, _) = browser.open_sign_in_page(&client).await;
        let answer = browser.submit_password(&page, &patient).await;
        // The mail has to arrive before a test waits for the next one.
        app.wait_for_jobs().await;
        (answer.has_field("code"), format!("{}: {}", answer.status, answer.text()))
    };
    lock().await;
    let (admitted, text) = gets_in().await;
    assert!(admitted, "known: {text}");
    let address = flows::email::EmailAddress::parse(&patient.email).unwrap();
    let gone = flows::device::forget_all(&app.cx(), &test_actor(), &address).await.unwrap();
    assert_eq!(gone, Some(1));
    let (admitted, text) = gets_in().await;
    assert!(!admitted, "forgotten, so a stranger: {text}");
    assert_eq!(app.audit_outcomes("user.devices_forgotten").await, ["ok"]);
    // Known again, and invalidated by the new epoch after a forced reset.
    app.clock.advance(Duration::from_hours(2));
    home.sign_in(&app, &client, &patient).await;
    app.force_reset(&patient).await;
    lock().await;
    let (admitted, text) = gets_in().await;
    assert!(!admitted, "from before the reset: {text}");
    // Known once more, for ninety days.
    app.clock.advance(Duration::from_hours(2));
    let (page, code, pending) = home.sign_in_to_code_page(&app, &client, &patient).await;
    let page = home.submit_code(&page, &code).await;
    let form = page.form().with("new_password", "a walk along the river at noon");
    home.follow(home.post(&form, "continue").await).await.authorization_response(pending).code();
    let patient =
        Patient { password: "a walk along the river at noon".to_owned(), ..patient.clone() };
    app.clock.advance(Duration::from_hours(24 * 91));
    for nth in 0..3 {
        guess(&browser_from(&app, &format!("203.0.113.{nth}")), &client, &patient).await;
    }
    let browser = without_session(&home);
    let (page, _) = browser.open_sign_in_page(&client).await;
    assert_eq!(browser.submit_password(&page, &patient).await.status, 429, "too old");
}

/// A family with one computer: five accounts, and the browser is a known device of each.
#[apply(both_engines)]
async fn one_browser_knows_several_accounts(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let client = app.client("portal").await;
    let browser = browser_from(&app, "198.51.100.1");
    let mut family = Vec::new();
    for name in ["Mere", "Hemi", "Aroha", "Tama", "Kiri"] {
        family.push(app.patient(name).await);
    }
    for person in &family {
        sign_in_without_session(&app, &browser, &client, person).await;
    }
    // Another sign-in: a new value replaces the old one.
    sign_in_without_session(&app, &browser, &client, &family[0]).await;
    assert_eq!(app.count("SELECT COUNT(*) FROM devices").await, 5);
    assert_eq!(browser.cookie("device").unwrap().split('.').count(), 5);
    app.set_setting("sign_in.password_failures", "3").await;
    for person in &family {
        for nth in 0..3 {
            guess(&browser_from(&app, &format!("203.0.113.{nth}")), &client, person).await;
        }
        let (page, _) = without_session(&browser).open_sign_in_page(&client).await;
        assert!(
            without_session(&browser).submit_password(&page, person).await.has_field("code"),
            "{}",
            person.name
        );
    }
}

/// A stranger fails all day. The owner signs in as always and gets one mail, and the stranger's page says when to try again.
#[apply(both_engines)]
async fn case_54_strangers_cannot_lock_out_owner(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let client = app.client("portal").await;
    let patient = app.patient("Mere").await;
    let home = browser_from(&app, "198.51.100.1");
    home.sign_in(&app, &client, &patient).await;
    for nth in 0..30 {
        let answer =
            guess(&browser_from(&app, &format!("203.0.113.{nth}")), &client, &patient).await;
        if nth >= 10 {
            assert_eq!(answer.status, 429, "{nth}");
            assert!(answer.has_text("You can try again at"), "{}", answer.text());
            assert!(answer.header("retry-after").parse::<u64>().unwrap() <= 60);
            assert_eq!(answer.form().value("email"), patient.email, "the address is kept");
        }
    }
    let outcomes = app.audit_outcomes("password.checked").await;
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "wrong").count(), 10);
    let owner = without_session(&home);
    owner.sign_in(&app, &client, &patient).await;
    app.wait_for_jobs().await;
    let notices = || {
        let mails = app.mail.mails_to(&patient.email);
        mails.into_iter().filter(|mail| mail.subject.contains("Wrong passwords")).count()
    };
    assert_eq!(notices(), 1, "one mail");
    for nth in 0..30 {
        guess(&browser_from(&app, &format!("203.0.113.{nth}")), &client, &patient).await;
    }
    app.wait_for_jobs().await;
    assert_eq!(notices(), 1, "and no other on that day");
    // The owner's mistakes have a limit of their own: a wait that passes.
    app.set_setting("sign_in.password_failures", "3").await;
    for _ in 0..3 {
        guess(&without_session(&owner), &client, &patient).await;
    }
    assert_eq!(guess(&without_session(&owner), &client, &patient).await.status, 429);
    app.clock.advance(Duration::from_mins(1));
    without_session(&owner).sign_in(&app, &client, &patient).await;
}

/// One network, however long it tries, leaves tries to strangers elsewhere, such as the owner's new telephone.
#[apply(both_engines)]
async fn network_tries_spare_other_strangers(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let client = app.client("portal").await;
    let patient = app.patient("Mere").await;
    let attacker = browser_from(&app, "203.0.113.1");
    for nth in 0..12 {
        let answer = guess(&attacker, &client, &patient).await;
        assert_eq!(answer.status == 429, nth >= 10, "{nth}");
    }
    let phone = browser_from(&app, "198.51.100.2");
    phone.sign_in(&app, &client, &patient).await;
    // The strangers' count is cleared with it; the network that failed still has to wait.
    assert_eq!(guess(&attacker, &client, &patient).await.status, 429);
    assert!(guess(&browser_from(&app, "203.0.113.2"), &client, &patient).await.status != 429);
}

/// The code step: an attacker who has the password and guesses codes does not block the owner's codes.
#[apply(both_engines)]
async fn case_54_strangers_codes_never_pause_owner(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let client = app.client("portal").await;
    let patient = app.patient("Mere").await;
    app.set_setting("sign_in.resend_wait", "0s").await;
    let home = browser_from(&app, "198.51.100.1");
    home.sign_in(&app, &client, &patient).await;
    for network in 1..=2 {
        let thief = browser_from(&app, &format!("203.0.113.{network}"));
        let (page, code, _) = thief.sign_in_to_code_page(&app, &client, &patient).await;
        for nth in 0..5 {
            thief.submit_code(&page, &wrong_code(&code, nth)).await;
        }
    }
    // Ten wrong codes by strangers: strangers have to wait, even with the right code.
    let stranger = browser_from(&app, "203.0.113.3");
    let (start, _) = stranger.open_sign_in_page(&client).await;
    let paused = stranger.submit_password(&start, &patient).await;
    assert_eq!(paused.status, 429, "{}", paused.text());
    assert!(paused.header("retry-after").parse::<u64>().unwrap() > 3000);
    without_session(&home).sign_in(&app, &client, &patient).await;
    app.wait_for_jobs().await;
    let mails = app.mail.mails_to(&patient.email);
    assert!(
        mails.iter().any(|mail| mail.subject.contains("Wrong codes at your")),
        "a mail says that the password is known"
    );
}

/// Resend flooding by an attacker with the password: three mails an hour from one network, the page says when, and the
/// owner's own codes still arrive.
#[apply(both_engines)]
async fn case_18_inbox_flood_spares_owner(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let client = app.client("portal").await;
    let patient = app.patient("Mere").await;
    let home = browser_from(&app, "198.51.100.1");
    home.sign_in(&app, &client, &patient).await;
    let thief = browser_from(&app, "203.0.113.1");
    let (mut page, _, _) = thief.sign_in_to_code_page(&app, &client, &patient).await;
    assert_eq!(thief.post(&page.form(), "resend").await.status, 429, "not so soon");
    for _ in 0..12 {
        // A mail that is still being sent would count as lost, and be sent again.
        app.wait_for_jobs().await;
        app.clock.advance(Duration::from_mins(3));
        page = thief.follow(thief.post(&page.form(), "resend").await).await;
    }
    app.wait_for_jobs().await;
    // The owner's first code counts as a stranger's, too: the browser was not known yet. Its network was another one.
    assert_eq!(app.mail.codes_to(&patient.email).len(), 4, "three an hour for a network");
    assert!(page.has_text("You can ask for a code again"), "{}", page.text());
    without_session(&home).sign_in(&app, &client, &patient).await;
    assert_eq!(app.mail.codes_to(&patient.email).len(), 5);
}

/// One guess at each of many people: no person's counter grows much, but the site's does.
#[apply(both_engines)]
async fn case_14_site_guess_budget_limits_strangers(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let client = app.client("portal").await;
    app.set_setting("sign_in.guess_budget", "8").await;
    let known = app.patient("Mere").await;
    let home = browser_from(&app, "198.51.100.1");
    home.sign_in(&app, &client, &known).await;
    for nth in 0..8 {
        let patient = app.patient(&format!("Hemi {nth}")).await;
        let thief = browser_from(&app, &format!("203.0.113.{nth}"));
        let (page, code, _) = thief.sign_in_to_code_page(&app, &client, &patient).await;
        thief.submit_code(&page, &wrong_code(&code, 0)).await;
    }
    let live = &app.app().live;
    live.refresh_guess_count(&app.app().db, app.app().clock.now()).await.unwrap();
    assert_eq!(live.wrong_codes(), 8);
    // The alarm is raised once an hour.
    flows::guess_budget::alarm_if_exceeded(&app.cx()).await.unwrap();
    assert!(!flows::guess_budget::alarm_if_exceeded(&app.cx()).await.unwrap());
    assert_eq!(app.audit_outcomes("guess_budget.exceeded").await, ["exceeded"]);
    // Strangers have two guesses at a code, and three a day at a person; the right code still signs in.
    let victim = app.patient("Aroha").await;
    let thief = browser_from(&app, "203.0.113.50");
    let (page, code, pending) = thief.sign_in_to_code_page(&app, &client, &victim).await;
    thief.submit_code(&page, &wrong_code(&code, 0)).await;
    thief.submit_code(&page, &wrong_code(&code, 1)).await;
    assert_eq!(thief.submit_code(&page, &wrong_code(&code, 2)).await.status, 429);
    assert!(thief.submit_code(&page, &code).await.location().is_none());
    drop(pending);
    let other = browser_from(&app, "203.0.113.51");
    let (page, code, _) = other.sign_in_to_code_page(&app, &client, &victim).await;
    other.submit_code(&page, &wrong_code(&code, 0)).await;
    assert_eq!(other.submit_code(&page, &code).await.status, 429, "the fourth of the day");
    let newcomer = app.patient("Kiri").await;
    browser_from(&app, "198.51.100.7").sign_in(&app, &client, &newcomer).await;
    // A known device is not affected: five guesses as always.
    let mine = without_session(&home);
    let (page, code, pending) = mine.sign_in_to_code_page(&app, &client, &known).await;
    for nth in 0..4 {
        assert!(mine.submit_code(&page, &wrong_code(&code, nth)).await.has_field("code"), "{nth}");
    }
    mine.submit_code(&page, &code).await.authorization_response(pending).code();
    // The restriction ends by itself.
    app.clock.advance(Duration::from_hours(25));
    live.refresh_guess_count(&app.app().db, app.app().clock.now()).await.unwrap();
    assert_eq!(live.wrong_codes(), 0);
    assert!(!flows::guess_budget::alarm_if_exceeded(&app.cx()).await.unwrap());
}

/// Failures of networks are counted separately from posts, a completed sign-in refunds them, and known devices are exempt.
#[apply(both_engines)]
async fn network_failure_limit_spares_neighbours(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let client = app.client("portal").await;
    let patient = app.patient("Mere").await;
    for (name, value) in [("ipv4", "10"), ("ipv6_64", "10"), ("ipv6_48", "12")] {
        app.set_setting(&format!("sign_in.network_failures_{name}"), value).await;
    }
    app.set_setting("sign_in.password_failures", "100000").await;
    app.stop_clock_in_new_window();
    let exit = browser_from(&app, "203.0.113.1");
    exit.sign_in(&app, &client, &patient).await;
    // Nine mistakes and a sign-in, repeatedly: they are refunded.
    for _ in 0..3 {
        let hospital = browser_from(&app, "203.0.113.1");
        for _ in 0..9 {
            assert_ne!(guess(&hospital, &client, &patient).await.status, 429);
        }
        hospital.sign_in(&app, &client, &patient).await;
        app.clock.advance(Duration::from_secs(1));
        app.set_setting("sign_in.sends_per_day", "100").await;
        app.set_setting("sign_in.sends_per_hour", "100").await;
    }
    let unknown = Patient { email: "unknown@patients.example".to_owned(), ..patient.clone() };
    let attacker = browser_from(&app, "203.0.113.1");
    for _ in 0..10 {
        guess(&attacker, &client, &unknown).await;
    }
    let refused = guess(&attacker, &client, &unknown).await;
    assert_eq!(refused.status, 429);
    assert!(
        refused.has_text("IPv4 address") && refused.has_text("You can try again at"),
        "{}",
        refused.text()
    );
    assert_eq!(refused.form().value("email"), unknown.email);
    assert!(refused.header("retry-after").parse::<u64>().unwrap() <= 300);
    without_session(&exit).sign_in(&app, &client, &patient).await;
    // A household's /64, and the /48 around it.
    for nth in 0..12 {
        let neighbour = browser_from(&app, &format!("2001:db8:1:{nth}::1"));
        assert_ne!(guess(&neighbour, &client, &unknown).await.status, 429, "{nth}");
    }
    let refused = guess(&browser_from(&app, "2001:db8:1:ffff::1"), &client, &unknown).await;
    assert!(refused.status == 429 && refused.has_text("IPv6 /48"), "{}", refused.text());
    assert_ne!(guess(&browser_from(&app, "2001:db8:2::1"), &client, &unknown).await.status, 429);
    let mut conn = app.replica_db().read().await.unwrap();
    let rows: Vec<(String,)> = store::Sql::q(
        &mut conn,
        "SELECT detail FROM audit WHERE event = 'network.limited' ORDER BY id",
    )
    .fetch_all()
    .await
    .unwrap();
    assert!(
        rows[0].0.contains("IPv4 address") && rows[1].0.contains("2001:db8:1::/48"),
        "{rows:?}"
    );
    app.clock.advance(Duration::from_mins(5));
    assert_ne!(guess(&attacker, &client, &unknown).await.status, 429);
}

/// Over the post limit of a network a known device is still admitted; other pages say when to try again, and keep the
/// address.
#[apply(both_engines)]
async fn rate_limited_posts_admit_known_devices(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let client = app.client("portal").await;
    let patient = app.patient("Mere").await;
    let home = browser_from(&app, "203.0.113.1");
    home.sign_in(&app, &client, &patient).await;
    app.set_setting("sign_in.posts_per_minute", "10").await;
    app.stop_clock_in_new_window();
    let attacker = browser_from(&app, "203.0.113.1");
    let mut last = guess(&attacker, &client, &patient).await;
    for _ in 0..12 {
        last = guess(&attacker, &client, &patient).await;
    }
    assert_eq!(last.status, 429);
    assert_eq!(last.form().value("email"), patient.email);
    assert!(last.has_text("IPv4 address"), "{}", last.text());
    without_session(&home).sign_in(&app, &client, &patient).await;
}

/// A completed sign-in clears the failures of this network and of this device, and not what all strangers have: that
/// ends by time alone.
#[apply(both_engines)]
async fn completed_sign_in_clears_own_counters(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let client = app.client("portal").await;
    let patient = app.patient("Mere").await;
    let spent = "SELECT CAST(COALESCE(SUM(spent), 0) AS BIGINT) FROM throttles WHERE kind IN ('password', 'code')";
    let home = browser_from(&app, "198.51.100.1");
    for round in 0..2 {
        let browser = without_session(&home);
        for _ in 0..3 {
            guess(&browser, &client, &patient).await;
        }
        let (page, code, pending) = browser.sign_in_to_code_page(&app, &client, &patient).await;
        browser.submit_code(&page, &wrong_code(&code, 0)).await;
        assert!(app.count(spent).await >= 4, "{round}");
        browser.submit_code(&page, &code).await.authorization_response(pending).code();
        assert_eq!(app.count(spent).await, 4, "{round}: what all strangers have");
        home.set_cookie("device", &browser.cookie("device").unwrap());
    }
}

async fn sign_in_without_session(
    app: &TestApp,
    browser: &HttpBrowser,
    client: &Client,
    person: &Patient,
) {
    browser.set_cookie("session", "");
    browser.sign_in(app, client, person).await;
}
