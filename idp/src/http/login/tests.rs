//! The page of the code, in every state, and the messages of all pages.

mod forms;
mod held_code;

use std::{borrow::Cow, time::Duration};

use askama::Template;
use flows::{
    account::password::BadPassword,
    attempt::StaleReason,
    login::{
        CodeValidity, CodeView, MailStatus, ResendTime, StepView,
        refusal::{CodeRefusal, MailRefusal, PasswordRefusal, Refusal},
    },
    network::{NetworkSize, RateLimited},
};
use jiff::tz::TimeZone;
use store::Timestamp;

use super::{
    code::{code_page, paused_page},
    respond::wait_time,
};
use crate::view::{
    FormProblem, StepForm,
    messages::{PageText, SHORT_WAIT, takes_code},
    page_checks::{FRAME, assert_valid_page, attribute, contents, frame_per_locale, tags},
};

const FORM: StepForm<'static> = StepForm {
    path: "/login/code",
    step: "code",
    attempt: "0197",
    token: Cow::Borrowed("token"),
    refused: None,
};
static ZONE: TimeZone = TimeZone::UTC;

/// 9:44 am on a day in November, in UTC.
fn now() -> Timestamp {
    at("2026-11-24T09:44:00Z")
}

fn at(text: &str) -> Timestamp {
    Timestamp::from_millis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn page_text() -> PageText<'static> {
    PageText { f: FRAME, zone: &ZONE, now: now() }
}

/// A code that the mail server accepted nearly three minutes ago.
fn view() -> CodeView {
    CodeView {
        masked_address: "m***@example.org".to_owned(),
        reference: "KOWHAI-27".to_owned(),
        accepted_at: Some(at("2026-11-24T09:41:10Z")),
        until: at("2026-11-24T09:56:10Z"),
        validity: CodeValidity::Valid,
        resend: ResendTime::Now,
        delivery: MailStatus::Accepted,
        exhausted: false,
        paused_until: None,
        has_other_ways: false,
    }
}

/// Every state that the code page can be in, possible or not.
fn every_view() -> Vec<CodeView> {
    let waits = [
        ResendTime::Now,
        ResendTime::At(at("2026-11-24T09:44:30Z")),
        ResendTime::At(at("2026-11-25T09:41:00Z")),
    ];
    let deliveries =
        [MailStatus::NotSent, MailStatus::Pending, MailStatus::Accepted, MailStatus::Refused];
    let mut views = Vec::new();
    for time in [CodeValidity::Valid, CodeValidity::Late, CodeValidity::Expired] {
        for resend in waits {
            for bits in 0..16_usize {
                let bit = |n: usize| bits >> n & 1 == 1;
                views.push(CodeView {
                    accepted_at: view().accepted_at.filter(|_| bit(0)),
                    delivery: deliveries[bits >> 1 & 3],
                    exhausted: bit(3),
                    validity: time,
                    resend,
                    ..view()
                });
            }
        }
    }
    views
}

fn every_refusal() -> Vec<Refusal> {
    let later = at("2026-11-24T10:30:00Z");
    let all = vec![
        Refusal::Password(PasswordRefusal::Wrong),
        Refusal::Password(PasswordRefusal::Paused(later)),
        Refusal::Password(PasswordRefusal::Fields { email: None, no_password: true }),
        Refusal::Password(PasswordRefusal::Stale(StaleReason::Old)),
        Refusal::Code(CodeRefusal::Wrong(3)),
        Refusal::Code(CodeRefusal::NotSixDigits(0)),
        Refusal::Code(CodeRefusal::NotSixDigits(5)),
        Refusal::Code(CodeRefusal::NotDigits),
        Refusal::Mail(MailRefusal::Late),
        Refusal::Mail(MailRefusal::Expired),
        Refusal::Mail(MailRefusal::Superseded),
        Refusal::Code(CodeRefusal::Used),
        Refusal::Mail(MailRefusal::OtherBrowser),
        Refusal::Mail(MailRefusal::Exhausted),
        Refusal::Code(CodeRefusal::Paused(later)),
        Refusal::NetworkPaused(RateLimited { size: NetworkSize::Ipv4, until: later }),
        Refusal::Mail(MailRefusal::SendLater(later)),
        Refusal::NewPassword(BadPassword::Unchanged),
        Refusal::StartAgain,
        Refusal::OutOfTurn,
    ];
    let kinds: std::collections::HashSet<_> = all.iter().map(kind).collect();
    assert_eq!(kinds.len(), 19, "each variant");
    all
}

/// The kind of a refusal: its variant and inner variant, without their values.
fn kind(refusal: &Refusal) -> String {
    let text = format!("{refusal:?}");
    text.split(|c: char| !c.is_alphabetic()).take(2).collect::<Vec<_>>().join(" ")
}

/// The same status on each of them, so that programs and dashboards see one kind of refusal.
#[test]
fn paused_network_has_wait_everywhere() {
    let now = at("2026-11-24T10:29:00Z");
    let paused = every_refusal().into_iter().find(|r| matches!(r, Refusal::NetworkPaused(_)));
    let new_password = StepView::NewPassword { email: "mere@patient.example".to_owned() };
    for view in [StepView::Password, StepView::Code(view()), new_password] {
        let wait = wait_time(&view, paused, now);
        assert_eq!(wait, Some(Duration::from_mins(1)), "{view:?}");
    }
}

fn html(view: &CodeView, typed: &str, refusal: Option<Refusal>) -> String {
    code_page(&page_text(), FORM, view, typed, refusal.map(Refusal::for_code_page))
        .render()
        .unwrap()
}

fn message_of(view: &CodeView, refusal: Refusal) -> String {
    page_text().code_problem(view, refusal.for_code_page()).expect("a problem").text
}

#[test]
fn code_page_states_are_sound() {
    for f in frame_per_locale() {
        for view in every_view() {
            for refusal in every_refusal().into_iter().map(Some).chain([None]) {
                assert_whole(&PageText { f, ..page_text() }, &view, refusal);
            }
        }
    }
}

/// The page is valid, has at most one primary button, and always has a next action.
fn assert_whole(text: &PageText<'_>, view: &CodeView, refusal: Option<Refusal>) {
    let l = text.f.l;
    let html =
        code_page(text, FORM, view, "12 34", refusal.map(Refusal::for_code_page)).render().unwrap();
    assert_valid_page(&html, l);
    let primary: Vec<_> = tags(&html, "button")
        .filter(|tag| attribute(tag, "class") == Some("primary"))
        .filter_map(|tag| attribute(tag, "value"))
        .collect();
    let is_soon = match view.resend {
        ResendTime::Now => true,
        ResendTime::At(at) => at.since(text.now) <= SHORT_WAIT,
    };
    let expected: &[&str] = match (takes_code(view), is_soon) {
        (true, _) => &["continue"],
        (false, true) => &["resend"],
        (false, false) => &[],
    };
    assert_eq!(primary, expected, "the primary button: {view:?}");
    // There is always a button that sends a code, or the time from which there is one.
    assert!(html.contains("id=\"resend\""), "{view:?}");
    assert!(html.contains("value=\"restart\"") && html.contains("value=\"cancel\""));
    assert!(html.contains(l.t("code-staff")));
    // Where no mail can have arrived, nothing is said about its arrival.
    assert_eq!(html.contains(l.t("code-trouble-spam")), takes_code(view));
    let support = "<a href=\"tel:0800111222\">0800 111 222</a>";
    let mailbox = l.tr("code-trouble-mailbox", &[("support", support.into())]);
    assert_eq!(html.contains(&mailbox), takes_code(view));
}

#[test]
fn code_field_keeps_typed_value() {
    let html = html(&view(), "12 34\"5", Some(Refusal::Code(CodeRefusal::Wrong(4))));
    let field = tags(&html, "input").find(|tag| attribute(tag, "name") == Some("code")).unwrap();
    for (name, value) in [
        ("type", "text"),
        ("inputmode", "numeric"),
        ("autocomplete", "one-time-code"),
        ("spellcheck", "false"),
    ] {
        assert_eq!(attribute(field, name), Some(value), "{field}");
    }
    assert_eq!(attribute(field, "value"), Some("12 34&#34;5"));
    assert_eq!(attribute(field, "aria-describedby"), Some("code-error code-browser"));
}

/// At ten to three, before the clocks go back to two, a code that works for 15 minutes works "until 2:05 am".
#[test]
fn night_of_clock_change_names_zones() {
    let zone = TimeZone::get("Pacific/Auckland").unwrap();
    let text = PageText { f: FRAME, zone: &zone, now: at("2026-04-04T13:50:00Z") };
    assert_eq!(text.until(at("2026-04-04T14:05:00Z")), "2:05 am NZST (for 15 more minutes)");
    assert_eq!(text.clock_time(at("2026-04-04T13:50:00Z")), "2:50 am NZDT");
    assert!(text.when(at("2026-04-04T14:05:00Z")).contains("2:05 am NZST (in about 15 minutes)"));
    let day = PageText { now: at("2026-05-04T13:50:00Z"), ..text };
    assert_eq!(day.until(at("2026-05-04T14:05:00Z")), "2:05 am (for 15 more minutes)");
}

#[test]
fn code_page_shows_address_and_times() {
    let page = html(&view(), "", None);
    for text in [
        "We sent a six-digit code to m***@example.org.",
        "It was sent 2 minutes ago (9:41 am). It works until 9:56 am (for 12 more minutes).",
        "<strong>KOWHAI-27</strong>",
        "Enter the code in this browser",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    let pending = CodeView { accepted_at: None, delivery: MailStatus::Pending, ..view() };
    let page = html(&pending, "", None);
    assert!(page.contains("We are sending a six-digit code to m***@example.org."), "{page}");
    assert!(
        page.contains("It works until 9:56 am (for 12 more minutes) at the latest.")
            && !page.contains("ago"),
        "{page}"
    );
    let page = html(&CodeView { delivery: MailStatus::Pending, ..view() }, "", None);
    assert!(page.contains("We are sending the code to m***@example.org again."), "{page}");
    assert!(page.contains("It still works until 9:56 am (for 12 more minutes)."), "{page}");
}

#[test]
fn resend_wait_shows_next_time() {
    let wait = |at| html(&CodeView { resend: ResendTime::At(at), ..view() }, "", None);
    let soon = wait(now().plus(Duration::from_millis(28_001)));
    assert!(soon.contains("You can ask for a code again in 29 seconds."), "{soon}");
    assert!(soon.contains("value=\"resend\""), "a press says when: {soon}");
    // Rounded up to the minute; a time on the next day is shown with its day.
    assert!(wait(at("2026-11-24T10:41:01Z")).contains("again at 10:42 am (in about 58 minutes)."));
    assert!(
        wait(at("2026-11-25T09:00:00Z")).contains("again tomorrow at 9:00 am (in about 24 hours).")
    );
}

#[test]
fn dead_code_page_offers_resend() {
    let over = "The time of your code is over";
    for (view, title, why, button) in [
        (
            CodeView { exhausted: true, ..view() },
            "All tries are used up",
            "All tries at the code",
            "Send a new code",
        ),
        (
            CodeView { validity: CodeValidity::Late, ..view() },
            over,
            "worked until 9:56 am.",
            "Send the code again",
        ),
        (
            CodeView { validity: CodeValidity::Expired, ..view() },
            over,
            "worked until 9:56 am.",
            "Send a new code",
        ),
    ] {
        let page = html(&view, "", None);
        assert_eq!(contents(&page, "h1").next(), Some(title));
        assert!(!page.contains("name=\"code\"") && !page.contains("KOWHAI"), "{page}");
        assert!(page.contains(why) && page.contains(button), "{page}");
    }
}

#[test]
fn unsent_code_has_no_field() {
    let later = ResendTime::At(at("2026-11-24T10:30:00Z"));
    let unsent = CodeView { accepted_at: None, ..view() };
    for (view, why, button) in [
        (
            CodeView { delivery: MailStatus::NotSent, resend: later, ..unsent.clone() },
            "too many were asked for",
            "again at 10:30 am",
        ),
        (
            CodeView { delivery: MailStatus::Refused, ..unsent.clone() },
            "was not accepted. If that is not your address, start again. If it is, ask for help: your account may \
             need another",
            "Send the code again",
        ),
    ] {
        let page = html(&view, "", None);
        assert_eq!(contents(&page, "h1").next(), Some("We could not send your code"));
        assert!(!page.contains("name=\"code\"") && !page.contains("KOWHAI"), "{page}");
        assert!(page.contains(why) && page.contains(button), "{page}");
    }
    // After a pause no code has been sent, and one can be.
    let page = html(&CodeView { delivery: MailStatus::NotSent, ..unsent }, "", None);
    assert!(page.contains("No code has been sent to m***@example.org yet."), "{page}");
    assert!(page.contains("value=\"resend\""), "{page}");
    // An earlier mail was accepted, and its code still works.
    let page = html(&CodeView { delivery: MailStatus::Refused, ..view() }, "", None);
    assert!(page.contains("was not accepted") && page.contains("name=\"code\""), "{page}");
    assert!(page.contains("It still works until 9:56 am (for 12 more minutes)."), "{page}");
}

/// The right code came late and is being sent again: the page asks for it and does not complete the step.
#[test]
fn late_code_page_asks_again() {
    let late = CodeView { validity: CodeValidity::Late, delivery: MailStatus::Pending, ..view() };
    let page = html(&late, "123456", Some(Refusal::Mail(MailRefusal::Late)));
    assert!(page.contains("value=\"123456\""), "{page}");
    assert!(page.contains("We are sending the code to m***@example.org again."), "{page}");
    assert!(page.contains("It works as soon as the new e-mail is on its way."), "{page}");
    assert!(!page.contains("worked until"), "{page}");
    assert!(page.contains("We are sending you the same code again. Wait for the e-mail"), "{page}");
    assert!(!page.contains("There is a problem") && !page.contains("Error:"), "{page}");
    // The limit of mails is reached: nothing was sent, and no text says that a mail was.
    let unsent = CodeView {
        delivery: MailStatus::Accepted,
        resend: ResendTime::At(at("2026-11-24T10:30:00Z")),
        ..late
    };
    assert!(!message_of(&unsent, Refusal::Mail(MailRefusal::Late)).contains("We have sent"));
    let unsent = CodeView { delivery: MailStatus::NotSent, accepted_at: None, ..view() };
    assert!(!message_of(&unsent, Refusal::Mail(MailRefusal::Expired)).contains("We have sent"));
}

#[test]
fn code_refusals_have_messages() {
    let view = view();
    for (refusal, text) in [
        (Refusal::Code(CodeRefusal::NotSixDigits(0)), "Enter the 6 digit code"),
        (Refusal::Code(CodeRefusal::NotSixDigits(5)), "The code has 6 digits. You entered 5"),
        (Refusal::Code(CodeRefusal::NotDigits), "The code is numbers only"),
        (
            Refusal::Code(CodeRefusal::Wrong(3)),
            "That code is not right. Check the newest e-mail with the reference KOWHAI-27. You have 3 tries left",
        ),
        (
            Refusal::Code(CodeRefusal::Wrong(1)),
            "That code is not right. Check the newest e-mail with the reference KOWHAI-27. You have 1 try left",
        ),
        (
            Refusal::Code(CodeRefusal::Wrong(0)),
            "That code is not right, and there are no tries left for it. Send a new code",
        ),
        (
            Refusal::Mail(MailRefusal::Expired),
            "That code has expired. We have sent a new code with the reference KOWHAI-27",
        ),
        (
            Refusal::Mail(MailRefusal::Superseded),
            "That code is from an older e-mail. Enter the code from the newest one, with the reference KOWHAI-27",
        ),
        (
            Refusal::Code(CodeRefusal::Used),
            "That code has already been used. Send a new one, or start again",
        ),
        (
            Refusal::Mail(MailRefusal::OtherBrowser),
            "That code was asked for in another browser. Enter the code with the reference KOWHAI-27",
        ),
        (
            Refusal::Code(CodeRefusal::Paused(at("2026-11-24T10:29:01Z"))),
            "There were too many wrong codes. You can try again at 10:30 am (in about 46 minutes). \
             Your account is not locked: you can close this page and sign in again then",
        ),
    ] {
        assert_eq!(message_of(&view, refusal), text);
    }
    let codes = every_refusal().into_iter().filter(|refusal| {
        !matches!(
            refusal,
            Refusal::Password(_)
                | Refusal::NewPassword(_)
                | Refusal::StartAgain
                // A notice, and no problem.
                | Refusal::Mail(MailRefusal::Late)
        )
    });
    let texts: Vec<_> = codes.map(|refusal| message_of(&view, refusal)).collect();
    let different: std::collections::BTreeSet<_> = texts.iter().collect();
    assert_eq!(different.len(), texts.len(), "no two refusals have the same text");
}

#[test]
fn paused_page_has_nothing_to_type() {
    for f in frame_per_locale() {
        let text = PageText { f, ..page_text() };
        let page = paused_page(&text, FORM, at("2026-11-24T10:43:30Z")).render().unwrap();
        assert_valid_page(&page, f.l);
        assert!(!page.contains("name=\"code\"") && !page.contains("value=\"resend\""), "{page}");
        assert!(page.contains("value=\"cancel\"") && page.contains("value=\"restart\""), "{page}");
        assert!(page.contains("10:44"), "{page}");
    }
    let page = paused_page(&page_text(), FORM, at("2026-11-24T10:43:30Z")).render().unwrap();
    assert!(page.contains("You can sign in again at 10:44 am (in about 60 minutes)."), "{page}");
}

/// What is over needs no second sentence, and no count of tries that cannot be used.
#[test]
fn wrong_code_after_window_is_no_problem() {
    let over = CodeView { validity: CodeValidity::Late, ..view() };
    let page = html(&over, "111111", Some(Refusal::Code(CodeRefusal::Wrong(4))));
    assert!(!page.contains("There is a problem") && !page.contains("tries left"), "{page}");
    assert!(page.contains("Sent again, the same code works again."), "{page}");
}

/// A reference is copied and searched for as the mail has it, and no line end cuts it in two.
#[test]
fn reference_in_problem_stays_whole() {
    let whole = "<span class=\"whole\">KOWHAI-27</span>";
    for refusal in [Refusal::Code(CodeRefusal::Wrong(3)), Refusal::Mail(MailRefusal::OtherBrowser)]
    {
        let page = html(&view(), "123456", Some(refusal));
        assert!(page.contains(whole) && !page.contains('\u{2011}'), "{page}");
    }
    for f in frame_per_locale() {
        let text = PageText { f, ..page_text() };
        for refusal in every_refusal() {
            let problem = text.code_problem(&view(), refusal.for_code_page());
            let summary = problem.as_ref().map(FormProblem::summary).unwrap_or_default();
            assert!(!summary.contains("KOWHAI"), "{summary}: the whole text is at the field");
        }
    }
}

/// A press of "Send the code again" that comes too soon is answered at the button, and said once.
#[test]
fn soon_resend_problem_is_said_once() {
    let until = at("2026-11-24T09:44:30Z");
    let soon = CodeView { resend: ResendTime::At(until), ..view() };
    let refusal = Refusal::Mail(MailRefusal::SendLater(until));
    let page = html(&soon, "", Some(refusal));
    let at_button = page.split_once("id=\"resend-error\"").unwrap().1;
    let (before, after) = at_button.split_once("id=\"resend\"").unwrap();
    assert!(before.contains("You can ask for a code again in") && !after.contains("again in "));
    assert!(after.find("m***@example.org").is_some(), "what is known comes after it: {page}");
}

#[test]
fn problem_points_to_shown_field() {
    let field = |view: &CodeView, refusal: Refusal| {
        page_text().code_problem(view, refusal.for_code_page()).expect("a problem").field
    };
    assert_eq!(field(&view(), Refusal::Code(CodeRefusal::Wrong(2))), "code");
    assert_eq!(field(&view(), Refusal::Mail(MailRefusal::SendLater(now()))), "resend");
    assert_eq!(
        field(&CodeView { exhausted: true, ..view() }, Refusal::Code(CodeRefusal::Wrong(0))),
        "resend"
    );
}
