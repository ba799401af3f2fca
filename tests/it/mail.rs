//! Mail: real SMTP, and its failures.

use std::time::Duration;

use vestibule_tests::{
    app::{Options, Patient, TestApp},
    client::{Client, PendingRequest},
    db::{Engine, TestDb},
    http::{HttpBrowser, Response},
    mail_server::MailFault,
    proc::run,
    serve_process::ServeSetup,
    wait::until,
};

use crate::engines::{apply, both_engines};

#[apply(both_engines)]
async fn mail_and_page_agree(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) =
        (app.client("portal").await, app.patient("Te K\u{0101}hui O'Neill-Ng\u{0101}ta").await);
    let browser = app.browser();
    let (page, code, _) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    let mail = app.mail.mails_to(&patient.email).remove(0);
    // The page again, after the mail server has accepted the mail.
    let attempt = page.form().value("attempt").to_owned();
    let page = wait_until_mail_taken(&browser, &attempt).await;
    let grouped = format!("{} {}", &code[..3], &code[3..]);
    for part in [&mail.text, &mail.html] {
        assert!(part.contains(&grouped), "{part}");
        assert!(!part.contains("http"), "no links: {part}");
    }
    assert!(!mail.subject.contains(&code) && !mail.subject.contains(&grouped));
    let reference = reference(&mail.subject);
    assert!(page.has_text(&reference), "{reference}: {}", page.text());
    assert!(mail.text.contains(&reference) && mail.html.contains(&reference));
    let until = clock_times(&page.text()).pop().expect("the end of its window");
    assert!(mail.text.contains(&until) && mail.html.contains(&until), "{until}: {}", mail.text);
    assert!(mail.raw.len() < 15 * 1024);
    let head = mail.raw.split("\r\n\r\n").next().unwrap();
    for header in [
        "Date:",
        "Message-ID:",
        "From:",
        "To:",
        "Subject:",
        "MIME-Version:",
        "Content-Language: en",
        "Auto-Submitted: auto-generated",
        "X-Auto-Response-Suppress: All",
        "Feedback-ID:",
        "X-Entity-Ref-ID:",
    ] {
        assert!(head.to_lowercase().contains(&header.to_lowercase()), "{header} in {head}");
    }
    for absent in ["list-unsubscribe", "precedence", "in-reply-to", "references"] {
        assert!(!head.to_lowercase().contains(&format!("\n{absent}:")), "{absent}");
    }
    assert!(mail.raw.lines().all(|line| line.len() <= 998));
}

#[apply(both_engines)]
async fn transient_rejection_is_retried(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (page, pending) = sign_in_with_deferred_mail(&app, &browser, (&client, &patient)).await;
    app.clock.advance(Duration::from_secs(10));
    let code = app.mail.wait_for_code(&patient.email, 1).await;
    browser.submit_code(&page, &code).await.authorization_response(pending).code();
}

/// The mailbox does not exist: the page reports it instead of waiting for a code that cannot arrive.
#[apply(both_engines)]
async fn permanent_rejection_is_shown(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    app.mail.inject_fault(MailFault::Refuse(550), 1);
    let browser = app.browser();
    let (start, _) = browser.open_sign_in_page(&client).await;
    let page = browser.submit_password(&start, &patient).await;
    let attempt = page.form().value("attempt").to_owned();
    app.wait_for_jobs().await;
    let page = browser.get(format!("/login/code?attempt={attempt}")).await;
    assert!(page.has_text("was not accepted") && !page.has_field("code"), "{}", page.text());
    assert_eq!(app.audit_outcomes("mail.failed").await, ["refused"]);
}

/// The server accepted the mail, but the connection broke before the reply: the mail arrives twice, with the same code.
#[apply(both_engines)]
async fn duplicate_mail_has_same_code(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    app.mail.inject_fault(MailFault::DropAfterAccept, 1);
    let browser = app.browser();
    let (page, code, pending) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    app.clock.advance(Duration::from_secs(10));
    let mails = app.mail.wait_for(&patient.email, 2).await;
    assert!(mails.iter().all(|mail| mail.code.as_deref() == Some(code.as_str())));
    browser.submit_code(&page, &code).await.authorization_response(pending).code();
}

/// The window starts when the server accepts the mail, not when the code was requested.
#[apply(both_engines)]
async fn code_window_starts_at_acceptance(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (page, pending) = sign_in_with_deferred_mail(&app, &browser, (&client, &patient)).await;
    app.clock.advance(Duration::from_mins(10));
    let code = app.mail.wait_for_code(&patient.email, 1).await;
    wait_until_mail_taken(&browser, page.form().value("attempt")).await;
    // 24 minutes after the request, 14 after the mail was accepted.
    app.clock.advance(Duration::from_mins(14));
    browser.submit_code(&page, &code).await.authorization_response(pending).code();
}

#[apply(both_engines)]
async fn resend_repeats_code_after_cooldown(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    app.set_setting("sign_in.sends_per_day", "36").await;
    app.set_setting("sign_in.sends_per_hour", "12").await;
    let browser = app.browser();
    let (page, code, pending) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    let early = browser.follow(browser.post(&page.form(), "resend").await).await;
    assert!(early.has_field("code"));
    assert_eq!(app.mail.mails_to(&patient.email).len(), 1, "not before the cool-down");
    app.clock.advance(Duration::from_secs(31));
    browser.post(&page.form(), "resend").await;
    assert_eq!(app.mail.wait_for_code(&patient.email, 2).await, code);
    app.clock.advance(Duration::from_secs(31));
    browser.post(&page.form(), "resend").await;
    assert_eq!(app.mail.mails_to(&patient.email).len(), 2, "the cool-down doubles");
    browser.submit_code(&page, &code).await.authorization_response(pending).code();
    // Quotas of a network at a person: half of an hour's mails, from any browser.
    for nth in 3..=6 {
        app.browser().sign_in_to_code_page(&app, &client, &patient).await;
        assert_eq!(app.mail.mails_to(&patient.email).len(), nth);
    }
    let seventh = app.browser();
    let (start, _) = seventh.open_sign_in_page(&client).await;
    let page = seventh.submit_password(&start, &patient).await;
    assert!(
        page.has_text("We could not send your code") && !page.has_field("code"),
        "{}",
        page.text()
    );
    assert_eq!(
        app.audit_outcomes("code.requested").await.last().map(String::as_str),
        Some("too_many")
    );
    assert_eq!(app.mail.mails_to(&patient.email).len(), 6);
}

/// A code does not wait behind a pile of notices.
#[apply(both_engines)]
async fn notices_do_not_delay_codes(engine: Engine) {
    let options = Options { smtp_timeout: Duration::from_hours(1), ..Options::default() };
    let app = TestApp::start_with(engine, options).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    // No notice is answered before the end of the test; the code's mail is accepted all the same.
    app.mail.inject_fault(MailFault::Hold, 10);
    let mut others = Vec::new();
    for nth in 0..8 {
        others.push(app.patient(&format!("Hemi {nth}")).await);
    }
    for other in &others {
        app.force_reset(other).await;
    }
    app.mail.wait_for_held(2).await;
    let started = std::time::Instant::now();
    app.browser().sign_in_to_code_page(&app, &client, &patient).await;
    println!("{engine:?}: a code behind 8 slow notices took {} ms", started.elapsed().as_millis());
    assert!(
        others.iter().any(|other| app.mail.mails_to(&other.email).is_empty()),
        "notices were still waiting"
    );
    app.mail.release_held();
}

/// Signs in up to the code page, with a mail that the server defers.
async fn sign_in_with_deferred_mail(
    app: &TestApp,
    browser: &HttpBrowser,
    (client, patient): (&Client, &Patient),
) -> (Response, PendingRequest) {
    app.mail.inject_fault(MailFault::Refuse(451), 1);
    let (start, pending) = browser.open_sign_in_page(client).await;
    let page = browser.submit_password(&start, patient).await;
    app.mail.wait_for_refusals(1).await;
    (page, pending)
}

/// The code page after the mail server has accepted the mail: the page then names clock times.
async fn wait_until_mail_taken(browser: &HttpBrowser, attempt: &str) -> Response {
    let taken = async || {
        let page = browser.get(format!("/login/code?attempt={attempt}")).await;
        if clock_times(&page.text()).len() >= 2 { Ok(page) } else { Err(page.text()) }
    };
    until("the mail server has taken the mail", taken).await
}

/// `(ref KOWHAI-27, 9:41 am)` in a subject.
fn reference(subject: &str) -> String {
    let (_, rest) = subject.split_once("ref ").unwrap_or_else(|| panic!("no reference: {subject}"));
    rest.split([',', ')']).next().unwrap().to_owned()
}

/// Clock times in a text, in order: `9:41 am`.
fn clock_times(text: &str) -> Vec<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    words
        .windows(2)
        .filter(|pair| {
            let (hour, minute) =
                pair[0].trim_start_matches('(').split_once(':').unwrap_or_default();
            let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            number(hour)
                && number(minute)
                && (pair[1].starts_with("am") || pair[1].starts_with("pm"))
        })
        .map(|pair| format!("{} {}", pair[0].trim_start_matches('('), &pair[1][..2]))
        .collect()
}

/// A replica sends as many codes at once as `smtp.connections` allows, and no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_sends_match_smtp_connections() {
    let data = TestDb::create(Engine::Sqlite).await;
    let served = ServeSetup::prepare(Engine::Sqlite, &data).await;
    let people: Vec<_> = (0..5).map(|nth| format!("p{nth}@patients.example")).collect();
    for email in &people {
        run(
            served.change_command(&["user", "add", email, "--password-stdin"]),
            "a walk along the river\n",
        )
        .await;
    }
    let client = served.add_portal("https://portal.example/callback").await;
    let mut serve = served
        .serve_with(|mut command| {
            command.env("IDP__SMTP__CONNECTIONS", "3").env("IDP__SMTP__TIMEOUT", "1m");
            command
        })
        .await;
    served.mail.inject_fault(MailFault::Hold, people.len());
    for email in &people {
        let browser = HttpBrowser::at_issuer(&served.issuer());
        let (page, _) = browser.open_sign_in_page(&client).await;
        let patient = Patient {
            email: email.clone(),
            password: "a walk along the river".to_owned(),
            name: "Somebody".to_owned(),
        };
        let page = browser.submit_password(&page, &patient).await;
        assert!(page.has_field("code"), "{}", page.text());
    }
    served.mail.wait_for_held(3).await;
    // The others wait: their jobs are due, and not claimed.
    let db = data.open().await;
    let mut conn = db.read().await.unwrap();
    let due =
        "SELECT COUNT(*) FROM jobs WHERE done_at IS NULL AND locked_until IS NULL AND tries = 0";
    let (waiting,): (i64,) = store::Sql::q(&mut conn, due).fetch_one().await.unwrap();
    assert_eq!((waiting, served.mail.release_held()), (2, 3));
    for email in &people {
        served.mail.wait_for_code(email, 1).await;
    }
    assert!(serve.terminate().await.success());
}

/// Addresses of this form are older than the rule that they break: the local part is sent quoted, which servers take.
#[apply(both_engines)]
async fn dotted_address_gets_its_code(engine: Engine) {
    let app = TestApp::start(engine).await;
    let client = app.client("portal").await;
    let patient = app.patient_with_email("kiri..tane@docomo.example", "Kiri Tane").await;
    let browser = app.browser();
    let (page, pending) = browser.open_sign_in_page(&client).await;
    let page = browser.submit_password(&page, &patient).await;
    let code = app.mail.wait_for_code("\"kiri..tane\"@docomo.example", 1).await;
    browser.submit_code(&page, &code).await.authorization_response(pending).code();
}
