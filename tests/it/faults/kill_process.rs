//! A process is killed with SIGKILL between any two steps, and started again.

use store::{Db, Sql};
use vestibule_tests::{
    app::Patient,
    client::{Client, PendingRequest},
    crowd::reference_on_page,
    db::{Engine, TestDb},
    http::HttpBrowser,
    proc::ChildProcess,
    serve_process::ServeSetup,
};

use crate::engines::{apply, both_engines};

/// `serve` that can be killed at any moment.
struct KillableServe {
    served: ServeSetup,
    serve: Option<ChildProcess>,
    db: Db,
    browser: HttpBrowser,
    client: Client,
    patient: Patient,
    _data: TestDb,
}

impl KillableServe {
    async fn start(engine: Engine) -> Self {
        let data = TestDb::create(engine).await;
        let served = ServeSetup::prepare(engine, &data).await;
        let patient = Patient {
            email: "mere@patients.example".to_owned(),
            password: "a walk along the river".to_owned(),
            name: "Mere".to_owned(),
        };
        let add = ["user", "add", &patient.email, "--name", "Mere", "--password-stdin", "--json"];
        vestibule_tests::proc::run(served.change_command(&add), "a walk along the river\n").await;
        let client = served.add_portal("https://portal.example/callback").await;
        let (db, browser) = (data.open().await, HttpBrowser::at_issuer(&served.issuer()));
        let serve = Some(served.serve().await);
        Self { served, serve, db, browser, client, patient, _data: data }
    }

    /// A power failure and a restart.
    async fn kill_and_start(&mut self) {
        self.serve.take().expect("it runs").kill().await;
        self.serve = Some(self.served.serve().await);
    }

    async fn count(&self, sql: &'static str) -> i64 {
        let mut conn = self.db.read().await.unwrap();
        let (count,): (i64,) = conn.q(sql).fetch_one().await.unwrap();
        count
    }

    async fn redeem(
        &self,
        landed: &vestibule_tests::client::AuthorizationResponse,
    ) -> vestibule_tests::http::Response {
        self.client.redeem_at(&self.browser, landed).await
    }
}

#[apply(both_engines)]
async fn kill_between_steps_loses_nothing(engine: Engine) {
    let mut victim = KillableServe::start(engine).await;
    let (page, pending) = victim.browser.open_sign_in_page(&victim.client).await;
    victim.kill_and_start().await;
    let page = victim.browser.submit_password(&page, &victim.patient).await;
    assert!(
        page.has_field("code"),
        "a page from before the kill is posted after it: {}",
        page.text()
    );
    victim.kill_and_start().await;
    let code = victim.served.mail.wait_for_code(&victim.patient.email, 1).await;
    // The mail was sent before the kill or is sent after it; if it is sent twice, both have the same code.
    let mails = victim.served.mail.mails_to(&victim.patient.email);
    assert!(mails.iter().all(|mail| mail.code.as_deref() == Some(code.as_str())));
    victim.kill_and_start().await;
    let landed = victim.browser.submit_code(&page, &code).await.authorization_response(pending);
    victim.kill_and_start().await;
    assert_eq!(victim.redeem(&landed).await.status, 200);
    victim.kill_and_start().await;
    assert_eq!(
        victim.redeem(&landed).await.json()["error"],
        "invalid_grant",
        "used before the kill"
    );
    let quiet = PendingRequest::new(&victim.client);
    let url = quiet.url(&victim.served.issuer(), &[("prompt", "none")]);
    victim.browser.get(url).await.authorization_response(quiet).code();
    assert_eq!(victim.count("SELECT COUNT(*) FROM sign_ins").await, 1);
}

/// Killed at an unknown moment *inside* each step: the person posts again, and nothing is lost or done twice.
#[apply(both_engines)]
async fn kill_during_step_loses_nothing(engine: Engine) {
    let mut victim = KillableServe::start(engine).await;
    let mut interrupted = 0;
    let mut round = 0_u64;
    for name in ["sign_in.sends_per_day", "sign_in.sends_per_hour"] {
        vestibule_tests::proc::run(
            victim.served.change_command(&["setting", "set", name, "1000"]),
            "",
        )
        .await;
    }
    // Six rounds, or more until a post was cut off.
    while round < 6 || interrupted == 0 {
        assert!(round < 60, "no kill hit a post");
        let prompt = [("prompt", "login")];
        let pending = PendingRequest::new(&victim.client);
        let start = victim.browser.get(pending.url(&victim.served.issuer(), &prompt)).await;
        let before = victim.served.mail.count(&victim.patient.email);
        let form = start
            .form()
            .with("email", &victim.patient.email)
            .with("password", &victim.patient.password);
        let post = tokio::spawn({
            let (browser, form) = (victim.browser.clone(), form.clone());
            async move { browser.try_post(&form, "continue").await.is_some() }
        });
        // The delay varies, so that the kill hits different points of the post.
        tokio::time::sleep(std::time::Duration::from_millis(3 + 9 * (round % 6))).await;
        victim.kill_and_start().await;
        interrupted += i32::from(!post.await.unwrap());
        // Posted again, as a person would: joined or created again, there is one open challenge.
        let page = victim.browser.follow(victim.browser.post(&form, "continue").await).await;
        assert!(page.has_field("code"), "round {round}: {}", page.text());
        // By its reference: a mail that a killed worker had claimed may be sent twice.
        let reference = reference_on_page(&page).expect("a reference on the page");
        let mail = &victim.served.mail;
        let code = mail.wait_for_code_in(&victim.patient.email, &reference, before).await;
        let code_form = page.form().with("code", &code);
        let post = tokio::spawn({
            let (browser, form) = (victim.browser.clone(), code_form.clone());
            async move { browser.try_post(&form, "continue").await }
        });
        tokio::time::sleep(std::time::Duration::from_millis(1 + round % 6)).await;
        victim.kill_and_start().await;
        // Answered before the kill, or posted again because no response came.
        let answer = if let Some(answer) = post.await.unwrap() {
            answer
        } else {
            interrupted += 1;
            victim.browser.follow(victim.browser.post(&code_form, "continue").await).await
        };
        let landed = answer.authorization_response(pending);
        assert_eq!(victim.redeem(&landed).await.status, 200, "round {round}");
        let sign_ins = victim.count("SELECT COUNT(*) FROM sign_ins").await;
        round += 1;
        assert_eq!(sign_ins, i64::try_from(round).unwrap(), "one sign-in for each round");
    }
    println!("{engine:?}: {interrupted} of {} posts were cut off", 2 * round);
}
