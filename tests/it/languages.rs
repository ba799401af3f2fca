//! English and te reo Māori: how a language is chosen, that it is kept, and that the choice changes nothing else.

use std::time::Duration;

use reqwest::Method;
use vestibule_tests::{
    app::{Patient, TestApp},
    client::{Client, PendingRequest},
    db::Engine,
    http::{HttpBrowser, Response},
};

use crate::engines::{apply, both_engines};

/// A browser that prefers te reo Māori.
fn te_reo_browser(app: &TestApp) -> HttpBrowser {
    let mut browser = app.browser();
    browser.extra_headers.push(("accept-language", "mi-NZ,mi;q=0.9,en;q=0.8".to_owned()));
    browser
}

async fn open(
    browser: &HttpBrowser,
    app: &TestApp,
    client: &Client,
    changes: &[(&str, &str)],
) -> Response {
    browser.follow(browser.get(PendingRequest::new(client).url(app.issuer(), changes)).await).await
}

/// Presses the language switch and follows the redirect, as a browser does on our pages.
async fn switch(browser: &HttpBrowser, page: &Response) -> Response {
    let headers = [("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "navigate")];
    browser.follow(browser.send(Method::GET, &page.language_switch(), &headers, None).await).await
}

#[apply(both_engines)]
async fn maori_sign_in_sends_maori_mail(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let mut browser = te_reo_browser(&app);
    let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    browser.extra_headers.push(("user-agent", agent.to_owned()));
    let (page, code, pending) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    assert_eq!(page.language(), "mi");
    assert!(page.has_text("Tāurutia tō waehere"), "{}", page.text());
    assert!(
        page.has_text("Mēnā kāore e taea e koe te uru ki tō īmēra: Call 0800 111 222"),
        "{}",
        page.text()
    );
    let mail = app.mail.mails_to(&patient.email).remove(0);
    assert!(mail.text.contains("tō waehere takiuru"), "{}", mail.text);
    assert!(mail.text.contains("mā Firefox i runga i te Linux"), "{}", mail.text);
    browser.submit_code(&page, &code).await.authorization_response(pending).code();
    // A notice is not written for a page: it has the language of the last sign-in.
    app.force_reset(&patient).await;
    let mails = app.mail.wait_for(&patient.email, 2).await;
    let subjects: Vec<_> = mails.iter().map(|mail| mail.subject.as_str()).collect();
    assert!(subjects.iter().any(|subject| subject.starts_with("Ka tonoa koe")), "{subjects:?}");
}

/// A resend has the language of the page that requests it; the code is the same.
#[apply(both_engines)]
async fn resend_uses_page_language(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (page, code, pending) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    assert!(app.mail.mails_to(&patient.email)[0].text.contains("sign-in code"));
    let page = switch(&browser, &page).await;
    assert_eq!((page.language(), page.form().action.as_str()), ("mi", "/login/code"));
    app.clock.advance(Duration::from_secs(31));
    browser.follow(browser.post(&page.form(), "resend").await).await;
    assert_eq!(app.mail.wait_for_code(&patient.email, 2).await, code);
    let mails = app.mail.mails_to(&patient.email);
    assert!(mails.iter().any(|mail| mail.text.contains("tō waehere takiuru")));
    browser.submit_code(&page, &code).await.authorization_response(pending).code();
}

/// Misuse case 4: the language switch on each step leads to the same step, with the same requirements, and to no other.
#[apply(both_engines)]
async fn case_4_language_switch_keeps_step(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    app.force_reset(&patient).await;
    let browser = app.browser();
    let page = switch(&browser, &open(&browser, &app, &client, &[]).await).await;
    assert_eq!((page.language(), page.form().action.as_str()), ("mi", "/login/password"));
    let page = switch(&browser, &browser.submit_password(&page, &patient).await).await;
    assert_eq!((page.language(), page.form().action.as_str()), ("en", "/login/code"));
    let attempt = page.form().value("attempt").to_owned();
    for step in ["password", "new_password", "consent", "code"] {
        let to = format!("/language?to=mi&step={step}&attempt={attempt}");
        let page = browser.follow(browser.get(to).await).await;
        assert_eq!(page.form().action, "/login/code", "{step}: {}", page.text());
    }
    assert_eq!(browser.cookie("session"), None);
    let code = app.mail.wait_for_code(&patient.email, 1).await;
    let page = switch(&browser, &browser.submit_code(&page, &code).await).await;
    assert_eq!((page.language(), page.form().action.as_str()), ("en", "/login/new-password"));
    let end = browser.get(format!("/language?to=mi&step=consent&attempt={attempt}")).await;
    let end = browser.follow(end).await;
    assert_eq!(end.form().action, "/login/new-password", "{}", end.text());
    assert_eq!(browser.cookie("session"), None);
    assert_eq!(app.count("SELECT COUNT(*) FROM sign_ins").await, 0);
}

/// The same with a session: a page that asks still asks.
#[apply(both_engines)]
async fn case_4_language_switch_answers_nothing(engine: Engine) {
    let app = TestApp::start(engine).await;
    let lab = app.client_with("lab", |new| new.operator.first_party = false).await;
    let patient = app.patient("Mere").await;
    let browser = app.browser();
    let (page, code, _) = browser.sign_in_to_code_page(&app, &lab, &patient).await;
    let page = switch(&browser, &browser.submit_code(&page, &code).await).await;
    assert_eq!((page.language(), page.form().action.as_str()), ("mi", "/login/consent"));
    assert!(page.has_text("Tuari ki The lab?"), "{}", page.text());
    // This page has no row: its request is sealed in the page.
    let page = switch(&browser, &open(&browser, &app, &lab, &[]).await).await;
    assert_eq!((page.language(), page.form().action.as_str()), ("en", "/login/consent"));
    let fresh = switch(&browser, &open(&browser, &app, &lab, &[("prompt", "login")]).await).await;
    assert_eq!((fresh.language(), fresh.has_field("password")), ("mi", true));
    let page = switch(&browser, &browser.get("/oauth2/logout?state=a%26b").await).await;
    assert_eq!((page.language(), page.form().value("state")), ("en", "a&b"));
    assert_eq!(app.count("SELECT COUNT(*) FROM auth_codes").await, 0);
    assert_eq!(app.count("SELECT COUNT(*) FROM sessions WHERE ended_at IS NULL").await, 1);
}

#[apply(both_engines)]
async fn language_choice_follows_precedence(engine: Engine) {
    let app = TestApp::start(engine).await;
    let client = app.client("portal").await;
    let browser = te_reo_browser(&app);
    assert_eq!(open(&browser, &app, &client, &[]).await.language(), "mi");
    // The client's choice, for this request.
    let page = open(&browser, &app, &client, &[("ui_locales", "fr en-NZ mi")]).await;
    assert_eq!(page.language(), "en");
    assert_eq!(browser.get("/login/code?attempt=x").await.language(), "en", "its failures too");
    // The person's choice overrides the request's, and outlives it.
    let page = switch(&browser, &switch(&browser, &page).await).await;
    assert_eq!(page.language(), "en");
    assert_eq!(open(&browser, &app, &client, &[]).await.language(), "en", "before the header");
    let page = open(&browser, &app, &client, &[("ui_locales", "mi")]).await;
    assert_eq!(page.language(), "mi");
    assert_eq!(open(&browser, &app, &client, &[]).await.language(), "en", "remembered");
    for strange in ["fr", "\"><script>", "mi\r\nSet-Cookie: a=b", &"x".repeat(4000)] {
        let page = open(&browser, &app, &client, &[("ui_locales", strange)]).await;
        assert_eq!((page.status.as_u16(), page.language()), (200, "en"), "{strange}");
        assert!(!page.body.contains("<script>"), "{}", page.body);
    }
    // A cross-site post has no cookies, and continues with a GET.
    let mut fields = PendingRequest::new(&client).params(&[]);
    fields.push(("ui_locales".to_owned(), "mi".to_owned()));
    let posted = app.browser();
    let answer = posted.send(Method::POST, "/oauth2/authorize", &[], Some(&fields)).await;
    assert_eq!(posted.follow(answer).await.language(), "mi");
}

/// Misuse case 43: whatever the link contains, it leads to one of our pages.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_43_language_switch_stays_local() {
    let app = TestApp::start(Engine::Sqlite).await;
    let evil = "https%3A%2F%2Fevil.example";
    let ours = [("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "navigate")];
    for query in [
        format!("to=mi&step={evil}&attempt=x"),
        format!("to=mi&step=//evil.example&attempt={evil}"),
        format!("to=mi&return_to={evil}&continue={evil}&next={evil}&RelayState={evil}"),
        format!("to={evil}"),
        format!("to=mi&page={evil}&reference={evil}"),
        "to=mi&page=busy&reference=%3Cb%3E%3C%2Fb".to_owned(),
        "to=mi&page=constructor".to_owned(),
        "to=mi&page=busy".to_owned(),
        "to=mi&page=still&reference=ABCDEF".to_owned(),
        "to=mi%0d%0aLocation:x&step=code&attempt=x".to_owned(),
        "to=mi&step=code".to_owned(),
        String::new(),
    ] {
        let to = format!("/language?{query}");
        let answer = app.browser().send(Method::GET, &to, &ours, None).await;
        assert_eq!(answer.status, 404, "{query}");
        assert_eq!(answer.header("location"), "", "{query}");
        assert!(!answer.body.contains("evil") && !answer.body.contains("<b>"), "{query}");
    }
    for attempt in [evil, "//evil.example", "x%26to%3Den%23a", "%0d%0aSet-Cookie:%20a=b", "s.AAAA"]
    {
        let answer =
            app.browser().get(format!("/language?to=mi&step=code&attempt={attempt}")).await;
        let to = answer.location().expect("a redirect");
        assert!(to.as_str().starts_with(app.issuer()) && to.path() == "/login/code", "{to}");
        assert_eq!(to.query_pairs().count(), 1, "{to}");
    }
    let query = format!("to=mi&step=logout&post_logout_redirect_uri={evil}&client_id=x");
    let to = app.browser().get(format!("/language?{query}")).await.location().expect("a redirect");
    assert!(to.as_str().starts_with(&format!("{}/oauth2/logout?", app.issuer())), "{to}");
}

/// Another site may link here, but the link changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cross_site_request_changes_no_language() {
    let app = TestApp::start(Engine::Sqlite).await;
    let browser = app.browser();
    let to = "/language?to=mi&page=still";
    for headers in [
        [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")],
        [("sec-fetch-site", "same-site"), ("sec-fetch-mode", "navigate")],
        [("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "no-cors")],
    ] {
        let answer = browser.send(Method::GET, to, &headers, None).await;
        assert_eq!((answer.language(), answer.header("set-cookie")), ("en", ""), "{headers:?}");
    }
    let ours = [("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "navigate")];
    let answer = browser.send(Method::GET, to, &ours, None).await;
    assert_eq!(answer.language(), "mi");
    let cookie = answer.header("set-cookie");
    assert_eq!(cookie, "vestibule-locale=mi:; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000");
}

/// Any other link to a notice or a failure would show what is not true: it is followed from our own pages alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_link_shows_no_notice() {
    let app = TestApp::start(Engine::Sqlite).await;
    let referrer = format!("{}/oauth2/logout", app.issuer());
    for query in ["page=signed_out", "page=still", "page=internal&reference=CALL99"] {
        let to = format!("/language?to=mi&{query}");
        for headers in [
            &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")][..],
            &[("sec-fetch-site", "same-site"), ("sec-fetch-mode", "navigate")],
            &[("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")],
            &[("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "no-cors")],
            &[("sec-fetch-site", "cross-site"), ("referer", &referrer)],
            &[("referer", "https://evil.example/")],
            &[],
        ] {
            let answer = app.browser().send(Method::GET, &to, headers, None).await;
            assert_eq!(answer.status, 404, "{query} {headers:?}");
        }
        // Browsers without fetch metadata name the page in `Referer`.
        for headers in [
            &[("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "navigate")][..],
            &[("referer", &referrer)],
        ] {
            let answer = app.browser().send(Method::GET, &to, headers, None).await;
            assert_eq!((answer.status.as_u16(), answer.language()), (200, "mi"), "{headers:?}");
        }
    }
}

/// A message page is shown again in the other language, with the same reference.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failure_page_switches_language() {
    let app = TestApp::start(Engine::Sqlite).await;
    let browser = app.browser();
    let page = browser.get("/nothing").await;
    let text = page.text();
    let (_, reference) = text.split_once("Reference ").expect("a reference");
    let again = switch(&browser, &page).await;
    assert_eq!((again.status.as_u16(), again.language()), (200, "mi"));
    assert!(again.has_text("Kāore he whārangi pērā"), "{}", again.text());
    assert!(again.has_text(&format!("Tohutoro {}", &reference[..6])), "{}", again.text());
    assert_eq!(browser.get("/nothing").await.language(), "mi", "it is remembered");
    assert_eq!(switch(&browser, &again).await.language(), "en");
    // Failure pages respect the browser's preference, too.
    let request = open(&te_reo_browser(&app), &app, &unknown_client(), &[]).await;
    assert!(request.has_text("Kāore e taea te whakaoti i tēnei tono"), "{}", request.text());
}

fn unknown_client() -> Client {
    Client {
        id: "nobody".to_owned(),
        secret: None,
        redirect_uri: "https://nobody.example/".to_owned(),
        auth_method: flows::client::AuthMethod::None,
    }
}

/// Text from the user agent header is never copied into a mail (misuse case 49).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_49_user_agent_never_in_mail() {
    let app = TestApp::start(Engine::Sqlite).await;
    let client = app.client("portal").await;
    let strange = ["Firefox/<b>1</b> Windows, call 09 123 4567", "curl/8", "\u{e9}\u{1f33f}"];
    for (nth, agent) in strange.into_iter().enumerate() {
        let patient: Patient = app.patient(&format!("Hemi {nth}")).await;
        let mut browser = app.browser();
        browser.extra_headers.push(("user-agent", agent.to_owned()));
        browser.sign_in_to_code_page(&app, &client, &patient).await;
        let mail = app.mail.mails_to(&patient.email).remove(0);
        assert!(mail.text.contains("It was asked for at "), "{}", mail.text);
        assert!(!mail.text.contains("4567") && !mail.html.contains("<b>"), "{}", mail.text);
        assert!(!mail.text.contains("curl"), "{}", mail.text);
    }
}
