//! Simulated attacks on the limits of sign-in. Each counts the attacker's costs and gains, while a legitimate person signs
//! in from a known browser. The provider is behind a proxy, so that every attacker has an address.

mod accounts;
mod codes;

use std::{
    fmt,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use keys::HasherConfig;

use crate::{
    app::{Options, Patient, TestApp},
    client::Client,
    db::Engine,
    http::{HttpBrowser, Response},
};

pub use codes::{BudgetReaction, code_guessing};

/// Concurrent posts of an attacker.
const AT_ONCE: usize = 16;

/// The size of the attacks.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Addresses that take part in credential stuffing.
    pub addresses: usize,
    /// Accounts that get one guess each.
    pub accounts: usize,
    /// One in so many accounts has the guessed password.
    pub one_in: usize,
    /// Posts against one person, against the hashing queue, and against one inbox.
    pub posts: usize,
}

/// Costs and gains of an attack.
#[derive(Clone, Debug)]
pub struct AttackOutcome {
    /// Name of the attack.
    pub name: &'static str,
    /// Posts of the attacker, each with a page before it.
    pub posts: usize,
    /// Passwords and codes that were compared.
    pub judged: usize,
    /// Passwords that were right.
    pub correct_passwords: usize,
    /// Pages with status 429 (wait), and with status 503 (the hashing queue is full).
    pub refused: (usize, usize),
    /// Pages of the second step that the attacker reached.
    pub second_steps: usize,
    /// Codes in the inboxes of others.
    pub mailed: usize,
    /// Sign-ins of the attacker.
    pub sign_ins: i64,
    /// Sessions of the attacker.
    pub sessions: i64,
    /// How long it took.
    pub took: Duration,
    /// How long a legitimate sign-in from a known browser took meanwhile.
    pub honest: Duration,
    /// The person's result in a new browser, where it was tested.
    pub newcomer: Option<String>,
}

impl fmt::Display for AttackOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({:.1} s)", self.name, self.took.as_secs_f64())?;
        writeln!(f, "    posts of the attacker         {:>8}", self.posts)?;
        writeln!(f, "    guesses that were judged      {:>8}", self.judged)?;
        writeln!(f, "    passwords that were right     {:>8}", self.correct_passwords)?;
        writeln!(f, "    refusals to wait (429)        {:>8}", self.refused.0)?;
        writeln!(f, "    refusals as full (503)        {:>8}", self.refused.1)?;
        writeln!(f, "    second steps that were shown  {:>8}", self.second_steps)?;
        writeln!(f, "    codes mailed to victims       {:>8}", self.mailed)?;
        writeln!(f, "    sign-ins of the attacker      {:>8}", self.sign_ins)?;
        writeln!(f, "    sessions of the attacker      {:>8}", self.sessions)?;
        write!(f, "    an honest sign-in meanwhile   {:>8} ms", self.honest.as_millis())?;
        match &self.newcomer {
            Some(met) => write!(f, "\n    the same from a new browser   {met}"),
            None => Ok(()),
        }
    }
}

/// A provider under attack, with a legitimate person at a known browser.
struct AttackTarget {
    app: TestApp,
    client: Client,
    victim: Patient,
    known_browser: HttpBrowser,
    base_browser: HttpBrowser,
    started_at: Instant,
}

fn address(nth: usize) -> String {
    format!("100.{}.{}.{}", 64 + (nth >> 16 & 63), nth >> 8 & 255, nth & 255)
}

impl AttackTarget {
    async fn start(engine: Engine, hashing: HasherConfig) -> Self {
        let options = Options { proxies: vec!["127.0.0.0/8"], hashing, ..Options::default() };
        let app = Box::pin(TestApp::start_with(engine, options)).await;
        let (client, victim) = (app.client("portal").await, app.patient("Mere").await);
        let plain = app.browser();
        let home = plain.without_cookies_from("198.51.100.1");
        Box::pin(home.sign_in(&app, &client, &victim)).await;
        app.wait_for_jobs().await;
        Self {
            app,
            client,
            victim,
            known_browser: home,
            base_browser: plain,
            started_at: Instant::now(),
        }
    }

    async fn with_large_queue(engine: Engine) -> Self {
        let hashing = HasherConfig { threads: 2, queue: 1000, wait: Duration::from_secs(30) };
        Self::start(engine, hashing).await
    }

    /// One password guess from an address.
    async fn guess(&self, nth: usize, email: String, password: String) -> Response {
        let browser = self.base_browser.without_cookies_from(&address(nth));
        let (page, _) = browser.open_sign_in_page(&self.client).await;
        let patient = Patient { email, password, name: String::new() };
        browser.submit_password(&page, &patient).await
    }

    /// Many guesses, some of them concurrent.
    async fn guesses(
        &self,
        all: impl Iterator<Item = (usize, String, String)>,
        at_once: usize,
    ) -> Vec<Response> {
        let guesses = all.map(|(nth, email, password)| self.guess(nth, email, password));
        stream::iter(guesses).buffer_unordered(at_once).collect().await
    }

    /// The owner signs in from the known browser, during the attack.
    async fn honest_sign_in(&self) -> Duration {
        let (browser, begun) = (self.known_browser.with_copied_cookies(), Instant::now());
        browser.set_cookie("session", "");
        browser.sign_in(&self.app, &self.client, &self.victim).await;
        begun.elapsed()
    }

    async fn outcome(
        &self,
        name: &'static str,
        answers: &[Response],
        honest: Duration,
    ) -> AttackOutcome {
        let took = self.started_at.elapsed();
        self.app.wait_for_jobs().await;
        let with = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
        let [passwords, codes] = [
            self.app.audit_outcomes("password.checked").await,
            self.app.audit_outcomes("code.checked").await,
        ];
        let these = |of: &[String], which: &str| of.iter().filter(|o| *o == which).count();
        let right = these(&passwords, "right");
        let judged =
            right + these(&passwords, "wrong") + these(&codes, "right") + these(&codes, "wrong");
        AttackOutcome {
            name,
            posts: answers.len(),
            // The owner's two sign-ins are included.
            judged: judged.saturating_sub(4),
            correct_passwords: right.saturating_sub(2),
            refused: (with(429), with(503)),
            second_steps: answers.iter().filter(|answer| answer.has_field("code")).count(),
            mailed: self
                .app
                .mail
                .all()
                .iter()
                .filter(|m| m.code.is_some())
                .count()
                .saturating_sub(2),
            sign_ins: self.app.count("SELECT COUNT(*) FROM sign_ins").await - 2,
            sessions: self.app.count("SELECT COUNT(*) FROM sessions").await - 2,
            took,
            honest,
            newcomer: None,
        }
    }

    /// The owner, with the right password, in a new browser and from a new network.
    async fn sign_in_from_new_browser(&self) -> String {
        let browser = self.base_browser.without_cookies_from("192.0.2.77");
        let (page, _) = browser.open_sign_in_page(&self.client).await;
        let answer = browser.submit_password(&page, &self.victim).await;
        match answer.header("retry-after") {
            "" => "continues to the code".to_owned(),
            seconds => format!("must wait for {seconds} s"),
        }
    }
}

/// Pairs from another site's leak, one from each address; one in twenty people has the same password here.
pub async fn credential_stuffing(engine: Engine, scale: Scale) -> AttackOutcome {
    let ground = AttackTarget::with_large_queue(engine).await;
    let mut people = Vec::new();
    for nth in 0..20 {
        people.push(ground.app.patient(&format!("Leaked {nth}")).await);
    }
    let pairs = (0..scale.addresses).map(|nth| {
        let person = &people[nth % people.len()];
        let password =
            if nth == 0 { person.password.clone() } else { format!("leaked password {nth}") };
        (nth, person.email.clone(), password)
    });
    let (answers, honest) = tokio::join!(ground.guesses(pairs, AT_ONCE), ground.honest_sign_in());
    ground.outcome("Credential stuffing, one pair from each address", &answers, honest).await
}

/// The same guess at one account after another, 150 from each address. Every guess is at an existing account, and for some
/// it is right.
pub async fn password_spraying(engine: Engine, scale: Scale) -> AttackOutcome {
    let mut ground = AttackTarget::with_large_queue(engine).await;
    accounts::add(&ground.app, scale.accounts, scale.one_in).await;
    ground.started_at = Instant::now();
    let guesses = (0..scale.accounts)
        .map(|nth| (nth / 150, accounts::email(nth), accounts::COMMON_PASSWORD.to_owned()));
    let (answers, honest) = tokio::join!(ground.guesses(guesses, AT_ONCE), ground.honest_sign_in());
    ground.outcome("One guess at each account", &answers, honest).await
}

/// Wrong passwords for one person, each from a new address.
pub async fn account_lockout(engine: Engine, scale: Scale) -> AttackOutcome {
    let ground = AttackTarget::with_large_queue(engine).await;
    let email = ground.victim.email.clone();
    let guesses = (0..scale.posts).map(|nth| (nth, email.clone(), format!("wrong password {nth}")));
    // So many at one account wait for a hash; more would be refused there, and not counted.
    let answers = ground.guesses(guesses, 2).await;
    let newcomer = Some(ground.sign_in_from_new_browser().await);
    let honest = ground.honest_sign_in().await;
    let outcome = ground.outcome("Locking one person out", &answers, honest).await;
    AttackOutcome { newcomer, ..outcome }
}

/// More concurrent posts than the hashing queue has slots.
pub async fn hashing_queue_flood(engine: Engine, scale: Scale) -> AttackOutcome {
    let hashing = HasherConfig { threads: 1, queue: 8, wait: Duration::from_secs(5) };
    let ground = AttackTarget::start(engine, hashing).await;
    let guesses = (0..scale.posts).map(|nth| {
        ground.guess(nth, format!("person{nth}@patients.example"), "anything at all".to_owned())
    });
    let flood = stream::iter(guesses).buffer_unordered(64).collect::<Vec<_>>();
    let (answers, honest) = tokio::join!(flood, ground.honest_sign_in());
    ground.outcome("Filling the hashing queue, 64 at once", &answers, honest).await
}

/// "Send it again", pressed as often as possible by an attacker with the password.
pub async fn inbox_flood(engine: Engine, scale: Scale) -> AttackOutcome {
    let ground = AttackTarget::with_large_queue(engine).await;
    ground.app.set_setting("sign_in.resend_wait", "0s").await;
    let thief = ground.base_browser.without_cookies_from(&address(1));
    let (mut page, _, _) =
        thief.sign_in_to_code_page(&ground.app, &ground.client, &ground.victim).await;
    let mut answers = Vec::new();
    for _ in 0..scale.posts {
        let answer = thief.follow(thief.post(&page.form(), "resend").await).await;
        if answer.has_field("attempt") {
            page = answer.clone();
        }
        answers.push(answer);
    }
    let honest = ground.honest_sign_in().await;
    ground.outcome("Flooding one inbox", &answers, honest).await
}
