//! Every page that has no states of its own; those of the sign-in steps are in `http/login`.

use askama::Template;
use jiff::tz::TimeZone;
use store::Timestamp;

use super::{
    messages::PageText,
    page_checks::{FRAME, assert_valid_page, attribute, contents, tags},
    *,
};
use crate::http::step::{self, Step};

/// A name that would end an attribute, a tag and a sentence.
const HOSTILE: &str = "Bobby \"><script>alert(1)</script>&<b>'{ $x }";

fn form(step: &Step) -> StepForm<'static> {
    let (path, step) = (step.path, step.name);
    StepForm { path, step, attempt: "0197", token: "token".into(), refused: None }
}

fn buttons(html: &str) -> Vec<(&str, &str)> {
    let of = |tag| (attribute(tag, "class").unwrap_or(""), attribute(tag, "value").unwrap_or(""));
    tags(html, "button").map(of).collect()
}

fn password(problem: Option<FormProblem>, email: &str) -> String {
    let lede = FRAME.l.tr("password-lede", &[("client", "The lab".into())]);
    let problems = problem.into_iter().collect();
    PasswordPage { f: FRAME, form: form(&step::PASSWORD), problems, lede, email, passkey: None }
        .render()
        .unwrap()
}

#[test]
fn password_page_fields_and_buttons() {
    let html = password(None, "mere@example.org");
    assert_valid_page(&html, FRAME.l);
    assert!(html.contains("<p class=\"lede\">to continue to The lab</p>"), "{html}");
    assert_eq!(buttons(&html), [("primary", "continue"), ("quiet", "cancel")]);
    let fields: Vec<_> =
        tags(&html, "input").map(|tag| (attribute(tag, "name"), attribute(tag, "value"))).collect();
    assert_eq!(
        fields,
        [
            (Some("attempt"), Some("0197")),
            (Some("form"), Some("token")),
            (Some("email"), Some("mere@example.org")),
            (Some("password"), None),
        ]
    );
    assert!(!html.contains("aria-invalid"), "{html}");
}

#[test]
fn problem_is_shown_at_field() {
    for field in ["email", "password"] {
        let html = password(Some(FormProblem::new(field, "It is <not> right")), "");
        assert_valid_page(&html, FRAME.l);
        let wrong: Vec<_> =
            tags(&html, "input").filter(|tag| tag.contains("aria-invalid")).collect();
        assert_eq!(wrong.len(), 1, "{html}");
        assert_eq!(attribute(wrong[0], "name"), Some(field));
        assert_eq!(
            attribute(wrong[0], "aria-describedby"),
            Some(format!("{field}-error").as_str())
        );
    }
}

fn new_password(problem: Option<FormProblem>) -> String {
    let rule = FRAME.l.tr("new-rule", &[("length", 15.into())]);
    let page = NewPasswordPage {
        f: FRAME,
        form: form(&step::PASSWORD),
        problems: problem.into_iter().collect(),
        rule,
        email: "mere@example.org",
    };
    page.render().unwrap()
}

#[test]
fn new_password_page_fields_and_buttons() {
    for problem in [None, Some(FormProblem::new("new_password", "Too short"))] {
        let html = new_password(problem);
        assert_valid_page(&html, FRAME.l);
        assert!(html.contains("At least 15 characters"), "{html}");
        assert_eq!(
            buttons(&html),
            [("primary", "continue"), ("quiet", "restart"), ("quiet", "cancel")]
        );
        let hints: Vec<_> =
            tags(&html, "input").filter_map(|tag| attribute(tag, "autocomplete")).collect();
        assert_eq!(hints, ["username", "new-password"], "password managers need both");
    }
}

fn shared(scope: &str, claims: &[(&str, &str)]) -> SharedData {
    let claims = claims.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    let text = PageText { f: FRAME, zone: &TimeZone::UTC, now: Timestamp::from_millis(0) };
    text.shared(scope, &claims).unwrap()
}

#[test]
fn shared_data_names_each_value() {
    let profile = shared("profile", &[("birthdate", "1984-05-06"), ("name", "Mere"), ("x", "y")]);
    let values: Vec<_> =
        profile.values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(values, [("Name", "Mere"), ("Date of birth", "1984-05-06")]);
    assert_eq!(profile.none, None);
    assert!(shared("phone", &[]).none.is_some(), "it is said that there is none");
    assert_eq!(shared("openid", &[]).none, None);
}

#[test]
fn question_pages_have_one_primary_button() {
    let account = FRAME
        .l
        .tr("account-lede", &[("person", "Mere".into()), ("address", "mere@example.org".into())]);
    let lede =
        FRAME.l.tr("signed-in-lede", &[("person", "Mere".into()), ("client", "The lab".into())]);
    let signed_in = SignedInPage { f: FRAME, form: form(&step::CODE), lede }.render().unwrap();
    assert_eq!(buttons(&signed_in), [("primary", "continue")]);
    let consent = ConsentPage {
        f: FRAME,
        form: form(&step::CONSENT),
        title: FRAME.l.tr("consent-title", &[("client", "The lab".into())]),
        lede: FRAME.l.tr("consent-lede", &[("client", "The lab".into())]),
        scopes: vec![shared("openid", &[]), shared("email", &[("email", "mere@example.org")])],
        privacy: Some("/privacy"),
        privacy_text: FRAME.l.tr("consent-privacy", &[("client", "The lab".into())]),
        back: FRAME.l.tr("consent-back", &[("client", "The lab".into())]),
        account: account.clone(),
    };
    let consent = consent.render().unwrap();
    assert_eq!(
        buttons(&consent),
        [("primary", "allow"), ("secondary", "deny"), ("quiet", "restart")]
    );
    let confirm = ConfirmPage {
        f: FRAME,
        form: form(&step::CONSENT),
        title: FRAME.l.tr("confirm-title", &[("client", "The lab".into())]),
        text: FRAME.l.tr("confirm-text", &[("client", "The lab".into())]),
        account,
    };
    let confirm = confirm.render().unwrap();
    assert_eq!(
        buttons(&confirm),
        [("primary", "continue"), ("secondary", "restart"), ("quiet", "cancel")]
    );
    let lede = FRAME.l.tr("logout-lede", &[("person", "Mere".into())]);
    let logout =
        LogoutPage { f: FRAME, form: "token", lede, fields: &[("state", "a b")] }.render().unwrap();
    assert_eq!(buttons(&logout), [("primary", "continue"), ("secondary", "cancel")]);
    assert!(logout.contains("name=\"state\" value=\"a b\""), "{logout}");
    for html in [signed_in, consent, confirm, logout] {
        assert_valid_page(&html, FRAME.l);
    }
}

#[test]
fn notice_pages_are_sound() {
    for (title, text) in [("signed-out-title", "signed-out-text"), ("still-title", "still-text")] {
        let html = NoticePage {
            f: FRAME,
            page: "still",
            title: FRAME.l.t(title),
            text: FRAME.l.t(text),
            detail: None,
        }
        .render()
        .unwrap();
        assert_valid_page(&html, FRAME.l);
    }
    assert_eq!(FRAME.l.t("signed-out-title"), "You are signed out");
}

#[test]
fn frame_shows_brand_and_support() {
    let html = password(None, "");
    assert!(html.contains("<title>Sign in - Health Portal</title>"), "{html}");
    let help = "Need help? <a href=\"tel:0800111222\">0800 111 222</a></p>\n</main>";
    assert!(html.contains(help) && !html.contains("<footer"), "{html}");
    let alone = Frame { support: None, ..FRAME };
    let html = NoticePage { f: alone, page: "still", title: "A", text: "B", detail: None }
        .render()
        .unwrap();
    assert!(!html.contains("class=\"help\""), "{html}");
}

#[test]
fn foot_links_follow_configuration() {
    let link = |path: &str| format!("https://www.example.org/{path}").parse().ok();
    let links = BrandLinks { privacy: link("p?a=1&b=\"2"), accessibility: None, terms: link("t") };
    let f = Frame { links: &links, logo: Some("/assets/logo-0123456789ab.png"), ..FRAME };
    let html =
        NoticePage { f, page: "still", title: "A", text: "B", detail: None }.render().unwrap();
    let (_, foot) = html.split_once("<footer>").unwrap();
    let found: Vec<_> = tags(foot, "a").filter_map(|tag| attribute(tag, "href")).collect();
    assert_eq!(found.len(), 2, "{html}");
    assert!(found[0].starts_with("https://www.example.org/p?a=1") && !found[0].contains('"'));
    let texts: Vec<_> = contents(foot, "a").collect();
    assert_eq!(texts, ["Privacy", "Terms of use"]);
    assert!(html.contains("<img src=\"/assets/logo-0123456789ab.png\" alt=\"Health Portal\">"));
}

/// The way back to a client is left at once; the language switch could not return to it.
#[test]
fn return_page_has_client_link_alone() {
    for (is_app, start) in [(false, "<p class=\"late\">"), (true, "<p>")] {
        let location = "https://portal.example/cb?code=a&state=b";
        let page = ReturnPage {
            f: FRAME,
            title: "Back to it".to_owned(),
            link: "Continue to it".to_owned(),
            location,
            is_app,
        };
        let html = page.render().unwrap();
        let links: Vec<_> = tags(&html, "a").filter_map(|tag| attribute(tag, "href")).collect();
        assert_eq!(links.len(), 2, "the client and the telephone: {links:?}");
        assert!(
            links[0].starts_with("https://portal.example/cb?code=a")
                && links[1].starts_with("tel:")
        );
        assert!(html.contains(&format!("{start}<a class=\"button\"")), "{html}");
    }
}

/// Pages without a form end somewhere: each leads on.
#[test]
fn page_without_form_leads_home() {
    let notice = NoticePage { f: FRAME, page: "still", title: "A", text: "B", detail: None }
        .render()
        .unwrap();
    let lede = "Try again later".to_owned();
    let paused = PausedPage { f: FRAME, form: form(&step::CODE), lede }.render().unwrap();
    for html in [notice, paused] {
        assert_valid_page(&html, FRAME.l);
        let home = tags(&html, "a").find(|tag| attribute(tag, "class") == Some("button")).unwrap();
        assert_eq!(attribute(home, "href"), Some(FRAME.home));
        assert!(html.contains(">Go to Health Portal</a>"), "{html}");
    }
}

#[test]
fn password_fields_have_texts_for_show() {
    for html in [password(None, ""), new_password(None)] {
        let secret: Vec<_> =
            tags(&html, "input").filter(|tag| attribute(tag, "type") == Some("password")).collect();
        let [secret] = secret.as_slice() else { panic!("{html}") };
        for name in ["data-show", "data-show-label", "data-hide", "data-hide-label"] {
            assert!(attribute(secret, name).is_some_and(|text| !text.is_empty()), "{secret}");
        }
        assert_eq!(attribute(secret, "spellcheck"), Some("false"));
        // Without scripts there is no button that does nothing.
        assert!(!html.contains("type=\"button\""), "{html}");
    }
}

#[test]
fn problem_summary_is_first_sentence() {
    for (text, summary) in [
        ("That code is not right. You have 4 tries left", "That code is not right"),
        ("Nothing is lost: wait. Then go on", "Nothing is lost"),
        ("Enter your password", "Enter your password"),
        ("You can ask again in 9 seconds.", "You can ask again in 9 seconds."),
    ] {
        assert_eq!(FormProblem::new("code", text).summary(), summary);
    }
}

#[test]
fn foreign_text_is_escaped() {
    let f = Frame { brand: HOSTILE, support: Some(HOSTILE), ..FRAME };
    let lede = f.l.tr("password-lede", &[("client", HOSTILE.into())]);
    let problems = vec![FormProblem::new("email", HOSTILE)];
    let page = PasswordPage {
        f,
        form: form(&step::PASSWORD),
        problems,
        lede,
        email: HOSTILE,
        passkey: None,
    };
    let fields = [("state", HOSTILE)];
    let logout = LogoutPage { f, form: HOSTILE, lede: HOSTILE.to_owned(), fields: &fields };
    for html in [page.render().unwrap(), logout.render().unwrap()] {
        assert!(!html.contains("<script>") && !html.contains("<b>"), "{html}");
        assert_eq!(contents(&html, "h1").count(), 1);
        let values: Vec<_> =
            tags(&html, "input").filter_map(|tag| attribute(tag, "value")).collect();
        assert!(values.iter().all(|value| !value.contains(['"', '<', '>', '\''])), "{values:?}");
    }
}
