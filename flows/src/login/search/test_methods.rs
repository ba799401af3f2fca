//! The methods and goals of the search: those of the program, and more of each kind that only the tests have. Each of these
//! is what a new method needs: a row, and a seal for its verifier.

use store::sign_in::{FirstMethod, SecondMethod};

use super::super::{
    code_window::CodeValidity,
    goal::{Goal, Page},
    method::{HeldMethod, MailedMethod, Method},
    second_step::{HeldVerifier, MailedVerifier, ProofOwner, SecondChecked, Verdict},
};

/// A page of ours at which an attempt ends.
pub(super) const ACCOUNT: Goal = Goal::Page(Page::assume("account", "/account"));

/// Codes by e-mail, as the program has them.
pub(super) const EMAIL: Method = Method::Mailed(MailedMethod::EMAIL_CODE);
/// A second mailed method.
pub(super) const PAPER_MAIL: Method = Method::Mailed(PaperMailVerifier::METHOD);
/// A held method.
pub(super) const APP: Method = Method::Held(AppVerifier::METHOD);
/// A second held method.
pub(super) const LIST: Method = Method::Held(ListVerifier::METHOD);
/// A held method that proves both steps.
pub(super) const KEY: Method = Method::Held(KeyVerifier::METHOD);

/// A second held method that proves both steps.
pub(super) const CARD: Method = Method::Held(CardVerifier::METHOD);

#[derive(Debug)]
pub(super) struct PaperMailVerifier;

impl MailedVerifier for PaperMailVerifier {
    const METHOD: MailedMethod = MailedMethod::assume("post");
}

#[derive(Debug)]
pub(super) struct AppVerifier;

impl HeldVerifier for AppVerifier {
    const METHOD: HeldMethod = HeldMethod::assume("app", SecondMethod::Totp);
}

#[derive(Debug)]
pub(super) struct ListVerifier;

impl HeldVerifier for ListVerifier {
    const METHOD: HeldMethod = HeldMethod::assume("list", SecondMethod::RecoveryCode);
}

#[derive(Debug)]
pub(super) struct KeyVerifier;

impl HeldVerifier for KeyVerifier {
    const METHOD: HeldMethod = HeldMethod::assume_both("key", FirstMethod::PasskeyUv);
}

#[derive(Debug)]
pub(super) struct CardVerifier;

impl HeldVerifier for CardVerifier {
    const METHOD: HeldMethod = HeldMethod::assume_both("card", FirstMethod::PasskeyUv);
}

/// What a seal constructs is about its own method.
#[test]
fn seal_proves_only_its_method() {
    let owner = ProofOwner { user: super::conversion::user_id(0), epoch: 3 };
    let right = Verdict::Right(CodeValidity::Valid);
    let challenge = super::conversion::challenge_id(1);
    let row = uuid::Uuid::from_u128(1);
    let checked = [
        (SecondChecked::mailed(&PaperMailVerifier, challenge, owner, right), PAPER_MAIL),
        (SecondChecked::held(&AppVerifier, row, 1, owner, right), APP),
        (SecondChecked::held(&ListVerifier, row, 1, owner, right), LIST),
        (SecondChecked::held(&KeyVerifier, row, 1, owner, right), KEY),
        (SecondChecked::held(&CardVerifier, row, 1, owner, right), CARD),
    ];
    for (checked, method) in checked {
        assert_eq!(checked.proof().method(), method);
        assert_eq!((checked.owner(), checked.verdict()), (owner, right));
        assert_eq!(checked.is_about_both(), [KEY, CARD].contains(&method));
    }
}
