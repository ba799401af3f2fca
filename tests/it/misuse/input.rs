//! Misuse cases 48 to 51: mail addresses, line breaks, hosts and networks.

use flows::account::standard_claims::StandardClaims;
use reqwest::Method;
use store::Sql;
use vestibule_tests::{
    app::{Options, Patient, TestApp},
    db::Engine,
    test_actor,
};

use crate::engines::{apply, both_engines};

#[apply(both_engines)]
async fn case_48_spellings_reach_stored_address(engine: Engine) {
    let app = TestApp::start(engine).await;
    let client = app.client("portal").await;
    let patient = app.patient("Mere").await;
    for typed in
        [" Mere@PATIENTS.example ", "mere@patients.example.", "\u{FF4D}ere@patients.example"]
    {
        let browser = app.browser();
        let typed = Patient { email: typed.to_owned(), ..patient.clone() };
        let mails = app.mail.codes_to(&patient.email).len();
        let (page, pending) = browser.open_sign_in_page(&client).await;
        let page = browser.submit_password(&page, &typed).await;
        let code = app.mail.wait_for_code(&patient.email, mails + 1).await;
        browser.submit_code(&page, &code).await.authorization_response(pending).code();
    }
    assert!(app.mail.all().iter().all(|mail| mail.to == std::slice::from_ref(&patient.email)));
    // Similar spellings are other people, and invisible characters make an address invalid.
    for typed in [
        "m\u{0435}re@patients.example",
        "me\u{200B}re@patients.example",
        "mere@patients.example\r\nBcc: x@y.z",
    ] {
        let browser = app.browser();
        let typed = Patient { email: typed.to_owned(), ..patient.clone() };
        let (page, _) = browser.open_sign_in_page(&client).await;
        assert!(browser.submit_password(&page, &typed).await.has_field("password"), "{typed:?}");
    }
    let taken = flows::email::EmailAddress::parse("MERE@patients.example").unwrap();
    let new = flows::account::create::NewUser {
        email: taken,
        name: "Another".to_owned(),
        claims: StandardClaims::default(),
        password: "a walk along the river".to_owned(),
    };
    let refused = flows::account::create::create(&app.cx(), &test_actor(), new).await.unwrap();
    assert!(matches!(refused, Err(flows::account::create::BadUser::EmailTaken(_))), "{refused:?}");
}

#[apply(both_engines)]
async fn case_49_line_breaks_split_no_header(engine: Engine) {
    let app = TestApp::start(engine).await;
    let client = app.client("portal").await;
    let name = "Mere\r\nBcc: evil@example.org\r\n\r\nSubject: x";
    let patient = app.patient_with_email("mere@patients.example", "Mere").await;
    // Such a name is refused now; this one is from before.
    let rename = "UPDATE users SET name = $1";
    let renamed = app.replica_db().write(async |tx| tx.q(rename).bind(name).execute().await).await;
    assert_eq!(renamed.unwrap(), 1);
    let mut browser = app.browser();
    browser.extra_headers.push(("user-agent", "a\tb".to_owned()));
    browser.sign_in(&app, &client, &patient).await;
    let mail = app.mail.mails_to(&patient.email).remove(0);
    assert_eq!(mail.to, std::slice::from_ref(&patient.email));
    let head = mail.raw.split("\r\n\r\n").next().unwrap().to_lowercase();
    assert!(!head.contains("\r\nbcc:") && !mail.subject.contains(['\r', '\n']), "{head}");
    let state = "a\r\nSet-Cookie: x=y";
    let pending = vestibule_tests::client::PendingRequest {
        state: state.to_owned(),
        ..vestibule_tests::client::PendingRequest::new(&client)
    };
    let answer = browser.get(pending.url(app.issuer(), &[])).await;
    assert!(
        !answer.headers.get_all("set-cookie").iter().any(|v| v.to_str().unwrap().starts_with("x="))
    );
    assert_eq!(answer.authorization_response(pending).param("state").as_deref(), Some(state));
}

/// Every absolute URL is built from the configuration; another Host is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_50_foreign_host_is_refused() {
    let app = TestApp::start(Engine::Sqlite).await;
    let browser = app.browser();
    for host in ["evil.example", "localhost", "127.0.0.1", "evil.example:80", "localhost:1"] {
        let answer = browser
            .send(Method::GET, "/.well-known/openid-configuration", &[("host", host)], None)
            .await;
        assert_eq!(answer.status, 421, "{host}");
    }
    let forwarded = [
        ("x-forwarded-host", "evil.example"),
        ("forwarded", "host=evil.example;proto=https"),
        ("x-forwarded-proto", "https"),
        ("x-original-url", "/evil.example"),
    ];
    let answer =
        browser.send(Method::GET, "/.well-known/openid-configuration", &forwarded, None).await;
    assert_eq!(answer.json()["issuer"], app.issuer());
    assert!(!answer.body.contains("evil.example"));
}

/// The right-most address that is no proxy of ours counts, and an unreadable one is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_51_rightmost_untrusted_hop_counts() {
    let options = Options { proxies: vec!["127.0.0.0/8"], ..Options::default() };
    let app = TestApp::start_with(Engine::Sqlite, options).await;
    let client = app.client("portal").await;
    let patient = app.patient("Mere").await;
    app.set_setting("sign_in.posts_per_minute", "10").await;
    app.stop_clock_in_new_window();
    let people = std::cell::Cell::new(0);
    let post = async |forwarded: &str| {
        // Each post uses another account, because the wait of an account is not tested here.
        people.set(people.get() + 1);
        let email = format!("nobody{}@patients.example", people.get());
        let mut browser = app.browser();
        browser.extra_headers.push(("x-forwarded-for", forwarded.to_owned()));
        let (page, _) = browser.open_sign_in_page(&client).await;
        let form = page.form().with("email", &email).with("password", "x");
        browser.post(&form, "continue").await.status.as_u16()
    };
    assert_eq!(post("a").await, 403, "unparsable: refused, not skipped");
    assert_eq!(post("203.0.113.7, a").await, 403);
    // One IPv6 household is one network, whatever it adds in front of its own address.
    for nth in 0..10 {
        assert_ne!(post(&format!("198.51.100.{nth}, 2001:db8:1:2::{nth:x}")).await, 429);
    }
    assert_eq!(post("198.51.100.77, 2001:db8:1:2:ffff::1").await, 429);
    // With a port or in brackets it is the same network.
    for hop in ["[2001:db8:1:2::1]:51234", "198.51.100.77:9, [2001:db8:1:2::1]"] {
        assert_eq!(post(hop).await, 429, "{hop}");
    }
    assert_ne!(post("2001:db8:1:3::1").await, 429);
    assert_ne!(post("[2001:db8:1:3::1]:443").await, 429);
    let mut conn = app.replica_db().read().await.unwrap();
    let networks: Vec<(String,)> = store::Sql::q(
        &mut conn,
        "SELECT DISTINCT network FROM audit WHERE event = 'password.checked'",
    )
    .fetch_all()
    .await
    .unwrap();
    assert!(networks.iter().all(|(network,)| network.starts_with("2001:db8:1:")), "{networks:?}");
    drop(patient);
}

/// A client that is no trusted proxy is counted by its own address, whatever its headers claim.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_51_spoofed_forwarded_for_is_ignored() {
    let options = Options { proxies: vec!["10.0.0.0/8"], ..Options::default() };
    let app = TestApp::start_with(Engine::Sqlite, options).await;
    let client = app.client("portal").await;
    app.set_setting("sign_in.posts_per_minute", "10").await;
    app.stop_clock_in_new_window();
    for nth in 0..=10 {
        let mut browser = app.browser();
        let (page, _) = browser.open_sign_in_page(&client).await;
        for name in ["x-forwarded-for", "x-real-ip", "forwarded", "cf-connecting-ip"] {
            let hop = format!("203.0.113.{nth}");
            let hop = if name == "forwarded" { format!("for={hop}") } else { hop };
            browser.extra_headers.push((name, hop));
        }
        let form = page.form().with("email", "unknown@patients.example").with("password", "x");
        let status = browser.post(&form, "continue").await.status.as_u16();
        assert_eq!(status == 429, nth == 10, "post {nth}: {status}");
    }
}
