//! Misuse case 53 over time: no counter of strangers moves by what only an account has. A stranger who watches the wait
//! of an address must not learn from its end that the address has an account, nor when its owner signs in. And what one
//! stranger takes of what all have.

use std::time::Duration;

use vestibule_tests::{
    app::{Patient, TestApp},
    client::Client,
    db::Engine,
};

use super::limits::{behind_a_proxy, browser_from, guess, without_session};
use crate::engines::{apply, both_engines};

const DAY: Duration = Duration::from_hours(24);

/// A stranger who watches an address with an account and one without, side by side.
struct Watcher<'a> {
    app: &'a TestApp,
    client: &'a Client,
    people: [&'a Patient; 2],
    networks: u8,
}

impl Watcher<'_> {
    /// One guess at each address, from a network that was not used before; returns the status, which is the same for
    /// both, as is every other part of the answer.
    async fn guess(&mut self, when: &str) -> u16 {
        self.networks += 1;
        self.guess_from(&format!("203.0.113.{}", self.networks), when).await
    }

    async fn guess_from(&self, address: &str, when: &str) -> u16 {
        let mut answers = Vec::new();
        for person in self.people {
            let page = guess(&browser_from(self.app, address), self.client, person).await;
            let text = page.text().replace(&person.email, "the address");
            answers.push((page.status, page.header("retry-after").to_owned(), text, page.masked()));
        }
        let [known, unknown] = answers.try_into().expect("two");
        assert_eq!(known, unknown, "{when}");
        known.0.as_u16()
    }

    /// Five guesses from each of two networks: strangers wait afterwards.
    async fn begin_wait(&self, when: &str) {
        for network in 1..=2 {
            for _ in 0..5 {
                self.guess_from(&format!("192.0.2.{network}"), when).await;
            }
        }
    }
}

/// The highest count of wrong passwords or codes.
const HIGHEST: &str =
    "SELECT CAST(COALESCE(MAX(spent), 0) AS BIGINT) FROM throttles WHERE kind = 'password'";

/// The owner signs in with a known device while strangers wait, with a new browser afterwards, and sets a new password
/// after a reset: each time the watcher gets the same answers for both addresses.
#[apply(both_engines)]
async fn case_53_owners_sign_in_moves_nothing(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let (client, owner) = (app.client("portal").await, app.patient("Mere").await);
    let unknown = Patient { email: "nobo@patients.example".to_owned(), ..owner.clone() };
    let home = browser_from(&app, "198.51.100.1");
    home.sign_in(&app, &client, &owner).await;
    app.stop_clock_in_new_window();
    let mut watcher =
        Watcher { app: &app, client: &client, people: [&owner, &unknown], networks: 0 };
    watcher.begin_wait("before the wait").await;
    assert_eq!(watcher.guess("strangers wait").await, 429);
    without_session(&home).sign_in(&app, &client, &owner).await;
    assert_eq!(watcher.guess("a known device has signed in").await, 429);
    app.clock.advance(Duration::from_mins(1));
    let telephone = browser_from(&app, "198.51.100.2");
    let (page, code, pending) = telephone.sign_in_to_code_page(&app, &client, &owner).await;
    assert_eq!(watcher.guess("a new browser has the password right").await, 200);
    telephone.submit_code(&page, &code).await.authorization_response(pending).code();
    assert_eq!(watcher.guess("a new browser has signed in").await, 429);
    app.clock.advance(Duration::from_mins(2));
    assert_eq!(watcher.guess("the second wait is over").await, 200);
    app.force_reset(&owner).await;
    app.clock.advance(Duration::from_mins(4));
    let tablet = browser_from(&app, "198.51.100.3");
    let (page, code, pending) = tablet.sign_in_to_code_page(&app, &client, &owner).await;
    let page = tablet.submit_code(&page, &code).await;
    assert_eq!(watcher.guess("a reset person has both steps right").await, 200);
    let form = page.form().with("new_password", "a walk along the river at noon");
    let landed = tablet.follow(tablet.post(&form, "continue").await).await;
    landed.authorization_response(pending).code();
    assert_eq!(watcher.guess("a reset person has signed in").await, 429);
    for day in 1..=6 {
        app.clock.advance(DAY);
        assert_eq!(watcher.guess(&format!("day {day}")).await, 200);
    }
}

/// No wait lasts for ever: a day takes one failure off, of a known address and of an unknown one.
#[apply(both_engines)]
async fn stranger_failures_fall_by_day(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let (client, owner) = (app.client("portal").await, app.patient("Mere").await);
    let unknown = Patient { email: "nobo@patients.example".to_owned(), ..owner.clone() };
    app.stop_clock_in_new_window();
    let mut watcher =
        Watcher { app: &app, client: &client, people: [&owner, &unknown], networks: 0 };
    watcher.begin_wait("before the wait").await;
    app.clock.advance(Duration::from_mins(24 * 60 - 1));
    assert_eq!(watcher.guess("not a day later").await, 200);
    assert_eq!(app.count(HIGHEST).await, 11);
    // The day is that of the first failure, so that a guess each day does not keep the count.
    app.clock.advance(DAY + Duration::from_mins(1));
    assert_eq!(watcher.guess("two days later").await, 200);
    assert_eq!(app.count(HIGHEST).await, 10, "eleven, two less, and this one");
    // However long an attack lasted, a week is enough.
    for _ in 0..22 {
        app.clock.advance(Duration::from_hours(1));
        watcher.guess("an attack that goes on").await;
    }
    assert!(app.count(HIGHEST).await > 30);
    app.clock.advance(DAY * 7);
    assert_eq!(watcher.guess("a week later").await, 200);
    assert_eq!(
        app.count(HIGHEST).await,
        10,
        "sixteen have the longest wait; seven less, and this one"
    );
}

/// An attacker who has the password, in one network, leaves codes for a new browser of the owner in another. From
/// several networks the codes of all strangers can be used up; then the person is told that the password is known.
#[apply(both_engines)]
async fn one_network_has_share_of_mails(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let (client, owner) = (app.client("portal").await, app.patient("Mere").await);
    app.stop_clock_in_new_window();
    let asks = async |network: u8| {
        let before = app.mail.codes_to(&owner.email).len();
        let thief = browser_from(&app, &format!("203.0.113.{network}"));
        let (page, _) = thief.open_sign_in_page(&client).await;
        let page = thief.submit_password(&page, &owner).await;
        app.wait_for_jobs().await;
        let mailed = app.mail.codes_to(&owner.email).len() - before;
        assert_eq!(mailed == 0, page.has_text("too many were asked for"), "{}", page.text());
        mailed
    };
    let mut mailed = 0;
    for _ in 0..6 {
        mailed += asks(1).await;
    }
    assert_eq!(mailed, 3, "half of an hour's");
    browser_from(&app, "198.51.100.1").sign_in(&app, &client, &owner).await;
    for hour in 1..=4 {
        app.clock.advance(Duration::from_hours(1));
        for _ in 0..4 {
            mailed += asks(1).await;
        }
        assert_eq!(mailed, 5, "a third of a day's, after {hour} hours");
        browser_from(&app, "198.51.100.1").sign_in(&app, &client, &owner).await;
    }
    let notices = "SELECT COUNT(*) FROM jobs WHERE kind = 'mail.wrong_guesses'";
    assert_eq!(app.count(notices).await, 0);
    for network in 2..=6 {
        mailed += asks(network).await;
    }
    assert_eq!(mailed, 10, "with the owner's five, a day's");
    assert_eq!(app.count(notices).await, 1, "an attacker has the password");
    assert_eq!(asks(7).await, 0);
    app.wait_for_jobs().await;
    let mails = app.mail.mails_to(&owner.email);
    let told = mails.iter().filter(|mail| mail.subject.contains("not used"));
    assert_eq!(told.count(), 1);
}

/// Codes that were asked for earlier in the day count, too, when the quota of a day ends.
#[apply(both_engines)]
async fn unused_codes_of_day_warn_person(engine: Engine) {
    let app = behind_a_proxy(engine).await;
    let (client, owner) = (app.client("portal").await, app.patient("Mere").await);
    app.set_setting("sign_in.sends_per_hour", "4").await;
    app.set_setting("sign_in.sends_per_day", "6").await;
    app.stop_clock_in_new_window();
    let notices = "SELECT COUNT(*) FROM jobs WHERE kind = 'mail.wrong_guesses'";
    for network in 1..=4 {
        let thief = browser_from(&app, &format!("203.0.113.{network}"));
        let (page, _) = thief.open_sign_in_page(&client).await;
        assert!(thief.submit_password(&page, &owner).await.has_field("code"));
        app.clock.advance(Duration::from_hours(2));
    }
    // In the last hour the owner's are the only ones.
    browser_from(&app, "198.51.100.1").sign_in(&app, &client, &owner).await;
    assert_eq!(app.count(notices).await, 0);
    browser_from(&app, "198.51.100.2").sign_in(&app, &client, &owner).await;
    assert_eq!(
        app.count(notices).await,
        1,
        "when the last of six was asked for, one had been used"
    );
}
