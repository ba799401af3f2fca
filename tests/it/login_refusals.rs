//! What a post was refused for is shown by the page that the answer redirects to (post, redirect, get).

use std::time::Duration;

use vestibule_tests::{app::TestApp, db::Engine};

use crate::engines::{apply, both_engines};

#[apply(both_engines)]
async fn refusal_is_shown_by_get(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (page, _) = browser.open_sign_in_page(&client).await;
    let form = page.form().with("email", &patient.email).with("password", "not the password");
    let answer = browser.post_only(&form, "continue").await.expect("an answer");
    assert_eq!(answer.status, 303);
    let to = answer.location().expect("a redirect").to_string();
    assert!(!to.contains("Mere") && !to.to_lowercase().contains("patients"), "{to}");
    for _ in 0..2 {
        let shown = browser.get(&to).await;
        assert_eq!(shown.status, 200);
        assert!(shown.has_text("the password is not right"), "{}", shown.text());
        assert_eq!(shown.form().value("email"), patient.email, "the address is kept");
    }
    assert_eq!(app.audit_outcomes("password.checked").await, ["wrong"], "a reload posts nothing");
    // The same in the other language, with the address and the sentence.
    let shown = browser.get(&to).await;
    let other = browser.follow(browser.get(shown.language_switch()).await).await;
    assert_eq!((other.language(), other.form().value("email")), ("mi", patient.email.as_str()));
    assert!(other.text() != shown.text() && other.body.contains("password-error"));
}

/// It belongs to the attempt as it was after the post: a later post ends it, and another attempt does not show it.
#[apply(both_engines)]
async fn refusal_ends_with_next_post(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (page, code, pending) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    let wrong = |nth: u32| {
        let other = (code.parse::<u32>().expect("digits") + nth) % 1_000_000;
        page.form().with("code", &format!("{other:06}"))
    };
    let refused = async |nth: u32| {
        let answer = browser.post_only(&wrong(nth), "continue").await.expect("an answer");
        answer.location().expect("a redirect").to_string()
    };
    let first = refused(1).await;
    assert!(browser.get(&first).await.has_text("You have 4 tries left"));
    let second = refused(2).await;
    assert!(browser.get(&second).await.has_text("You have 3 tries left"));
    let earlier = browser.get(&first).await;
    assert!(!earlier.has_text("tries left") && earlier.has_field("code"), "{}", earlier.text());
    // Nothing is shown of it in another attempt, or of a changed one.
    let (_, refused) = second.split_once("refused=").expect("the parameter");
    let (other, _) = browser.open_sign_in_page(&client).await;
    let attempt: String =
        url::form_urlencoded::byte_serialize(other.form().value("attempt").as_bytes()).collect();
    for refused in [refused, &refused[1..], "x"] {
        let shown =
            browser.get(format!("/login/password?attempt={attempt}&refused={refused}")).await;
        assert_eq!(shown.status, 200);
        assert!(!shown.has_text("There is a problem"), "{}", shown.text());
    }
    browser.submit_code(&page, &code).await.authorization_response(pending).code();
}

#[apply(both_engines)]
async fn blocked_cookie_is_explained(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let (page, _) = app.browser().open_sign_in_page(&client).await;
    let answer = app.browser().submit_password(&page, &patient).await;
    assert_eq!(answer.status, 400);
    assert!(answer.has_text("Your browser does not keep our cookie"), "{}", answer.text());
    let host = app.issuer().split("//").nth(1).expect("a host");
    assert!(answer.has_text(&format!("Allow cookies for {host}")), "{}", answer.text());
    assert!(app.audit_outcomes("password.checked").await.is_empty());
}

/// Another tab that signed in has changed the browser's cookie: the page says so, and keeps the address.
#[apply(both_engines)]
async fn page_of_other_tab_says_why(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (waiting, pending) = browser.open_sign_in_page(&client).await;
    browser.sign_in(&app, &client, &patient).await;
    let again = browser.submit_password(&waiting, &patient).await;
    assert!(again.has_text("Something changed in another tab"), "{}", again.text());
    assert_eq!(again.form().value("email"), patient.email);
    let mails = app.mail.codes_to(&patient.email).len();
    let page = browser.submit_password(&again, &patient).await;
    let code = app.mail.wait_for_code(&patient.email, mails + 1).await;
    browser.submit_code(&page, &code).await.authorization_response(pending).code();
}

#[apply(both_engines)]
async fn empty_form_names_both_fields(engine: Engine) {
    let app = TestApp::start(engine).await;
    let client = app.client("portal").await;
    let browser = app.browser();
    let (page, _) = browser.open_sign_in_page(&client).await;
    let answer = browser.post(&page.form(), "continue").await;
    for text in ["Enter your e-mail address", "Enter your password"] {
        assert!(answer.has_text(text), "{}", answer.text());
    }
}

/// "Start again" keeps the address, and a consent page that was left open is decided about anew.
#[apply(both_engines)]
async fn restart_and_old_consent_lead_on(engine: Engine) {
    let app = TestApp::start(engine).await;
    let patient = app.patient("Mere").await;
    let lab = app.client_with("lab", |new| new.operator.first_party = false).await;
    let browser = app.browser();
    let (page, code, pending) = browser.sign_in_to_code_page(&app, &lab, &patient).await;
    let start = browser.follow(browser.post(&page.form(), "restart").await).await;
    assert_eq!(start.form().value("email"), patient.email);
    let page = browser.submit_password(&start, &patient).await;
    let consent = browser.submit_code(&page, &code).await;
    browser.post(&consent.form(), "deny").await.authorization_response(pending);
    // With a session the consent page has no row.
    let (consent, pending) = browser.open_sign_in_page(&lab).await;
    assert!(consent.has_text("Share with The lab?"), "{}", consent.text());
    app.set_setting("session.idle", "2h").await;
    app.clock.advance(Duration::from_mins(61));
    let again = browser.follow(browser.post(&consent.form(), "allow").await).await;
    assert!(again.has_text("Share with The lab?"), "{}", again.text());
    browser.post(&again.form(), "allow").await.authorization_response(pending).code();
}

#[apply(both_engines)]
async fn code_in_arabic_digits_signs_in(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (page, code, pending) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    let arabic: String =
        code.chars().filter_map(|digit| char::from_u32(0x0660 + digit.to_digit(10)?)).collect();
    let typed = format!("\u{2066}#{} {}\u{2069}", &arabic[..6], &arabic[6..]);
    browser.submit_code(&page, &typed).await.authorization_response(pending).code();
}

/// A redirect to a page that needs a cookie would lead a browser that keeps none there for ever.
#[apply(both_engines)]
async fn page_without_cookie_is_no_redirect(engine: Engine) {
    let app = TestApp::start(engine).await;
    let client = app.client("portal").await;
    let (page, _) = app.browser().open_sign_in_page(&client).await;
    let attempt: String =
        url::form_urlencoded::byte_serialize(page.form().value("attempt").as_bytes()).collect();
    for path in ["/login/password", "/login/code", "/login/consent"] {
        let shown = app.browser().get(format!("{path}?attempt={attempt}")).await;
        assert_eq!(shown.status, 200, "{path}: {:?}", shown.location());
        assert!(shown.has_field("password"), "{path}: {}", shown.text());
    }
}

/// What was typed for one step is not for the field of another, nor for a later person at the same device.
#[apply(both_engines)]
async fn typed_value_stays_at_its_step(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (start, _) = browser.open_sign_in_page(&client).await;
    let form = start.form().with("email", &patient.email).with("password", "not the password");
    let refused = browser.post_only(&form, "continue").await.expect("an answer");
    let to = refused.location().expect("a redirect").to_string();
    assert_eq!(browser.get(&to).await.form().value("email"), patient.email);
    app.clock.advance(Duration::from_mins(16));
    let later = browser.get(&to).await;
    assert!(!later.has_text("There is a problem"), "{}", later.text());
    assert_eq!(later.form().value("email"), "");
    // An old tab posts a password while a code is awaited.
    assert!(browser.submit_password(&start, &patient).await.has_field("code"));
    let page = browser.post(&form, "continue").await;
    assert!(page.has_field("code"), "{}", page.text());
    assert_eq!(page.form().value("code"), "");
}

/// "Cancel" on a page that was left open leads back to the client, as it does on a new one.
#[apply(both_engines)]
async fn cancel_on_old_page_returns(engine: Engine) {
    let app = TestApp::start(engine).await;
    let client = app.client("portal").await;
    let browser = app.browser();
    let (page, pending) = browser.open_sign_in_page(&client).await;
    app.clock.advance(Duration::from_hours(3));
    let answer = browser.post(&page.form(), "cancel").await.authorization_response(pending);
    assert_eq!(answer.error(), "access_denied");
}
