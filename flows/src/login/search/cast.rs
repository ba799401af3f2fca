//! The methods and ends that the search knows: those of the program, and more of each kind that only the tests have. Each of these
//! is what a new method is: a row, and a seal that its verifier speaks by.

use store::sign_in::{FirstMethod, SecondMethod};

use super::super::{
    code_window::Time,
    goal::{Goal, Page},
    method::{Held, Mailed, Method},
    second::{HeldSeal, MailedSeal, Owner, SecondChecked, Verdict},
};

/// A page of ours at which an attempt ends.
pub(super) const ACCOUNT: Goal = Goal::Page(Page::assume("account", "/account"));

/// Codes by e-mail, as the program has them.
pub(super) const EMAIL: Method = Method::Mailed(Mailed::EMAIL_CODE);
/// A second mailed method.
pub(super) const POST: Method = Method::Mailed(PostSeal::METHOD);
/// A held method.
pub(super) const APP: Method = Method::Held(AppSeal::METHOD);
/// A second held method.
pub(super) const LIST: Method = Method::Held(ListSeal::METHOD);
/// A held method that proves both steps.
pub(super) const KEY: Method = Method::Held(KeySeal::METHOD);

/// A second held method that proves both steps.
pub(super) const CARD: Method = Method::Held(CardSeal::METHOD);

#[derive(Debug)]
pub(super) struct PostSeal;

impl MailedSeal for PostSeal {
    const METHOD: Mailed = Mailed::assume("post");
}

#[derive(Debug)]
pub(super) struct AppSeal;

impl HeldSeal for AppSeal {
    const METHOD: Held = Held::assume("app", SecondMethod::Totp);
}

#[derive(Debug)]
pub(super) struct ListSeal;

impl HeldSeal for ListSeal {
    const METHOD: Held = Held::assume("list", SecondMethod::RecoveryCode);
}

#[derive(Debug)]
pub(super) struct KeySeal;

impl HeldSeal for KeySeal {
    const METHOD: Held = Held::assume_both("key", FirstMethod::PasskeyUv);
}

#[derive(Debug)]
pub(super) struct CardSeal;

impl HeldSeal for CardSeal {
    const METHOD: Held = Held::assume_both("card", FirstMethod::PasskeyUv);
}

/// What a seal makes is about its own method.
#[test]
fn seal_proves_only_its_method() {
    let owner = Owner { user: super::names::user_id(0), epoch: 3 };
    let right = Verdict::Right(Time::Open);
    let challenge = super::names::challenge_id(1);
    let row = uuid::Uuid::from_u128(1);
    let checked = [
        (SecondChecked::mailed(&PostSeal, challenge, owner, right), POST),
        (SecondChecked::held(&AppSeal, row, 1, owner, right), APP),
        (SecondChecked::held(&ListSeal, row, 1, owner, right), LIST),
        (SecondChecked::held(&KeySeal, row, 1, owner, right), KEY),
        (SecondChecked::held(&CardSeal, row, 1, owner, right), CARD),
    ];
    for (checked, method) in checked {
        assert_eq!(checked.proof().method(), method);
        assert_eq!((checked.owner(), checked.verdict()), (owner, right));
        assert_eq!(checked.is_about_both(), [KEY, CARD].contains(&method));
    }
}
