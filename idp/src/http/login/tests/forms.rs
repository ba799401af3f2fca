//! The messages of the password pages and of the consent page.

use askama::Template;
use flows::{
    account::password::BadPassword,
    email::BadEmail,
    login::refusal::{PageMessage, PasswordRefusal, Refusal},
};

use super::{FORM, at, every_refusal, page_text};
use crate::view::{
    PasswordPage,
    page_checks::{FRAME, assert_valid_page},
};

#[test]
fn password_form_problems_name_fields() {
    let text = page_text();
    let mails = [
        BadEmail::Empty,
        BadEmail::Shape,
        BadEmail::Invisible,
        BadEmail::Quoted,
        BadEmail::Domain,
        BadEmail::Long,
    ];
    let texts: std::collections::BTreeSet<_> = mails.map(|bad| text.email_problem(bad).text).into();
    assert_eq!(texts.len(), mails.len());
    assert!(mails.iter().all(|bad| text.email_problem(*bad).field == "email"));
    let problems = |refusal: PasswordRefusal| {
        text.password_problems(Refusal::Password(refusal).for_password_page())
    };
    let paused = problems(PasswordRefusal::Paused(at("2026-11-24T09:45:30Z")));
    assert_eq!(
        paused[0].text,
        "There were too many wrong passwords. You can try again at 9:46 am (in about 2 minutes)"
    );
    let page = PasswordPage {
        f: FRAME,
        form: FORM,
        problems: paused,
        lede: "to continue".to_owned(),
        email: "mere@example.org",
        passkey: None,
    };
    let page = page.render().unwrap();
    assert_valid_page(&page, FRAME.l);
    let (_, ways) = page.split_once("What you can do").unwrap();
    for key in ["password-way-later", "paused-way-device", "password-way-help"] {
        assert!(ways.contains(FRAME.l.t(key)), "{page}");
    }
    let wrong = problems(PasswordRefusal::Wrong);
    assert!(wrong[0].text.contains("address or the password"), "it does not say which is wrong");
    let both =
        problems(PasswordRefusal::Fields { email: Some(BadEmail::Empty), no_password: true });
    assert_eq!(both.iter().map(|both| both.field).collect::<Vec<_>>(), ["email", "password"]);
    for problem in every_refusal()
        .into_iter()
        .flat_map(|refusal| text.password_problems(refusal.for_password_page()))
    {
        assert!(["email", "password"].contains(&problem.field) && !problem.text.is_empty());
    }
    for problem in [text.busy_problem(), text.missing_password()] {
        assert_eq!((problem.field, problem.text.is_empty()), ("password", false));
    }
}

#[test]
fn new_password_problems_have_messages() {
    let all = [
        BadPassword::Empty,
        BadPassword::Short(15),
        BadPassword::Long,
        BadPassword::Common,
        BadPassword::ContextSpecific,
        BadPassword::Repetitive,
        BadPassword::Unchanged,
    ];
    let text = |bad| {
        page_text().new_password_problem(Refusal::NewPassword(bad).for_new_password_page()).text
    };
    let texts: std::collections::BTreeSet<_> = all.map(text).into();
    assert_eq!(texts.len(), all.len());
    assert!(text(BadPassword::Short(15)).contains("15 characters"));
    let empty = page_text().new_password_problem(PageMessage::ThisStep(BadPassword::Empty));
    assert_eq!((empty.field, empty.text.as_str()), ("new_password", "Enter a new password"));
}

/// A scope without a text would be granted without being shown.
#[test]
fn every_scope_has_description() {
    for scope in flows::claims::SCOPES {
        assert!(page_text().scope_text(scope).is_some_and(|words| !words.is_empty()), "{scope}");
    }
}
