//! Simulated attacks on the limits of sign-in: each counts what it cost the attacker and what it won, and lets an honest
//! person sign in from a known browser meanwhile. A provider behind a proxy, so that every attacker has an address.

mod codes;
mod people;

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
    http::{Answer, HttpBrowser},
};

pub use codes::{Reaction, code_guesses};

/// Posts of an attacker at once.
const AT_ONCE: usize = 16;

/// How large the attacks are.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Addresses that credentials are stuffed from.
    pub addresses: usize,
    /// Accounts that get one guess each.
    pub accounts: usize,
    /// Of so many accounts one has the password that is guessed.
    pub one_in: usize,
    /// Posts at one person, at the hashing queue, and for one inbox.
    pub posts: usize,
}

/// What an attack cost and won.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Which attack.
    pub name: &'static str,
    /// Posts of the attacker, each with a page before it.
    pub posts: usize,
    /// Passwords and codes that were compared.
    pub judged: usize,
    /// Passwords that were right.
    pub right: usize,
    /// Pages that told the attacker to wait, and that all places were taken.
    pub refused: (usize, usize),
    /// Pages of the second step that the attacker came to.
    pub second_steps: usize,
    /// Codes in the inboxes of others.
    pub mailed: usize,
    /// Sign-ins of the attacker.
    pub sign_ins: i64,
    /// Sessions of the attacker.
    pub sessions: i64,
    /// How long it took.
    pub took: Duration,
    /// How long an honest sign-in from a known browser took meanwhile.
    pub honest: Duration,
    /// What the person meets in a browser that is used for the first time, where that was looked at.
    pub newcomer: Option<String>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({:.1} s)", self.name, self.took.as_secs_f64())?;
        writeln!(f, "    posts of the attacker         {:>8}", self.posts)?;
        writeln!(f, "    guesses that were judged      {:>8}", self.judged)?;
        writeln!(f, "    passwords that were right     {:>8}", self.right)?;
        writeln!(f, "    told to wait (429)            {:>8}", self.refused.0)?;
        writeln!(f, "    told that all is full (503)   {:>8}", self.refused.1)?;
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

/// A provider under attack, with somebody honest at a known browser.
struct Ground {
    app: TestApp,
    client: Client,
    victim: Patient,
    home: HttpBrowser,
    plain: HttpBrowser,
    begun: Instant,
}

fn address(nth: usize) -> String {
    format!("100.{}.{}.{}", 64 + (nth >> 16 & 63), nth >> 8 & 255, nth & 255)
}

impl Ground {
    async fn start(engine: Engine, hashing: HasherConfig) -> Self {
        let options = Options { proxies: vec!["127.0.0.0/8"], hashing, ..Options::default() };
        let app = Box::pin(TestApp::with(engine, options)).await;
        let (client, victim) = (app.client("portal").await, app.patient("Mere").await);
        let plain = app.browser();
        let home = plain.fresh("198.51.100.1");
        Box::pin(home.sign_in(&app, &client, &victim)).await;
        app.settled().await;
        Self { app, client, victim, home, plain, begun: Instant::now() }
    }

    async fn roomy(engine: Engine) -> Self {
        let hashing = HasherConfig { threads: 2, queue: 1000, wait: Duration::from_secs(30) };
        Self::start(engine, hashing).await
    }

    /// One guess at a password from an address.
    async fn guess(&self, nth: usize, email: String, password: String) -> Answer {
        let browser = self.plain.fresh(&address(nth));
        let (page, _) = browser.start(&self.client).await;
        let patient = Patient { email, password, name: String::new() };
        browser.password(&page, &patient).await
    }

    /// Many, some at once.
    async fn guesses(&self, all: impl Iterator<Item = (usize, String, String)>) -> Vec<Answer> {
        let guesses = all.map(|(nth, email, password)| self.guess(nth, email, password));
        stream::iter(guesses).buffer_unordered(AT_ONCE).collect().await
    }

    /// The owner signs in from the known browser, whatever happens around.
    async fn honest(&self) -> Duration {
        let (browser, begun) = (self.home.copied(), Instant::now());
        browser.set_cookie("session", "");
        browser.sign_in(&self.app, &self.client, &self.victim).await;
        begun.elapsed()
    }

    async fn outcome(&self, name: &'static str, answers: &[Answer], honest: Duration) -> Outcome {
        let took = self.begun.elapsed();
        self.app.settled().await;
        let with = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
        let [passwords, codes] =
            [self.app.outcomes("password.checked").await, self.app.outcomes("code.checked").await];
        let these = |of: &[String], which: &str| of.iter().filter(|o| *o == which).count();
        let right = these(&passwords, "right");
        let judged =
            right + these(&passwords, "wrong") + these(&codes, "right") + these(&codes, "wrong");
        Outcome {
            name,
            posts: answers.len(),
            // Two sign-ins of the owner are among them.
            judged: judged.saturating_sub(4),
            right: right.saturating_sub(2),
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

    /// The owner, with the right password, in a browser and a network that nobody has seen.
    async fn newcomer(&self) -> String {
        let browser = self.plain.fresh("192.0.2.77");
        let (page, _) = browser.start(&self.client).await;
        let answer = browser.password(&page, &self.victim).await;
        match answer.header("retry-after") {
            "" => "goes on to the code".to_owned(),
            seconds => format!("is told to wait for {seconds} s"),
        }
    }
}

/// Pairs from another site's leak, one from each address; one of twenty people has used the same password here.
pub async fn stuffing(engine: Engine, scale: Scale) -> Outcome {
    let ground = Ground::roomy(engine).await;
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
    let (answers, honest) = tokio::join!(ground.guesses(pairs), ground.honest());
    ground.outcome("Credential stuffing, one pair from each address", &answers, honest).await
}

/// The same guess at account after account, 150 from each address. Everybody has an account, and for some the guess is right.
pub async fn one_guess_each(engine: Engine, scale: Scale) -> Outcome {
    let mut ground = Ground::roomy(engine).await;
    people::add(&ground.app, scale.accounts, scale.one_in).await;
    ground.begun = Instant::now();
    let guesses =
        (0..scale.accounts).map(|nth| (nth / 150, people::email(nth), people::COMMON.to_owned()));
    let (answers, honest) = tokio::join!(ground.guesses(guesses), ground.honest());
    ground.outcome("One guess at each account", &answers, honest).await
}

/// Wrong passwords of one person from ever new addresses.
pub async fn lock_out(engine: Engine, scale: Scale) -> Outcome {
    let ground = Ground::roomy(engine).await;
    let email = ground.victim.email.clone();
    let guesses = (0..scale.posts).map(|nth| (nth, email.clone(), format!("wrong password {nth}")));
    let answers = ground.guesses(guesses).await;
    // Before the owner signs in at home, which ends the wait of strangers.
    let newcomer = Some(ground.newcomer().await);
    let honest = ground.honest().await;
    let outcome = ground.outcome("Locking one person out", &answers, honest).await;
    Outcome { newcomer, ..outcome }
}

/// More posts at once than the hashing queue has seats.
pub async fn full_pool(engine: Engine, scale: Scale) -> Outcome {
    let hashing = HasherConfig { threads: 1, queue: 8, wait: Duration::from_secs(5) };
    let ground = Ground::start(engine, hashing).await;
    let guesses = (0..scale.posts).map(|nth| {
        ground.guess(nth, format!("person{nth}@patients.example"), "anything at all".to_owned())
    });
    let flood = stream::iter(guesses).buffer_unordered(64).collect::<Vec<_>>();
    let (answers, honest) = tokio::join!(flood, ground.honest());
    ground.outcome("Filling the hashing queue, 64 at once", &answers, honest).await
}

/// "Send it again", pressed as often as can be by somebody who knows the password.
pub async fn inbox(engine: Engine, scale: Scale) -> Outcome {
    let ground = Ground::roomy(engine).await;
    ground.app.set("sign_in.resend_wait", "0s").await;
    let thief = ground.plain.fresh(&address(1));
    let (mut page, _, _) = thief.up_to_code(&ground.app, &ground.client, &ground.victim).await;
    let mut answers = Vec::new();
    for _ in 0..scale.posts {
        let answer = thief.follow(thief.post(&page.form(), "resend").await).await;
        if answer.has_field("attempt") {
            page = answer.clone();
        }
        answers.push(answer);
    }
    let honest = ground.honest().await;
    ground.outcome("Flooding one inbox", &answers, honest).await
}
