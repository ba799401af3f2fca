//! `/account` and the pages behind it.

use std::time::Duration;

use vestibule_tests::{app::TestApp, authenticator_app::AuthenticatorApp, db::Engine};

use crate::engines::{apply, both_engines};

/// Ruling A18: without a session the page is the goal of a sign-in of its own: no client, no grant.
#[apply(both_engines)]
async fn account_without_session_signs_in(engine: Engine) {
    let app = TestApp::start(engine).await;
    let patient = app.patient("Mere").await;
    let browser = app.browser();
    let page = browser.get("/account").await;
    assert!(page.has_field("password"), "{}", page.text());
    assert_eq!(app.count("SELECT COUNT(*) FROM attempts").await, 0, "a GET writes nothing");
    let page = browser.open_account(&app, &patient, "/account").await;
    assert!(page.has_text(&patient.email), "{}", page.text());
    for table in ["SELECT COUNT(*) FROM grants", "SELECT COUNT(*) FROM auth_codes"] {
        assert_eq!(app.count(table).await, 0, "{table}");
    }
    let clients = "SELECT COUNT(*) FROM attempts WHERE client_id IS NOT NULL OR goal <> 'account'";
    assert_eq!(app.count(clients).await, 0);
    // The session serves a client afterwards, too.
    assert_eq!(browser.get("/account").await.texts("h1"), ["Your account"]);
}

#[apply(both_engines)]
async fn cancelled_account_sign_in_leads_home(engine: Engine) {
    let app = TestApp::start(engine).await;
    let browser = app.browser();
    let page = browser.get("/account/authenticator-apps").await;
    let left = browser.post(&page.form(), "cancel").await;
    let to = left.location().expect("a way on");
    assert_eq!(to.as_str(), vestibule_tests::app::HOME);
}

#[apply(both_engines)]
async fn app_is_added_renamed_and_removed(engine: Engine) {
    let app = TestApp::start(engine).await;
    let patient = app.patient("Mere").await;
    let browser = app.browser();
    let (_, codes) = browser.enroll(&app, &patient).await;
    assert_eq!(codes.len(), 10, "the first app brings recovery codes");
    app.clock.advance(Duration::from_mins(1));
    let (_, page) = browser.add_app(&app, "Tablet").await;
    assert_eq!(page.url.path(), "/account/authenticator-apps", "the list stays as it is");
    assert_eq!(page.texts("section h2"), ["My phone", "Tablet"]);
    let [rename, _] = &page.forms()[..2] else { panic!("two forms for an app") };
    let page = browser
        .follow(browser.post(&rename.clone().with("name", "Old phone"), "rename").await)
        .await;
    assert_eq!(page.texts("section h2"), ["Old phone", "Tablet"]);
    let remove = &page.forms()[1];
    let page = browser.follow(browser.post(remove, "remove").await).await;
    assert_eq!(page.texts("section h2"), ["Tablet"]);
    assert_eq!(app.count("SELECT COUNT(*) FROM recovery_codes").await, 10);
    let page = browser.follow(browser.post(&page.forms()[1], "remove").await).await;
    assert!(page.has_text("The app was removed") && page.texts("section h2").is_empty());
    assert_eq!(app.count("SELECT COUNT(*) FROM recovery_codes").await, 0, "they die with it");
    app.wait_for_jobs().await;
    for told in ["app was added", "An authenticator app was removed", "last authenticator app"] {
        assert!(app.mail.find(&patient.email, told, 0).is_some(), "{told}");
    }
    for (event, count) in [("method.added", 2), ("method.renamed", 1), ("method.removed", 2)] {
        assert_eq!(app.audit_outcomes(event).await.len(), count, "{event}");
    }
}

/// Nothing is stored before the first right code, and the same enrolment posted twice adds one app.
#[apply(both_engines)]
async fn enrolment_counts_once_when_proven(engine: Engine) {
    let app = TestApp::start(engine).await;
    let patient = app.patient("Mere").await;
    let browser = app.browser();
    let page = browser.open_account(&app, &patient, "/account/authenticator-apps").await;
    let page = browser.follow(browser.post(&page.form(), "add").await).await;
    let again = browser.get(page.url.as_str()).await;
    assert_eq!(again.link("a[href^='otpauth:']"), page.link("a[href^='otpauth:']"), "a reload");
    let generator = AuthenticatorApp::scan(&page);
    let form = page.form().with("name", "Phone");
    let wrong = browser.follow(browser.post(&form.clone().with("code", "000000"), "confirm").await);
    let wrong = wrong.await;
    assert!(wrong.has_text("That code is not right"), "{}", wrong.text());
    let off = generator.code_ahead(&app, 120);
    let off = browser.follow(browser.post(&form.clone().with("code", &off), "confirm").await).await;
    assert!(off.has_text("about 2 minutes ahead"), "{}", off.text());
    let nameless = form.clone().with("code", &generator.code(&app)).with("name", " ");
    let nameless = browser.follow(browser.post(&nameless, "confirm").await).await;
    assert!(nameless.has_text("Enter a name"), "{}", nameless.text());
    assert_eq!(app.count("SELECT COUNT(*) FROM totp_apps").await, 0);
    let right = form.with("code", &generator.code(&app));
    for _ in 0..2 {
        let page = browser.follow(browser.post(&right, "confirm").await).await;
        assert!(page.has_text("The app was added"), "{}", page.text());
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM totp_apps").await, 1);
    assert_eq!(app.audit_outcomes("method.added").await.len(), 1);
}

#[apply(both_engines)]
async fn enrolment_ends_after_quarter_hour(engine: Engine) {
    let app = TestApp::start(engine).await;
    let patient = app.patient("Mere").await;
    let browser = app.browser();
    let page = browser.open_account(&app, &patient, "/account/authenticator-apps").await;
    let page = browser.follow(browser.post(&page.form(), "add").await).await;
    let generator = AuthenticatorApp::scan(&page);
    // Who looks for an app meanwhile need not sign in again.
    app.clock.advance(Duration::from_mins(14));
    let again = browser.get(page.url.as_str()).await;
    assert!(again.has_field("code"), "{}", again.text());
    app.clock.advance(Duration::from_mins(2));
    let over = browser.follow(browser.get(page.url.as_str()).await).await;
    assert!(over.has_text("it took too long"), "{}", over.text());
    let form = page.form().with("code", &generator.code(&app)).with("name", "Phone");
    let answer = browser.follow(browser.post(&form, "confirm").await).await;
    assert!(answer.has_text("it took too long"), "{}", answer.text());
    assert_eq!(app.count("SELECT COUNT(*) FROM totp_apps").await, 0);
}

/// Misuse case 22: who has the password and the mailbox of an account with an app changes none of its methods.
#[apply(both_engines)]
async fn case_22_weaker_sign_in_changes_no_method(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let (generator, _) = app.browser().enroll(&app, &patient).await;
    app.clock.advance(Duration::from_secs(90));
    let thief = app.browser();
    let (start, _) = thief.open_sign_in_page(&client).await;
    let page = thief.submit_password(&start, &patient).await;
    let mails = app.mail.codes_to(&patient.email).len();
    let page = thief.choose_method(&page, "email_code").await;
    let code = app.mail.wait_for_code(&patient.email, mails + 1).await;
    thief.submit_code(&page, &code).await;
    let page = thief.get("/account/authenticator-apps").await;
    assert!(page.has_text("My phone") && page.forms().is_empty(), "{}", page.text());
    let mut page = page;
    for path in ["/account?again=1", "/account/authenticator-apps?again=1"] {
        let again = thief.get(path).await;
        page = thief.submit_password(&again, &patient).await;
        assert_eq!(page.url.path(), "/login/totp");
        let ways = thief.get(page.link("a[href^='/login/other-ways']").unwrap()).await;
        assert!(!ways.text().contains("Send a code"), "no code by e-mail: {}", ways.text());
    }
    let page = thief.submit_code(&page, &generator.code(&app)).await;
    assert_eq!(page.url.path(), "/account/authenticator-apps");
    assert!(!page.forms().is_empty(), "with the app it may be changed");
}

/// Five minutes after the sign-in, and in another session, nothing is changed.
#[apply(both_engines)]
async fn stale_sign_in_changes_no_method(engine: Engine) {
    let app = TestApp::start(engine).await;
    let patient = app.patient("Mere").await;
    let browser = app.browser();
    browser.enroll(&app, &patient).await;
    let page = browser.get("/account/authenticator-apps").await;
    let [_, remove, add] = &page.forms()[..3] else { panic!("three forms") };
    app.clock.advance(Duration::from_mins(6));
    for (form, action) in [(remove, "remove"), (add, "add")] {
        let page = browser.follow(browser.post(form, action).await).await;
        assert!(page.has_field("password"), "{action}: {}", page.text());
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM totp_apps").await, 1);
    let other = app.browser();
    let page = other.follow(other.post(remove, "remove").await).await;
    assert_ne!(page.status, 500);
    let forged = remove.clone().with("form", "AAAA");
    let page = browser.follow(browser.post(&forged, "remove").await).await;
    assert_eq!(page.url.path(), "/account/authenticator-apps");
    assert_eq!(app.count("SELECT COUNT(*) FROM totp_apps").await, 1);
}

/// Ruling A37: "no codes by e-mail" needs another way, and lapses with the last app.
#[apply(both_engines)]
async fn email_codes_are_turned_off(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    browser.enroll(&app, &patient).await;
    let page = browser.get("/account").await;
    let page = browser.follow(browser.post(&page.form(), "email-off").await).await;
    assert!(page.has_text("we send you no codes by e-mail"), "{}", page.text());
    let other = app.browser();
    let (start, _) = other.open_sign_in_page(&client).await;
    let totp = other.submit_password(&start, &patient).await;
    let ways = other.get(totp.link("a[href^='/login/other-ways']").unwrap()).await;
    assert_eq!(ways.texts("ul.choices button"), ["Authenticator app", "Recovery code"]);
    let page = browser.get("/account/authenticator-apps").await;
    browser.follow(browser.post(&page.forms()[1], "remove").await).await;
    let other = app.browser();
    let (start, _) = other.open_sign_in_page(&client).await;
    assert_eq!(other.submit_password(&start, &patient).await.url.path(), "/login/code");
}

/// `totp.apps` holds also when two are added at once.
#[apply(both_engines)]
async fn apps_of_person_are_limited(engine: Engine) {
    let app = TestApp::start(engine).await;
    let patient = app.patient("Mere").await;
    app.set_setting("totp.apps", "2").await;
    let browser = app.browser();
    let start = browser.open_account(&app, &patient, "/account/authenticator-apps").await;
    let mut posts = Vec::new();
    for nth in 0..3 {
        let page = browser.follow(browser.post(&start.form(), "add").await).await;
        let code = AuthenticatorApp::scan(&page).code(&app);
        posts.push(page.form().with("code", &code).with("name", &format!("Phone {nth}")));
    }
    let posts = posts.into_iter().map(|form| {
        let browser = browser.clone();
        tokio::spawn(async move { browser.follow(browser.post(&form, "confirm").await).await })
    });
    for post in posts.collect::<Vec<_>>() {
        post.await.unwrap();
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM totp_apps").await, 2);
    let page = browser.get("/account/authenticator-apps").await;
    assert!(!page.has_text("Add an app"), "{}", page.text());
    let refused = browser.follow(browser.post(&start.form(), "add").await).await;
    assert!(refused.has_text("You have 2 apps already"), "{}", refused.text());
}

/// Misuse case 2: a browser that has proven the password alone is at no page of the account.
#[apply(both_engines)]
async fn case_2_first_step_opens_no_account(engine: Engine) {
    let app = TestApp::start(engine).await;
    let patient = app.patient("Mere").await;
    let browser = app.browser();
    let page = browser.get("/account").await;
    let code_page = browser.submit_password(&page, &patient).await;
    assert!(code_page.has_field("code"));
    for path in ["/account", "/account/authenticator-apps", "/account/recovery-codes"] {
        let page = browser.get(path).await;
        assert!(page.has_field("password"), "{path}: {}", page.text());
        assert!(!page.has_text(&patient.name), "{path}: {}", page.text());
    }
}

/// Misuse case 40: one of our forms, posted from another site, by another browser or without its token.
#[apply(both_engines)]
async fn case_40_account_form_needs_own_page(engine: Engine) {
    let app = TestApp::start(engine).await;
    let patient = app.patient("Mere").await;
    let browser = app.browser();
    browser.enroll(&app, &patient).await;
    let pages = [
        ("/account", "email-off"),
        ("/account/authenticator-apps", "remove"),
        ("/account/recovery-codes", "make"),
    ];
    for (path, action) in pages {
        let forms = browser.get(path).await.forms();
        let form = forms.get(1).unwrap_or(&forms[0]);
        let mut fields = form.fields.clone();
        fields.push(("action".to_owned(), action.to_owned()));
        for headers in [
            [("sec-fetch-site", "cross-site")],
            [("sec-fetch-site", "same-site")],
            [("origin", "https://evil.example")],
        ] {
            let answer = browser.send(reqwest::Method::POST, path, &headers, Some(&fields)).await;
            assert_eq!(answer.status, 403, "{path} {headers:?}");
        }
        let without = form.clone().with("form", "");
        assert_eq!(browser.post(&without, action).await.status, 403, "{path}");
        for token in ["AAAA", &form.value("form")[1..]] {
            let answer = browser.post(&form.clone().with("form", token), action).await;
            assert_eq!(answer.location().map(|to| to.path().to_owned()).as_deref(), Some(path));
        }
        let stranger = app.browser().post(form, action).await;
        assert_eq!(stranger.status, 400, "{path}: {}", stranger.text());
    }
    for (sql, expected) in [
        ("SELECT COUNT(*) FROM users WHERE email_codes_off_since IS NULL", 1),
        ("SELECT COUNT(*) FROM totp_apps", 1),
        ("SELECT COUNT(*) FROM audit WHERE event = 'recovery_codes.made'", 1),
    ] {
        assert_eq!(app.count(sql).await, expected, "{sql}");
    }
}
