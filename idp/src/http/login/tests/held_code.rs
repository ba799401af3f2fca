//! The pages of a code that the person holds, and of the choice of another method.

use askama::Template;
use flows::login::{
    HeldCodeView,
    method::HeldMethod,
    refusal::{CodeRefusal, Refusal},
};

use super::{FORM, at, every_refusal, page_text};
use crate::{
    http::login::held_code::held_code_page,
    view::{
        messages::PageText,
        page_checks::{assert_valid_page, frame_per_locale},
    },
};

const METHODS: [HeldMethod; 2] = [HeldMethod::TOTP, HeldMethod::RECOVERY_CODE];

fn view(method: HeldMethod) -> HeldCodeView {
    HeldCodeView { method, paused_until: None, has_other_ways: true }
}

/// Every refusal that the page may have to show: those of each step, and those of codes of this kind.
fn refusals() -> impl Iterator<Item = Refusal> {
    let own = [
        CodeRefusal::ClockOff(240),
        CodeRefusal::ClockOff(-90),
        CodeRefusal::NotRecoveryCode(0),
        CodeRefusal::NotRecoveryCode(12),
        CodeRefusal::Wrong(0),
        CodeRefusal::Wrong(1),
    ];
    every_refusal().into_iter().chain(own.map(Refusal::Code))
}

#[test]
fn held_code_pages_are_sound() {
    for f in frame_per_locale() {
        let text = PageText { f, ..page_text() };
        for method in METHODS {
            for refusal in refusals().map(Some).chain([None]) {
                let message = refusal.map(Refusal::for_held_code_page);
                let html = held_code_page(&text, FORM, view(method), "12", message).render();
                let html = html.unwrap();
                assert_valid_page(&html, f.l);
                assert!(html.contains("name=\"code\"") && html.contains("/login/other-ways"));
                assert_eq!(html.contains("aria-invalid"), refusal.is_some(), "{html}");
            }
        }
    }
}

#[test]
fn held_code_refusals_have_messages() {
    let text = page_text();
    let message = |method, refusal: CodeRefusal| {
        text.held_code_problem(method, Refusal::Code(refusal).for_held_code_page()).text
    };
    let totp = |refusal| message(HeldMethod::TOTP, refusal);
    assert!(totp(CodeRefusal::ClockOff(240)).contains("about 4 minutes ahead"));
    assert!(totp(CodeRefusal::ClockOff(-90)).contains("about 2 minutes behind"));
    assert!(totp(CodeRefusal::Used).contains("Wait for the next one"));
    assert!(totp(CodeRefusal::Wrong(2)).contains("You have 2 tries left"));
    let later = at("2026-11-24T10:30:00Z");
    assert!(totp(CodeRefusal::Paused(later)).contains("10:30 am"));
    let sheet = |refusal| message(HeldMethod::RECOVERY_CODE, refusal);
    assert!(sheet(CodeRefusal::NotRecoveryCode(12)).contains("You entered 12"));
    assert!(sheet(CodeRefusal::Used).contains("used before"));
}
