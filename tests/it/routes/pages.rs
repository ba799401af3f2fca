//! Routes for people: the headers of every page, and forms that are posted from other sites.

use std::{collections::BTreeSet, time::Duration};

use idp::http::{route::Class, routes::ROUTES};
use regex::Regex;
use reqwest::Method;
use vestibule_tests::{
    app::{HOME, TestApp},
    db::Engine,
    http::{HttpBrowser, Response},
    page::Form,
};

use super::{has_method, routes_of, send};
use crate::engines::{apply, both_engines};

/// A page that a person has reached, with its form filled in correctly.
struct Step {
    browser: HttpBrowser,
    page: Response,
    form: Form,
    button: &'static str,
}

impl Step {
    fn path(&self) -> &str {
        &self.form.action
    }

    /// Posts the form, with some fields changed and some headers instead of those of a browser on our page.
    async fn post(&self, browser: &HttpBrowser, headers: &[(&str, &str)], form: &Form) -> Response {
        let mut fields = form.fields.clone();
        fields.push(("action".to_owned(), self.button.to_owned()));
        browser.send(Method::POST, self.path(), headers, Some(&fields)).await
    }

    fn without(&self, name: &str) -> Form {
        let mut form = self.form.clone();
        form.fields.retain(|(field, _)| field != name);
        form
    }
}

/// Every step of a sign-in, each with its own browser and person.
async fn steps(app: &TestApp) -> Vec<Step> {
    let portal = app.client("portal").await;
    let lab = app.client_with("lab", |new| new.operator.first_party = false).await;
    let mut steps = Vec::new();

    let (browser, patient) = (app.browser(), app.patient("Mere").await);
    let (page, _) = browser.open_sign_in_page(&portal).await;
    let form = page.form().with("email", &patient.email).with("password", &patient.password);
    steps.push(Step { browser, page, form, button: "continue" });

    let (browser, patient) = (app.browser(), app.patient("Hemi").await);
    let (page, code, _) = browser.sign_in_to_code_page(app, &portal, &patient).await;
    let form = page.form().with("code", &code);
    steps.push(Step { browser, page, form, button: "continue" });

    let patient = app.patient("Moana").await;
    let (generator, codes) = app.browser().enroll(app, &patient).await;
    app.clock.advance(Duration::from_secs(90));
    for (method, code) in [("totp", generator.code(app)), ("recovery_code", codes[0].clone())] {
        let browser = app.browser();
        let (page, _) = browser.open_sign_in_page(&portal).await;
        let page = browser.submit_password(&page, &patient).await;
        let page = if method == "totp" { page } else { browser.choose_method(&page, method).await };
        let form = page.form().with("code", &code);
        steps.push(Step { browser, page, form, button: "continue" });
    }
    let browser = app.browser();
    let (page, _) = browser.open_sign_in_page(&portal).await;
    let page = browser.submit_password(&page, &patient).await;
    let page = browser.get(page.link("a[href^='/login/other-ways']").expect("a link")).await;
    let form = page.form().with("method", "email_code");
    steps.push(Step { browser, page, form, button: "continue" });

    let patient = app.patient("Wiremu").await;
    let (mut device, _) = app.browser().register_passkey(app, &patient).await;
    let browser = app.browser();
    let (page, _) = browser.open_sign_in_page(&portal).await;
    let page = browser.submit_password(&page, &patient).await;
    let page = browser.choose_method(&page, "passkey").await;
    let (options, form) = page.ceremony();
    let form = form.with("answer", &device.get(&options));
    steps.push(Step { browser, page, form, button: "" });

    let (browser, patient) = (app.browser(), app.patient("Aroha").await);
    app.force_reset(&patient).await;
    let (page, code, _) = browser.sign_in_to_code_page(app, &portal, &patient).await;
    let page = browser.submit_code(&page, &code).await;
    let form = page.form().with("new_password", "a walk along the river at noon");
    steps.push(Step { browser, page, form, button: "continue" });

    let (browser, patient) = (app.browser(), app.patient("Tama").await);
    let (page, code, _) = browser.sign_in_to_code_page(app, &lab, &patient).await;
    let page = browser.submit_code(&page, &code).await;
    let form = page.form();
    steps.push(Step { browser, page, form, button: "allow" });

    let come_to: BTreeSet<&str> = steps.iter().map(Step::path).collect();
    let pages = routes_of(&[Class::Page]).filter(|route| route.step.is_some());
    let pages: BTreeSet<&str> = pages.map(|route| route.path).collect();
    assert_eq!(come_to, pages, "every page of a step is a step of `steps`: add the new one");
    steps
}

/// A page without its script tags and without the links of the brand.
fn without_own_parts(body: &str) -> String {
    let script = Regex::new("<script src=\"/assets/[a-z]+-[0-9a-f]+\\.js\" defer></script>");
    let page = script.expect("a pattern").replace_all(body, "").into_owned();
    page.replace("https://www.example.org/", "")
}

/// `/` is what a person types who knows the name of the host alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn root_leads_to_home() {
    let app = TestApp::start(Engine::Sqlite).await;
    let answer = app.browser().get("/").await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, HOME));
    // Each page that ends somewhere leads there, too.
    for path in ["/nothing", "/login/code?attempt=x", "/oauth2/authorize", "/language?to=xx"] {
        let page = app.browser().get(path).await;
        let link = format!("<a class=\"button\" href=\"{HOME}\">Go to Test Health</a>");
        assert!(page.body.contains(&link), "{path}: {}", page.text());
        assert!(page.body.contains("href=\"https://www.example.org/privacy\""), "{path}");
    }
}

/// Checks the headers that every answer to a person must have.
fn assert_security_headers(what: &str, answer: &Response) {
    let policy = answer.header("content-security-policy");
    for part in [
        "default-src 'none'",
        "script-src 'self';",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
    ] {
        assert!(policy.contains(part), "{what}: {policy}");
    }
    assert!(!policy.contains("unsafe-") && !policy.contains('*'), "{what}: {policy}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cache-control", "no-store"),
        // On http, browsers ignore this header, so it is not sent.
        ("strict-transport-security", ""),
    ] {
        assert_eq!(answer.header(name), value, "{what}: {name}");
    }
    for name in answer.headers.keys() {
        assert!(!name.as_str().starts_with("access-control-"), "{what}: {name}");
    }
    for header in answer.headers.get_all("set-cookie") {
        let cookie = header.to_str().expect("text");
        assert!(
            cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Lax"),
            "{what}: {cookie}"
        );
        assert!(cookie.contains("; Path=/") && !cookie.contains("Domain="), "{what}: {cookie}");
    }
    // The page contains nothing that the policy forbids: scripts of ours alone, and links to the service.
    let mut page = without_own_parts(&answer.body);
    if !answer.header("refresh").is_empty() {
        // The page that leads to the client names its address.
        page = page.replace("href=\"https://", "href=\"");
    }
    for part in
        ["<script", " style=\"", " onclick=", " onload=", "javascript:", "http://", "https://"]
    {
        assert!(!page.contains(part), "{what}: {part} in {}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_has_security_headers() {
    let app = TestApp::start(Engine::Sqlite).await;
    for step in steps(&app).await {
        assert_eq!(step.page.status, 200, "{}", step.path());
        assert_security_headers(step.path(), &step.page);
        let attempt = step.form.value("attempt");
        let again = step.browser.get(format!("{}?attempt={attempt}", step.path())).await;
        assert_eq!(again.status, 200, "{} opened again", step.path());
        assert_security_headers(step.path(), &again);
        let onwards = step.browser.post(&step.form, step.button).await;
        assert!(onwards.location().is_some(), "{}: {}", step.path(), onwards.text());
        assert_security_headers(step.path(), &onwards);
    }
    // A person with a session, at the entry points.
    let (client, patient) = (app.client("clinic").await, app.patient("Ana").await);
    let browser = app.browser();
    let (entry, _) = browser.open_sign_in_page(&client).await;
    assert_security_headers("/oauth2/authorize", &entry);
    browser.sign_in(&app, &client, &patient).await;
    let question = browser.get("/oauth2/logout").await;
    assert!(question.has_field("form"), "{}", question.text());
    assert_security_headers("/oauth2/logout", &question);
    for button in ["cancel", "continue"] {
        let answer = browser.post(&question.form(), button).await;
        assert_eq!(answer.status, 200, "{button}");
        assert_security_headers(button, &answer);
    }
    // The pages of an account.
    let patient = app.patient("Rua").await;
    let browser = app.browser();
    browser.enroll(&app, &patient).await;
    for route in routes_of(&[Class::Page]).filter(|route| route.step.is_none()) {
        let page = browser.get(route.path).await;
        assert!(page.has_field("form"), "{}: {}", route.path, page.text());
        assert_security_headers(route.path, &page);
    }
    // Without any session or attempt, with every method.
    for route in ROUTES.iter().filter(|route| route.class.is_for_people()) {
        for method in route.methods {
            let headers = [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")];
            let answer = send(&app.browser(), method, route.path, &headers).await;
            assert_security_headers(&format!("{method} {}", route.path), &answer);
        }
    }
}

/// State that a refused post must not change.
const STATE: [&str; 14] = [
    "SELECT COUNT(*) FROM attempts",
    "SELECT CAST(COALESCE(SUM(version), 0) AS BIGINT) FROM attempts",
    "SELECT COUNT(*) FROM email_challenges",
    "SELECT CAST(COALESCE(SUM(tries), 0) AS BIGINT) FROM email_challenges",
    "SELECT CAST(COALESCE(SUM(sends), 0) AS BIGINT) FROM email_challenges",
    "SELECT CAST(COALESCE(SUM(spent), 0) AS BIGINT) FROM throttles",
    "SELECT CAST(COALESCE(SUM(version), 0) AS BIGINT) FROM passwords",
    "SELECT COUNT(*) FROM sign_ins",
    "SELECT COUNT(*) FROM sessions WHERE ended_at IS NULL",
    "SELECT COUNT(*) FROM consents",
    "SELECT COUNT(*) FROM grants WHERE ended_at IS NULL",
    "SELECT COUNT(*) FROM auth_codes",
    "SELECT COUNT(*) FROM jobs",
    // The mail server may accept mails meanwhile.
    "SELECT COUNT(*) FROM audit WHERE event <> 'code.accepted'",
];

async fn state(app: &TestApp) -> Vec<i64> {
    // The worker writes a row of its own at the end of a mail, at any time.
    app.wait_for_jobs().await;
    let mut all = Vec::new();
    for sql in STATE {
        all.push(app.count(sql).await);
    }
    all
}

/// One of our forms, posted from another site or without the token that only our page has.
#[apply(both_engines)]
async fn case_40_cross_site_form_changes_nothing(engine: Engine) {
    let app = TestApp::start(engine).await;
    let elsewhere: [&[(&str, &str)]; 7] = [
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "cross-site"), ("origin", app.issuer())],
        &[("sec-fetch-site", "nonsense")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", "http://localhost")],
    ];
    for step in steps(&app).await {
        let before = state(&app).await;
        for headers in elsewhere {
            let answer = step.post(&step.browser, headers, &step.form).await;
            assert_eq!(answer.status, 403, "{} {headers:?}", step.path());
            assert_eq!(state(&app).await, before, "{} {headers:?}", step.path());
        }
        let ours = [("sec-fetch-site", "same-origin")];
        for form in [step.without("form"), step.form.clone().with("form", "")] {
            let answer = step.post(&step.browser, &ours, &form).await;
            assert_eq!(answer.status, 403, "{} without a token", step.path());
            assert_eq!(state(&app).await, before, "{} without a token", step.path());
        }
        for (what, browser, form) in strange_tokens(&app, &step) {
            let answer = step.post(&browser, &ours, &form).await;
            assert_refused(&format!("{} {what}", step.path()), &answer, &app);
            assert_eq!(state(&app).await, before, "{} {what}", step.path());
        }
        // The same form from its own page: with fetch metadata, and without (each form is accepted once).
        let answer = step.post(&step.browser, &ours, &step.form).await;
        assert!(answer.location().is_some(), "{}: {}", step.path(), answer.text());
        assert_ne!(state(&app).await, before, "{}: it would have changed something", step.path());
    }
}

/// Entry points accept posts from every site, so a post alone must change nothing there.
#[apply(both_engines)]
async fn case_40_entry_point_post_changes_nothing(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    browser.sign_in(&app, &client, &patient).await;
    let before = state(&app).await;
    let question = browser.get("/oauth2/logout").await;
    for route in routes_of(&[Class::Entry]).filter(|route| has_method(route, "POST")) {
        let pending = vestibule_tests::client::PendingRequest::new(&client);
        let mut fields = pending.params(&[]);
        fields.extend(
            [("action", "continue"), ("form", "x")].map(|(n, v)| (n.to_owned(), v.to_owned())),
        );
        for fields in [&fields[..], &fields[..fields.len() - 1]] {
            let headers = [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")];
            let answer = browser.send(Method::POST, route.path, &headers, Some(fields)).await;
            assert!(
                [303, 403].contains(&answer.status.as_u16()),
                "{}: {}",
                route.path,
                answer.status
            );
            let to = answer.location();
            assert!(to.is_none_or(|to| to.as_str().starts_with(app.issuer())), "{}", route.path);
            assert_eq!(state(&app).await, before, "{}", route.path);
        }
    }
    // The confirmation itself: only in the browser that was asked.
    let stranger = app.browser();
    assert_eq!(stranger.post(&question.form(), "continue").await.status, 403);
    assert_eq!(state(&app).await, before);
    assert!(browser.post(&question.form(), "continue").await.has_text("You are signed out"));
}

/// Tokens that are not this form's: altered, of another form, of another browser, and the form in another browser.
fn strange_tokens(app: &TestApp, step: &Step) -> Vec<(&'static str, HttpBrowser, Form)> {
    let token = step.form.value("form");
    let altered = format!("{}{}", if token.starts_with('A') { 'B' } else { 'A' }, &token[1..]);
    let with = |token: &str| step.form.clone().with("form", token);
    vec![
        ("with an altered token", step.browser.with_copied_cookies(), with(&altered)),
        ("with half a token", step.browser.with_copied_cookies(), with(&token[..token.len() / 2])),
        (
            "with the attempt as token",
            step.browser.with_copied_cookies(),
            with(step.form.value("attempt")),
        ),
        ("in another browser", app.browser(), step.form.clone()),
        ("without an attempt", step.browser.with_copied_cookies(), step.without("attempt")),
        (
            "with another attempt",
            step.browser.with_copied_cookies(),
            step.form.clone().with("attempt", "x"),
        ),
    ]
}

/// Refused, or shown again: another tab may have signed in and changed the browser's cookie since the form was shown.
fn assert_refused(what: &str, answer: &Response, app: &TestApp) {
    match answer.status.as_u16() {
        403 => {}
        400 => assert!(answer.has_text("does not keep our cookie"), "{what}: {}", answer.text()),
        200 => assert!(answer.has_field("password"), "{what}: {}", answer.text()),
        303 => {
            let to = answer.location().expect("a redirect has a location");
            let ours = format!("{}/login/", app.issuer());
            assert!(to.as_str().starts_with(&ours), "{what}: {to}");
        }
        other => panic!("{what}: {other}"),
    }
}
