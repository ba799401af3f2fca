//! Causes every event of the audit trail once: by people, clients, operators and the program itself.

use std::time::Duration;

use flows::{
    change_authority::ChangeAuthority,
    client::registration::{self, ClientEdit},
    settings::{self, Setting},
};
use store::Sql;
use vestibule_tests::{
    app::{Options, Patient, ReplicaOptions, TestApp},
    client::{Client, PendingRequest},
    db::{Engine, TestDb},
    http::{HttpBrowser, Response},
    mail_server::MailFault,
    proc::run,
    serve_process::ServeSetup,
};

const NEW_PASSWORD: &str = "a walk along the river at noon";

/// A provider whose trail has every event, from its first start on.
pub(super) async fn record_every_event(engine: Engine) -> TestApp {
    let db = TestDb::empty(engine).await;
    let served = ServeSetup::prepare(engine, &db).await;
    run(served.command(&["migrate"]), "").await;
    let app = TestApp::start_on(db, engine.redis_url(), Options::default()).await;
    let site = EventScenario::prepare(app, served).await;
    site.sign_in_and_out().await;
    site.cancel_attempts().await;
    site.use_passkey().await;
    site.use_second_steps().await;
    site.answer_consent().await;
    site.reset_password().await;
    site.refuse_mail().await;
    site.send_bad_token_requests().await;
    site.rotate_keys().await;
    site.exceed_limits().await;
    site.run_periodic_tasks().await;
    site.app
}

/// The provider, with the commands of its operator.
struct EventScenario {
    app: TestApp,
    served: ServeSetup,
    portal: Client,
    mere: Patient,
}

impl EventScenario {
    /// A passkey: added, used to sign in, for a client and for a page of the account, removed and used again.
    async fn use_passkey(&self) {
        let (app, mere) = (&self.app, &self.mere);
        let owner = app.browser();
        let (mut device, _) = owner.register_passkey(app, mere).await;
        let browser = app.browser();
        let (start, _) = browser.open_sign_in_page(&self.portal).await;
        browser.use_passkey(&start, &mut device).await;
        let browser = app.browser();
        browser.use_passkey(&browser.get("/account").await, &mut device).await;
        let remove = owner.get("/account/passkeys").await.forms().remove(1);
        owner.follow(owner.post(&remove, "remove").await).await;
        let browser = app.browser();
        let (start, _) = browser.open_sign_in_page(&self.portal).await;
        browser.use_passkey(&start, &mut device).await;
    }

    /// An app and recovery codes: enrolled, used to sign in, and removed.
    async fn use_second_steps(&self) {
        let (app, mere) = (&self.app, &self.mere);
        let owner = app.browser();
        let (generator, codes) = owner.enroll(app, mere).await;
        app.clock.advance(Duration::from_secs(90));
        for proof in [generator.code(app), codes[0].clone()] {
            let browser = app.browser();
            let (start, _) = browser.open_sign_in_page(&self.portal).await;
            let mut page = browser.submit_password(&start, mere).await;
            if proof.contains('-') {
                page = browser.choose_method(&page, "recovery_code").await;
            }
            browser.submit_code(&page, &proof).await;
        }
        let page = owner.get("/account").await;
        owner.follow(owner.post(&page.form(), "email-off").await).await;
        let page = owner.get("/account/authenticator-apps").await;
        let [rename, remove] = &page.forms()[..2] else { panic!("two forms for an app") };
        owner.follow(owner.post(&rename.clone().with("name", "Old phone"), "rename").await).await;
        owner.follow(owner.post(remove, "remove").await).await;
    }

    async fn prepare(app: TestApp, served: ServeSetup) -> Self {
        let portal = served.add_portal("https://portal.example/callback").await;
        let email = "mere@patients.example".to_owned();
        let password = "the long password of somebody 4711".to_owned();
        let mere = Patient { email, password, name: "Mere".to_owned() };
        let add = ["user", "add", &mere.email, "--name", "Mere", "--password-stdin"];
        run(served.change_command(&add), &format!("{}\n", mere.password)).await;
        let site = Self { app, served, portal, mere };
        // Every browser uses one address.
        site.set("sign_in.posts_per_minute_ipv6_48", "100000").await;
        site.set("sign_in.posts_per_minute", "100000").await;
        site
    }

    /// Runs a command of an operator.
    async fn run_command(&self, args: &[&str]) {
        run(self.served.command(args), "").await;
    }

    /// Runs a command that needs a reason; no test checks the reason.
    async fn run_change(&self, args: &[&str]) {
        run(self.served.change_command(args), "").await;
    }

    async fn set(&self, name: &str, value: &str) {
        self.run_change(&["setting", "set", name, value]).await;
        self.app.refresh().await;
    }

    /// Another person, because some limits per person hold for an hour.
    async fn add_person(&self, name: &str) -> Patient {
        let email = format!("{}@patients.example", name.to_lowercase());
        let person = Patient { email, name: name.to_owned(), ..self.mere.clone() };
        let add = ["user", "add", &person.email, "--name", name, "--password-stdin"];
        run(self.served.change_command(&add), &format!("{}\n", person.password)).await;
        person
    }

    async fn sign_in_and_out(&self) {
        let (app, portal) = (&self.app, &self.portal);
        let browser = app.browser();
        let landed = browser.sign_in(app, portal, &self.mere).await;
        let tokens = portal.redeem_tokens(app, &landed).await;
        // Redeems its code again.
        assert_eq!(portal.redeem(app, &landed).await.status, 400);
        let hint = tokens["id_token"].as_str().expect("a token");
        browser.get(format!("/oauth2/logout?id_token_hint={hint}")).await;
        // Signs in again, and signs out without a hint.
        browser.sign_in(app, portal, &self.mere).await;
        let page = browser.get("/oauth2/logout").await;
        assert!(browser.post(&page.form(), "continue").await.has_text("You are signed out"));
        self.run_command(&["user", "forget-devices", &self.mere.email, "--reason", "a lost phone"])
            .await;
    }

    /// Cancels attempts: of an unknown address, and after a person's password.
    async fn cancel_attempts(&self) {
        let (app, portal) = (&self.app, &self.portal);
        let stranger = app.browser();
        let page = post_wrong_password(&stranger, portal, "unknown@patients.example").await;
        stranger.post(&form_for_step(&page, "/login/code"), "continue").await;
        stranger.post(&page.form(), "cancel").await;
        let kiri = self.add_person("Kiri").await;
        let browser = app.browser();
        let (page, code, _) = browser.sign_in_to_code_page(app, portal, &kiri).await;
        browser.submit_code(&page, wrong_code(&code)).await;
        browser.post(&form_for_step(&page, "/login/consent"), "allow").await;
        browser.post(&page.form(), "cancel").await;
    }

    /// A client that asks for consent: refused, then allowed.
    async fn answer_consent(&self) {
        let redirect_uri = "https://lab.example/callback";
        let add = ["client", "add", "lab", "--profile", "web", "--redirect-uri", redirect_uri];
        self.run_change(&add).await;
        self.run_change(&["client", "set", "lab", "--id-token-alg", "es256"]).await;
        self.app.refresh().await;
        let (id, redirect_uri) = ("lab".to_owned(), redirect_uri.to_owned());
        let lab = Client { id, secret: None, redirect_uri, ..self.portal.clone() };
        let hemi = self.add_person("Hemi").await;
        let browser = self.app.browser();
        let (page, code, pending) = browser.sign_in_to_code_page(&self.app, &lab, &hemi).await;
        let page = browser.submit_code(&page, &code).await;
        browser.post(&page.form(), "deny").await.authorization_response(pending).error();
        let pending = PendingRequest::new(&lab);
        let page = browser.follow(browser.get(pending.url(self.app.issuer(), &[])).await).await;
        browser.post(&page.form(), "allow").await.authorization_response(pending).code();
        self.run_change(&["client", "remove", "lab", "--yes"]).await;
    }

    async fn reset_password(&self) {
        let (app, portal) = (&self.app, &self.portal);
        let aroha = self.add_person("Aroha").await;
        self.run_change(&["user", "set", &aroha.email, "--name", "Aroha Kahui"]).await;
        self.run_command(&["user", "reset", &aroha.email, "--reason", "somebody called"]).await;
        app.wait_for_jobs().await;
        let browser = app.browser();
        let (page, code, pending) = browser.sign_in_to_code_page(app, portal, &aroha).await;
        let page = browser.submit_code(&page, &code).await;
        let form = page.form().with("new_password", NEW_PASSWORD);
        browser
            .follow(browser.post(&form, "continue").await)
            .await
            .authorization_response(pending)
            .code();
        app.wait_for_jobs().await;
    }

    /// A notice that an operator caused, and a code that a person requested.
    async fn refuse_mail(&self) {
        let (app, portal) = (&self.app, &self.portal);
        let rangi = self.add_person("Rangi").await;
        app.wait_for_jobs().await;
        app.mail.inject_fault(MailFault::Refuse(550), 1);
        self.run_change(&["user", "reset", &rangi.email]).await;
        app.wait_for_jobs().await;
        app.mail.inject_fault(MailFault::Refuse(550), 1);
        let browser = app.browser();
        let (page, _) = browser.open_sign_in_page(portal).await;
        browser.submit_password(&page, &rangi).await;
        app.wait_for_jobs().await;
        assert_eq!(app.audit_outcomes("mail.failed").await, ["refused", "refused"]);
    }

    /// A request with a wrong secret, and one with a wrong code verifier.
    async fn send_bad_token_requests(&self) {
        let (app, portal) = (&self.app, &self.portal);
        let thief = Client { secret: Some("wrong".to_owned()), ..portal.clone() };
        assert_eq!(
            thief.call_token(app, &[("grant_type", "authorization_code")]).await.status,
            401
        );
        let manu = self.add_person("Manu").await;
        let landed = app.browser().sign_in(app, portal, &manu).await;
        let verifier = "x".repeat(43);
        assert_eq!(
            portal.token_request(app, &landed, &[("code_verifier", &verifier)]).await.status,
            400
        );
    }

    /// Exceeds the limits of one network: posts, passwords, codes and token requests.
    async fn exceed_limits(&self) {
        let (app, portal) = (&self.app, &self.portal);
        let tui = self.add_person("Tui").await;
        self.set("sign_in.network_failures_ipv4", "10").await;
        self.set("token.refusals_per_minute", "10").await;
        self.set("sign_in.guess_budget", "1").await;
        app.stop_clock_in_new_window();
        let browser = app.browser();
        let (page, code, _) = browser.sign_in_to_code_page(app, portal, &tui).await;
        for nth in 0..11 {
            post_wrong_password(&app.browser(), portal, &format!("nobody{nth}@patients.example"))
                .await;
        }
        self.assert_limited(1, "a password").await;
        app.stop_clock_in_new_window();
        browser.submit_code(&page, wrong_code(&code)).await;
        for nth in 0..9 {
            post_wrong_password(&app.browser(), portal, &format!("nobody{nth}@patients.example"))
                .await;
        }
        browser.submit_code(&page, wrong_code(&code)).await;
        self.assert_limited(2, "a code").await;
        let thief = Client { secret: Some("wrong".to_owned()), ..portal.clone() };
        for _ in 0..11 {
            thief.call_token(app, &[("grant_type", "authorization_code")]).await;
        }
        self.assert_limited(3, "a token request").await;
        self.set("sign_in.posts_per_minute", "10").await;
        app.stop_clock_in_new_window();
        for _ in 0..11 {
            browser.post(&page.form(), "continue").await;
        }
        self.assert_limited(4, "a post").await;
    }

    async fn assert_limited(&self, rows: usize, by: &str) {
        assert_eq!(self.app.audit_outcomes("network.limited").await.len(), rows, "by {by}");
    }

    async fn rotate_keys(&self) {
        self.run_command(&["key", "rotate", "--compromised", "--reason", "a lost backup"]).await;
        self.run_command(&["key", "rotate", "--alg", "eddsa", "--reason", "yearly"]).await;
    }

    /// The periodic tasks, and what `dev` does at its start: addresses of its portal, and generous limits.
    async fn run_periodic_tasks(&self) {
        let app = &self.app;
        flows::guess_budget::alarm_if_exceeded(&app.app().system_cx("guess_budget"))
            .await
            .expect("the check runs");
        let uris = ["https://portal.example:4430/callback".to_owned()];
        let dev = app.app().system_cx("dev");
        let moved = ClientEdit { redirect_uris: Some(uris.to_vec()), ..ClientEdit::default() };
        let authority = ChangeAuthority::from_program("dev", "demo data");
        let changed = registration::edit(&dev, &authority, "portal", &moved).await;
        changed.expect("no failure").expect("it changes them");
        let resend = Setting::find("sign_in.resend_wait").expect("a setting");
        let set = settings::set(&dev, &authority, resend, "29s").await;
        set.expect("no failure").expect("a good value").expect("another value");
        // Keys are replaced by age, and end when their last token has expired.
        for time in [Duration::from_hours(91 * 24), Duration::from_hours(3)] {
            app.clock.advance(time);
            flows::signing_keys::maintain(&app.app().system_cx("signing_keys"))
                .await
                .expect("the key task runs");
        }
        let another = "UPDATE grants SET created_at = created_at - 60000";
        app.replica_db()
            .write(async |tx| tx.q(another).execute().await)
            .await
            .expect("the statement runs");
        flows::invariant_check::run(&app.app().system_cx("proof")).await.expect("the check runs");
        // A rollout with another root key. From here on commands would need it too.
        let root = Some([("next", 8), ("test", 7)].as_slice());
        assert!(sealed_with_first_key(&app.cx()).await > 0, "there is something to seal again");
        let ahead = app.replica_with(ReplicaOptions { root, ..ReplicaOptions::default() }).await;
        let cx = ahead.app.system_cx("root_keys");
        let acting = ChangeAuthority::from_program("root_keys", "an older root key");
        let sealed = flows::root_keys::reseal(&cx, &acting, 100, |_| {}).await.expect("it reseals");
        sealed.expect("its key is the newer one");
        // Resealed by this call or by the job, whichever was faster.
        assert_eq!(sealed_with_first_key(&app.cx()).await, 0, "all of it is sealed again");
        ahead.stop().await;
    }
}

/// Counts values that are sealed with the provider's first root key.
async fn sealed_with_first_key(cx: &flows::Cx) -> i64 {
    let report = flows::root_keys::report(cx).await.expect("it reads");
    report.iter().find(|key| key.id == "test").expect("it is configured").sealed
}

/// A page's form, posted to another step.
fn form_for_step(page: &Response, step: &str) -> vestibule_tests::page::Form {
    let mut form = page.form().with("code", "1");
    step.clone_into(&mut form.action);
    form
}

fn wrong_code(code: &str) -> &'static str {
    if code == "135790" { "135791" } else { "135790" }
}

async fn post_wrong_password(browser: &HttpBrowser, client: &Client, email: &str) -> Response {
    let (page, _) = browser.open_sign_in_page(client).await;
    let form = page.form().with("email", email).with("password", "not the password");
    browser.follow(browser.post(&form, "continue").await).await
}
