//! The root key is replaced in three rollouts under load, and no sign-in fails.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use flows::root_keys;
use tokio::sync::RwLock;
use vestibule_tests::{
    app::{Patient, Replica, ReplicaOptions, TestApp},
    authenticator_app::AuthenticatorApp,
    client::{Client, PendingRequest},
    db::Engine,
    http::{HttpBrowser, Response},
    test_actor, wait,
};

use crate::engines::{apply, both_engines};

const PEOPLE: usize = 3;

/// Two replicas, either of which may be replaced at any time.
struct ReplicaPair {
    app: TestApp,
    second: Replica,
}

impl ReplicaPair {
    fn replica(&self, nth: usize) -> &Replica {
        if nth.is_multiple_of(2) { self.app.first() } else { &self.second }
    }
}

type SharedReplicas = Arc<RwLock<ReplicaPair>>;

/// What the load has completed.
#[derive(Default)]
struct SignInLoad {
    stop: AtomicBool,
    rounds: [AtomicUsize; PEOPLE],
}

impl SignInLoad {
    fn rounds(&self) -> Vec<usize> {
        self.rounds.iter().map(|rounds| rounds.load(Ordering::SeqCst)).collect()
    }

    /// Waits until each person has completed two more sign-ins: those under way then have begun after this call.
    async fn each_person_twice(&self) {
        let before = self.rounds();
        let twice = async || {
            let now = self.rounds();
            let all = now.iter().zip(&before).all(|(now, before)| *now >= before + 2);
            if all { Ok(()) } else { Err(now) }
        };
        wait::until("each person has signed in twice", twice).await;
    }
}

/// One person who signs in repeatedly, each step at the other replica.
async fn sign_in_repeatedly(
    site: SharedReplicas,
    load: Arc<SignInLoad>,
    client: Client,
    patient: Patient,
    nth: usize,
) {
    let mut step = nth;
    while !load.stop.load(Ordering::SeqCst) {
        let browser = site.read().await.app.browser();
        let pending = PendingRequest::new(&client);
        let at = async |step: &mut usize, ask: SignInRequest<'_>| {
            *step += 1;
            // Held during the request, so that no replica stops with the request in flight.
            let site = site.read().await;
            ask.send(&browser.at_replica(site.replica(*step).address), site.app.issuer()).await
        };
        let page = at(&mut step, SignInRequest::Start(&pending)).await;
        let mails = site.read().await.app.mail.codes_to(&patient.email).len();
        let page = at(&mut step, SignInRequest::Password(&page, &patient)).await;
        assert!(page.has_field("code"), "{}: {} {}", patient.email, page.status, page.text());
        let code = site.read().await.app.mail.wait_for_code(&patient.email, mails + 1).await;
        let landed =
            at(&mut step, SignInRequest::Code(&page, &code)).await.authorization_response(pending);
        let guard = site.read().await;
        let answer =
            client.redeem_at(&browser.at_replica(guard.replica(step).address), &landed).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        load.rounds[nth].fetch_add(1, Ordering::SeqCst);
    }
}

enum SignInRequest<'a> {
    Start(&'a PendingRequest),
    Password(&'a Response, &'a Patient),
    Code(&'a Response, &'a str),
}

impl SignInRequest<'_> {
    async fn send(self, browser: &HttpBrowser, issuer: &str) -> Response {
        match self {
            Self::Start(pending) => {
                let url = pending.url(issuer, &[]);
                browser.follow(browser.get(url).await).await
            }
            Self::Password(page, patient) => browser.submit_password(page, patient).await,
            Self::Code(page, code) => browser.submit_code(page, code).await,
        }
    }
}

/// A rollout: each replica is replaced by one with other root keys, one after the other.
async fn roll_out(site: &SharedReplicas, root: &'static [(&'static str, u8)]) {
    for first in [true, false] {
        let otherwise = ReplicaOptions { root: Some(root), ..ReplicaOptions::default() };
        let next = site.read().await.app.replica_with(otherwise).await;
        let mut site = site.write().await;
        let old = if first {
            site.app.swap_first(next)
        } else {
            std::mem::replace(&mut site.second, next)
        };
        drop(site);
        old.stop().await;
    }
}

async fn wrong_password(site: &SharedReplicas, client: &Client, patient: &Patient) -> Response {
    let site = site.read().await;
    let browser = site.app.browser();
    let (page, _) = browser.open_sign_in_page(client).await;
    let form = page.form().with("email", &patient.email).with("password", "not the password");
    browser.follow(browser.post(&form, "continue").await).await
}

/// A browser that is a known device, and its person.
async fn known_browser(site: &SharedReplicas, client: &Client) -> (HttpBrowser, Patient) {
    let site = site.read().await;
    let (home, known) = (site.app.browser(), site.app.patient("Known").await);
    home.sign_in(&site.app, client, &known).await;
    (home, known)
}

/// Strangers have to wait at this account, and the known device does not.
async fn assert_still_known(
    site: &SharedReplicas,
    client: &Client,
    (home, known): (&HttpBrowser, &Patient),
) {
    for _ in 0..10 {
        wrong_password(site, client, known).await;
    }
    assert_eq!(wrong_password(site, client, known).await.status, 429);
    let site = site.read().await;
    home.set_cookie("session", "");
    home.at_replica(site.replica(0).address).sign_in(&site.app, client, known).await;
}

async fn start(engine: Engine) -> (SharedReplicas, Client) {
    let app = TestApp::start(engine).await;
    for (name, value) in [
        ("sign_in.sends_per_day", "100000"),
        ("sign_in.sends_per_hour", "100000"),
        ("sign_in.posts_per_minute_ipv6_48", "1000000"),
        ("sign_in.posts_per_minute", "1000000"),
    ] {
        app.set_setting(name, value).await;
    }
    let client = app.client("portal").await;
    let second = app.replica().await;
    (Arc::new(RwLock::new(ReplicaPair { app, second })), client)
}

/// Gives the resealing lease to another process, so that the job does not finish what the test interrupts.
async fn hold_lease(pair: &ReplicaPair) {
    let lease = "INSERT INTO leases (name, holder, until) VALUES ('root_keys', 'other process', $1)
                     ON CONFLICT (name) DO UPDATE SET holder = 'other process', until = $1";
    let until = pair.app.cx().now.plus(Duration::from_mins(10));
    let db = pair.app.replica_db();
    db.write(async |tx| store::Sql::q(tx, lease).bind(until).execute().await).await.unwrap();
}

/// A person with an authenticator app and recovery codes.
struct Enrolled {
    patient: Patient,
    generator: AuthenticatorApp,
    codes: Vec<String>,
}

impl Enrolled {
    async fn make(app: &TestApp) -> Self {
        let patient = app.patient("Enrolled").await;
        let (generator, codes) = app.browser().enroll(app, &patient).await;
        Self { patient, generator, codes }
    }

    /// The secret of the app was sealed again, and the printed codes outlive the file of their root key.
    async fn assert_works(&self, app: &TestApp, client: &Client) {
        for proof in [self.generator.code_ahead(app, 30), self.codes[0].clone()] {
            let browser = app.browser();
            let (start, _) = browser.open_sign_in_page(client).await;
            let mut page = browser.submit_password(&start, &self.patient).await;
            if proof.contains('-') {
                page = browser.choose_method(&page, "recovery_code").await;
            }
            let landed = browser.submit_code(&page, &proof).await;
            assert!(landed.location().is_some(), "{}", landed.text());
        }
    }
}

#[apply(both_engines)]
async fn root_key_replacement_interrupts_nothing(engine: Engine) {
    let (site, client) = start(engine).await;
    let load = Arc::new(SignInLoad::default());
    let mut tasks = tokio::task::JoinSet::new();
    for nth in 0..PEOPLE {
        let patient = site.read().await.app.patient(&format!("Mere {nth}")).await;
        tasks.spawn(sign_in_repeatedly(site.clone(), load.clone(), client.clone(), patient, nth));
    }
    // One person who returns only after the rotation, and one whose password is guessed meanwhile.
    let sleeper = site.read().await.app.patient("Sleeper").await;
    let guessed = site.read().await.app.patient("Guessed").await;
    for _ in 0..5 {
        wrong_password(&site, &client, &guessed).await;
    }
    let (home, known) = known_browser(&site, &client).await;
    let enrolled = Enrolled::make(&site.read().await.app).await;
    load.each_person_twice().await;
    roll_out(&site, &[("test", 7), ("next", 8)]).await;
    load.each_person_twice().await;
    // A page from before the switch, posted after it.
    let browser = site.read().await.app.browser();
    let (page, pending) = browser.open_sign_in_page(&client).await;
    hold_lease(&*site.read().await).await;
    roll_out(&site, &[("next", 8), ("test", 7)]).await;
    let cx = site.read().await.app.cx();
    // Resealing that panics after its first value, and is run again.
    let dying = site.read().await.app.cx();
    let died = tokio::spawn(async move {
        root_keys::reseal(&dying, &test_actor(), 1, |_| panic!("the test interrupts it here"))
            .await
            .map(|_| ())
    });
    assert!(died.await.unwrap_err().is_panic());
    let left = root_keys::report(&cx).await.unwrap();
    let old = left.iter().find(|root| root.id == "test").unwrap();
    println!("{engine:?}: {} values were left at the interruption", old.sealed);
    assert!(old.sealed > 0 && old.removable_from.is_none());
    let done = root_keys::reseal(&cx, &test_actor(), 1, |_| {}).await.unwrap().unwrap();
    assert_eq!(i64::try_from(done).unwrap(), old.sealed, "it resumes where it stopped");
    for _ in 0..4 {
        wrong_password(&site, &client, &guessed).await;
    }
    let mails = site.read().await.app.mail.codes_to("mere.0@patients.example").len();
    assert!(mails > 0);
    {
        let site = site.read().await;
        let page =
            browser.at_replica(site.replica(1).address).submit_password(&page, &sleeper).await;
        let code = site.app.mail.wait_for_code(&sleeper.email, 1).await;
        browser
            .at_replica(site.replica(0).address)
            .submit_code(&page, &code)
            .await
            .authorization_response(pending)
            .code();
    }
    let another = site.read().await.app.patient("Late sleeper").await;
    load.each_person_twice().await;
    roll_out(&site, &[("next", 8)]).await;
    load.each_person_twice().await;
    load.stop.store(true, Ordering::SeqCst);
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    println!("{engine:?}: {:?} sign-ins, none refused", load.rounds());
    // Counters survived all of it: this is the tenth wrong password.
    wrong_password(&site, &client, &guessed).await;
    let paused = wrong_password(&site, &client, &guessed).await;
    let guard = site.read().await;
    assert_eq!(
        guard.app.audit_outcomes("password.checked").await.last().unwrap(),
        "paused",
        "{}",
        paused.text()
    );
    guard.app.browser().sign_in(&guard.app, &client, &another).await;
    enrolled.assert_works(&guard.app, &client).await;
    drop(guard);
    assert_still_known(&site, &client, (&home, &known)).await;
}

/// A person who has not signed in since can still do so without the file; a sign-in rehashes under the new key.
#[apply(both_engines)]
async fn password_hashes_outlive_root_key_file(engine: Engine) {
    let (site, client) = start(engine).await;
    let (early, late) = {
        let site = site.read().await;
        (site.app.patient("Early").await, site.app.patient("Late").await)
    };
    let passwords = async |id: &str| {
        let cx = site.read().await.app.cx();
        let report = root_keys::report(&cx).await.unwrap();
        report.into_iter().find(|root| root.id == id).map(|root| root.passwords)
    };
    assert_eq!(passwords("test").await, Some(2));
    roll_out(&site, &[("next", 8), ("test", 7)]).await;
    {
        let site = site.read().await;
        site.app.browser().sign_in(&site.app, &client, &early).await;
    }
    assert_eq!((passwords("test").await, passwords("next").await), (Some(1), Some(1)));
    let cx = site.read().await.app.cx();
    root_keys::reseal(&cx, &test_actor(), 100, |_| {}).await.unwrap().unwrap();
    let report = root_keys::report(&cx).await.unwrap();
    let old = report.iter().find(|root| root.id == "test").unwrap();
    assert_eq!((old.sealed, old.passwords_need_it), (0, false));
    roll_out(&site, &[("next", 8)]).await;
    let guard = site.read().await;
    for patient in [&early, &late] {
        guard.app.browser().sign_in(&guard.app, &client, patient).await;
    }
    drop(guard);
    assert_eq!((passwords("test").await, passwords("next").await), (Some(0), Some(2)));
}

/// A replica that does not have the new key first yet does not reseal with the old one.
#[apply(both_engines)]
async fn lagging_replica_reseals_nothing(engine: Engine) {
    let app = TestApp::start(engine).await;
    let both: &[(&str, u8)] = &[("test", 7), ("next", 8)];
    let lags =
        app.replica_with(ReplicaOptions { root: Some(both), ..ReplicaOptions::default() }).await;
    let ahead = app
        .replica_with(ReplicaOptions {
            root: Some(&[("next", 8), ("test", 7)]),
            ..ReplicaOptions::default()
        })
        .await;
    let done = root_keys::reseal(&ahead.app.system_cx("test"), &test_actor(), 100, |_| {})
        .await
        .unwrap()
        .unwrap();
    assert!(done >= 4, "{done}");
    let refused =
        root_keys::reseal(&lags.app.system_cx("test"), &test_actor(), 100, |_| {}).await.unwrap();
    assert_eq!(refused.unwrap_err().newest, "next");
    // It decrypts what the other one has sealed, and both use the same counter of a person.
    lags.app.live.refresh(&lags.app.db, &lags.app.root).await.unwrap();
    assert_eq!(
        lags.app.root.counter_key("mere@example.org"),
        ahead.app.root.counter_key("mere@example.org")
    );
    assert_eq!(app.audit_outcomes("root_key.current").await.len(), 2);
    assert_eq!(app.audit_outcomes("root_key.resealed").await.len(), 1);
}
