//! People who sign in at a bounded rate during a fault. Each repeats a step as a person who reads the page would. Losses,
//! duplicates and unhelpful answers are counted.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{sync::watch, task::JoinSet};

use crate::{
    app::{Patient, TestApp},
    client::{AuthorizationResponse, Client, PendingRequest},
    http::{HttpBrowser, Response},
    mail_server::MailServer,
    page::Form,
    starvation_probe::{StarvationProbe, Stopwatch},
    wait::{self, LIMIT},
};

/// The results so far.
#[derive(Clone, Debug, Default)]
pub struct CrowdStats {
    /// Sign-ins that ended in tokens.
    pub completed: u32,
    /// Of them, those after the end of the fault.
    pub completed_after_fault: u32,
    /// Requests without an answer, or with a "try again".
    pub repeated: u32,
    /// Connections that were refused before a request was sent.
    pub refused: u32,
    /// Mails that arrived more than once.
    pub duplicate_mails: u32,
    /// Codes of clients whose answer was lost, so that it is unknown which request used them.
    pub in_doubt: u32,
    /// How often a person had to start again.
    pub restarts: u32,
    /// Mails that did not arrive.
    pub lost_mails: Vec<String>,
    /// Sign-ins that were abandoned.
    pub lost_sign_ins: Vec<String>,
    /// Codes that were accepted twice.
    pub codes_accepted_twice: Vec<String>,
    /// Answers that did not say what to do.
    pub unhelpful_answers: Vec<String>,
    /// The longest time to an answer, without starvation.
    pub longest_answer: Duration,
    /// From the end of the fault to the end of the first sign-in after it, without starvation.
    pub recovery_time: Option<Duration>,
}

/// The people, and the replicas where they sign in.
#[derive(Debug)]
pub struct Crowd {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    people: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    browser: HttpBrowser,
    replicas: Vec<SocketAddr>,
    client: Client,
    mail: Arc<MailServer>,
    tally: Mutex<CrowdStats>,
    fault_over: Mutex<Option<Stopwatch>>,
    /// How long each unanswered request has waited, by its number.
    open_requests: Mutex<BTreeMap<u64, Stopwatch>>,
    probe: StarvationProbe,
    pause: Duration,
}

impl Crowd {
    /// Starts `count` people who sign in at these replicas, one sign-in after another with a pause between.
    pub async fn start(app: &TestApp, replicas: Vec<SocketAddr>, count: usize) -> Self {
        app.set_setting("sign_in.sends_per_day", "1000").await;
        app.set_setting("sign_in.sends_per_hour", "1000").await;
        app.set_setting("sign_in.posts_per_minute_ipv6_48", "100000").await;
        app.set_setting("sign_in.posts_per_minute", "100000").await;
        let client = app.client("portal").await;
        let mut patients = Vec::new();
        for nth in 0..count {
            patients.push(app.patient(&format!("Patient {nth}")).await);
        }
        let browser = HttpBrowser::new_at(app.issuer(), replicas[0]);
        for replica in &replicas {
            wait_until_client_known(&browser.at_replica(*replica), &client).await;
        }
        Self::with_people((browser, Arc::clone(&app.mail)), replicas, client, patients)
    }

    /// Starts these people with browsers like this one, at a provider in any process.
    pub fn with_people(
        (browser, mail): (HttpBrowser, Arc<MailServer>),
        replicas: Vec<SocketAddr>,
        client: Client,
        patients: Vec<Patient>,
    ) -> Self {
        let pause = Duration::from_millis(150);
        let shared = Arc::new(Shared {
            browser,
            replicas,
            client,
            mail,
            tally: Mutex::default(),
            fault_over: Mutex::default(),
            open_requests: Mutex::default(),
            probe: StarvationProbe::start(),
            pause,
        });
        let (stop, stopped) = watch::channel(false);
        let mut people = JoinSet::new();
        for (nth, patient) in patients.into_iter().enumerate() {
            people.spawn(sign_in_repeatedly(Arc::clone(&shared), patient, nth, stopped.clone()));
        }
        Self { shared, stop, people }
    }

    /// Waits until `more` sign-ins have ended.
    pub async fn wait_for_sign_ins(&self, more: u32) {
        let wanted = self.shared.lock_stats().completed + more;
        self.until("sign-ins", |tally| tally.completed >= wanted).await;
    }

    /// The results so far.
    pub fn stats(&self) -> CrowdStats {
        self.shared.lock_stats().clone()
    }

    /// Waits until `met` accepts the results.
    pub async fn until(&self, what: &str, met: impl Fn(&CrowdStats) -> bool) {
        let look = async || {
            let tally = self.stats();
            if met(&tally) { Ok(()) } else { Err(tally) }
        };
        wait::until(what, look).await;
    }

    /// Waits until a request has been unanswered for this time, and still is.
    pub async fn wait_until_request_held(&self, time: Duration) {
        let longest = async || {
            let waited = self.shared.longest_open();
            if waited > time { Ok(()) } else { Err(waited) }
        };
        wait::until("a request without an answer", longest).await;
    }

    /// Marks the end of the fault.
    pub fn mark_fault_over(&self) {
        *self.shared.fault_over.lock().expect("no holder panicked") =
            Some(self.shared.probe.stopwatch());
    }

    /// Lets all people finish, and returns the results.
    pub async fn finish(mut self) -> CrowdStats {
        self.stop.send_replace(true);
        while let Some(ended) = self.people.join_next().await {
            ended.expect("no person panicked");
        }
        let mut tally = self.stats();
        tally.duplicate_mails = self.shared.count_duplicate_mails();
        tally
    }
}

impl Shared {
    /// Mails with a code that an earlier mail had: each sign-in has its own code and requests it once.
    fn count_duplicate_mails(&self) -> u32 {
        let mut seen = std::collections::HashSet::new();
        let mails = self.mail.all().into_iter().filter(|mail| mail.code.is_some());
        let doubled = mails.filter(|mail| !seen.insert((mail.to.clone(), mail.code.clone())));
        u32::try_from(doubled.count()).expect("not that many")
    }

    fn lock_stats(&self) -> std::sync::MutexGuard<'_, CrowdStats> {
        self.tally.lock().expect("no holder panicked")
    }

    /// Starts to measure a request.
    fn start_request(&self) -> OpenRequest<'_> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let (number, watch) = (NEXT.fetch_add(1, Ordering::Relaxed), self.probe.stopwatch());
        self.open_requests.lock().expect("no holder panicked").insert(number, watch.clone());
        OpenRequest { shared: self, number, watch }
    }

    /// The waiting time of the oldest unanswered request.
    fn longest_open(&self) -> Duration {
        let open = self.open_requests.lock().expect("no holder panicked");
        open.values().map(Stopwatch::net).max().unwrap_or_default()
    }

    fn record_sign_in(&self) {
        let mended = self.fault_over.lock().expect("no holder panicked").clone();
        let mut tally = self.lock_stats();
        tally.completed += 1;
        if let Some(mended) = mended {
            tally.completed_after_fault += 1;
            tally.recovery_time.get_or_insert(mended.net());
        }
    }
}

/// A request without an answer so far.
struct OpenRequest<'a> {
    shared: &'a Shared,
    number: u64,
    watch: Stopwatch,
}

impl OpenRequest<'_> {
    /// Records the answer; returns how long it took.
    fn elapsed(self) -> Duration {
        self.watch.net()
    }
}

impl Drop for OpenRequest<'_> {
    fn drop(&mut self) {
        self.shared.open_requests.lock().expect("no holder panicked").remove(&self.number);
    }
}

/// Waits until a replica has read a client, and with it every earlier change.
pub async fn wait_until_client_known(browser: &HttpBrowser, client: &Client) {
    let url = PendingRequest::new(client).url(&browser.issuer(), &[]);
    let known = async || {
        let page = browser.new_browser().get(&url).await;
        if page.has_field("password") { Ok(()) } else { Err(page.text()) }
    };
    wait::until("the replica has read the client", known).await;
}

async fn sign_in_repeatedly(
    shared: Arc<Shared>,
    patient: Patient,
    nth: usize,
    stop: watch::Receiver<bool>,
) {
    let mut round = nth;
    while !*stop.borrow() {
        let person = Person { shared: &shared, patient: &patient, round };
        if let Err(why) = person.sign_in().await {
            shared.lock_stats().lost_sign_ins.push(format!("{}: {why}", patient.name));
        }
        round += 1;
        tokio::time::sleep(shared.pause).await;
    }
}

/// A request that is repeated until it is answered.
#[derive(Clone, Copy)]
enum RepeatedRequest<'a> {
    Get(&'a str),
    Post(&'a Form),
    Redeem(&'a AuthorizationResponse),
}

/// One sign-in of one person.
struct Person<'a> {
    shared: &'a Shared,
    patient: &'a Patient,
    round: usize,
}

impl Person<'_> {
    /// The browser, connected to the replica of this turn: another at each step and each repetition.
    fn browser_for_turn(&self, browser: &HttpBrowser, turn: usize) -> HttpBrowser {
        let replicas = &self.shared.replicas;
        browser.at_replica(replicas[(self.round + turn) % replicas.len()])
    }

    async fn sign_in(&self) -> Result<(), String> {
        let begun = Instant::now();
        while begun.elapsed() < LIMIT {
            let browser = self.shared.browser.new_browser();
            if let Some(landed) = self.both_steps(&browser).await? {
                return self.redeem(&browser, &landed).await;
            }
            self.shared.lock_stats().restarts += 1;
        }
        Err("had to start again too often".to_owned())
    }

    /// `None`: the page asks the person to start again.
    async fn both_steps(
        &self,
        browser: &HttpBrowser,
    ) -> Result<Option<AuthorizationResponse>, String> {
        let pending = PendingRequest::new(&self.shared.client);
        let url = pending.url(&browser.issuer(), &[]);
        let page = self.get(browser, 0, &url).await?;
        let Patient { email, password, .. } = self.patient;
        let form = page.form().with("email", email).with("password", password);
        let before = self.shared.mail.count(email);
        let page = self.post(browser, 1, &form).await?;
        if !page.has_field("code") {
            return Self::expect_restart(&page);
        }
        let code = self.code(&page, before).await?;
        let answer = self.post(browser, 2, &page.form().with("code", &code)).await?;
        let at_client =
            answer.location().is_some_and(|to| to.as_str().starts_with(&pending.redirect_uri));
        if at_client {
            Ok(Some(answer.authorization_response(pending)))
        } else {
            Self::expect_restart(&answer)
        }
    }

    fn expect_restart(page: &Response) -> Result<Option<AuthorizationResponse>, String> {
        if page.has_text("start again")
            || page.has_text("sign in again")
            || page.has_field("password")
        {
            Ok(None)
        } else {
            Err(format!("{} {}", page.status, page.text()))
        }
    }

    /// The code of the mail whose reference is on the page, among the mails since the sign-in began.
    async fn code(&self, page: &Response, before: usize) -> Result<String, String> {
        let reference =
            reference_on_page(page).ok_or_else(|| format!("no reference: {}", page.text()))?;
        let email = &self.patient.email;
        self.shared.mail.try_wait_for_code_in(email, &reference, before).await.ok_or_else(|| {
            self.shared.lock_stats().lost_mails.push(format!("{email} {reference}"));
            "no mail".to_owned()
        })
    }

    async fn redeem(
        &self,
        browser: &HttpBrowser,
        landed: &AuthorizationResponse,
    ) -> Result<(), String> {
        let (first, repeats) =
            self.repeat_until_answered(browser, 3, RepeatedRequest::Redeem(landed)).await?;
        let (second, _) =
            self.repeat_until_answered(browser, 4, RepeatedRequest::Redeem(landed)).await?;
        if second.status == 200 {
            self.shared.lock_stats().codes_accepted_twice.push(landed.code());
        }
        if first.status == 200 {
            self.shared.record_sign_in();
            return Ok(());
        }
        if first.status == 400 && repeats > 0 {
            // Used by a request of this person whose answer was lost, or expired meanwhile.
            self.shared.lock_stats().in_doubt += 1;
            return Ok(());
        }
        Err(format!("not redeemed: {} {}", first.status, first.body))
    }

    async fn get(&self, browser: &HttpBrowser, turn: usize, url: &str) -> Result<Response, String> {
        Ok(self.repeat_until_answered(browser, turn, RepeatedRequest::Get(url)).await?.0)
    }

    async fn post(
        &self,
        browser: &HttpBrowser,
        turn: usize,
        form: &Form,
    ) -> Result<Response, String> {
        let (mut answer, _) =
            self.repeat_until_answered(browser, turn, RepeatedRequest::Post(form)).await?;
        while let Some(to) = answer.location() {
            if to.origin() != answer.url.origin() {
                break;
            }
            answer = self.get(browser, turn, to.as_str()).await?;
        }
        Ok(answer)
    }

    /// Repeats a request until its answer is not "try again"; returns the answer and how often it was repeated.
    async fn repeat_until_answered(
        &self,
        browser: &HttpBrowser,
        turn: usize,
        step: RepeatedRequest<'_>,
    ) -> Result<(Response, usize), String> {
        let begun = Instant::now();
        for again in 0.. {
            let browser = self.browser_for_turn(browser, turn + again);
            let (refused, open) = (browser.refused_connections(), self.shared.start_request());
            let answer = match step {
                RepeatedRequest::Get(url) => browser.try_get(url).await,
                RepeatedRequest::Post(form) => browser.try_post(form, "continue").await,
                RepeatedRequest::Redeem(landed) => {
                    self.shared.client.try_redeem(&browser, landed).await
                }
            };
            let refused = browser.refused_connections() > refused;
            match self.record_answer(answer, open.elapsed(), refused) {
                Ok(answer) => return Ok((answer, again)),
                Err(why) if begun.elapsed() > LIMIT => return Err(why),
                // After a pause, as a person would.
                Err(_) => tokio::time::sleep(Duration::from_millis(300)).await,
            }
        }
        unreachable!("the range of turns is infinite")
    }

    /// Counts an answer; an error if the request must be repeated.
    fn record_answer(
        &self,
        answer: Option<Response>,
        after: Duration,
        refused: bool,
    ) -> Result<Response, String> {
        let mut tally = self.shared.lock_stats();
        tally.longest_answer = tally.longest_answer.max(after);
        let why = match answer {
            Some(answer) if !answer.status.is_server_error() => return Ok(answer),
            Some(answer) => {
                tally.unhelpful_answers.extend(why_unhelpful(&answer, &self.patient.email));
                format!("{} {}", answer.status, answer.text())
            }
            None if refused => {
                tally.refused += 1;
                return Err("connection refused".to_owned());
            }
            None => "no answer".to_owned(),
        };
        tally.repeated += 1;
        Err(why)
    }
}

/// The reference on a page, of the mail or of the failure.
pub fn reference_on_page(page: &Response) -> Option<String> {
    let (_, rest) = page.body.split_once("class=\"reference\"")?;
    let (_, rest) = rest.split_once("<strong>")?;
    rest.split_once("</strong>").map(|(reference, _)| reference.to_owned())
}

/// Why a "try again" does not help a person or a program; `None` if it contains all that is needed.
fn why_unhelpful(answer: &Response, email: &str) -> Option<String> {
    let form = answer.has_field("password").then(|| answer.form());
    let is_page = answer.header("content-type").starts_with("text/html");
    let why = match form {
        _ if answer.status != 503 => "not 503",
        _ if answer.header("retry-after").is_empty() => "no Retry-After",
        // The same page again: the form keeps the address, never the password.
        Some(form) if form.value("email") != email => "the address is not kept",
        Some(form) if !form.value("password").is_empty() => "the password is kept",
        Some(_) => return None,
        None if !is_page && answer.body.contains("temporarily_unavailable") => return None,
        None if !is_page => "no error code",
        None if reference_on_page(answer).is_none() => "no reference",
        None if answer.has_text("try again") => return None,
        None => "nothing to do",
    };
    Some(format!("{} {}: {why}: {}", answer.status, answer.url.path(), answer.text()))
}
