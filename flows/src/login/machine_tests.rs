//! One test for each refusal of the machine, and one for each way to continue. What must never happen is tested by `search`.

use store::{ChallengeId, SessionId, Timestamp, UserId};
use uuid::Uuid;

use super::{
    code_window::CodeValidity,
    effect::{Delivery, Effect},
    follow::SessionChecked,
    goal::Goal,
    machine::{Facts, Input, Person, Transition, step},
    method::{Challenge, MailedMethod, Method, Proof},
    new_password::NewPasswordChecked,
    password::{PasswordChecked, PasswordVerdict},
    refusal::{CodeRefusal, MailRefusal, PasswordRefusal, Refusal},
    resend::{ResendChecked, ResendVerdict},
    second_step::{ProofOwner, SecondChecked, Verdict},
    state::{
        AwaitedProof, CompletedAttempt, FirstStep, PendingNewPassword, PendingSecondStep,
        ProvenFirstStep, State,
    },
};
use crate::account::password::BadPassword;

const AT: Timestamp = Timestamp::from_millis(1);

fn user(number: u128) -> UserId {
    UserId::from(Uuid::from_u128(number))
}

fn challenge(number: u128) -> Challenge {
    let id = ChallengeId::from(Uuid::from_u128(number));
    Challenge { method: MailedMethod::EMAIL_CODE, id }
}

fn proof(number: u128) -> Proof {
    Proof::Mailed(challenge(number))
}

fn by_password(number: u128, epoch: i64, version: i64) -> ProvenFirstStep {
    ProvenFirstStep { user: user(number), epoch, step: FirstStep::Password { version } }
}

fn session(number: u128) -> SessionId {
    SessionId::from(Uuid::from_u128(number))
}

fn first() -> ProvenFirstStep {
    by_password(1, 4, 2)
}

fn person() -> Person {
    Person { user: user(1), epoch: 4, password_version: 2, must_change: false }
}

/// The person as proven, the awaited challenge open, and new ids where needed.
fn facts() -> Facts<'static> {
    Facts {
        person: Some(person()),
        offered: &[Method::Mailed(MailedMethod::EMAIL_CODE)],
        challenge: challenge(9).id,
        current: Some(challenge(1)),
        session: session(9),
        goal: Goal::Client,
    }
}

fn facts_with(person: Person) -> Facts<'static> {
    Facts { person: Some(person), ..facts() }
}

fn second() -> State {
    waiting_for(1)
}

fn waiting_for(number: u128) -> State {
    State::Second(PendingSecondStep {
        first: first(),
        waiting: AwaitedProof::Mailed(challenge(number)),
    })
}

fn new_password() -> State {
    State::NewPassword(PendingNewPassword { first: first(), proof: proof(1) })
}

fn complete(by: Option<u128>) -> State {
    let (user, session) = (user(1), session(5));
    State::Complete(CompletedAttempt { user, session, proof: by.map(proof) })
}

fn password(verdict: PasswordVerdict) -> Input {
    Input::Password(PasswordChecked::assume(verdict))
}

fn code_of(number: u128, verdict: Verdict) -> Input {
    let owner = ProofOwner { user: user(1), epoch: 4 };
    Input::Second(SecondChecked::assume(proof(number), owner, verdict))
}

fn code(verdict: Verdict) -> Input {
    code_of(1, verdict)
}

fn resend(verdict: ResendVerdict) -> Input {
    Input::Resend(ResendChecked::assume(challenge(1), verdict))
}

fn follow(who: u128, epoch: i64) -> Input {
    Input::Follow(SessionChecked::assume(session(5), user(who), epoch))
}

fn chosen(refused: Option<BadPassword>) -> Input {
    Input::NewPassword(NewPasswordChecked::assume(user(1), refused))
}

/// Asserts that the state did not change, that nothing happens, and the refusal.
fn assert_refused(state: State, input: Input, refusal: impl Into<Refusal>) {
    let after = step(state.clone(), input, &facts());
    assert_eq!((after.state, after.refusal), (state, Some(refusal.into())));
    assert!(after.effects.is_empty(), "{:?}", after.effects);
}

/// Asserts that nothing proven is kept, that nothing happens, and that the person must start again.
fn assert_set_back(after: &Transition) {
    assert_eq!((&after.state, after.refusal), (&State::Password, Some(Refusal::StartAgain)));
    assert!(after.effects.is_empty(), "{:?}", after.effects);
}

#[test]
fn wrong_password_is_refused() {
    assert_refused(State::Password, password(PasswordVerdict::Wrong), PasswordRefusal::Wrong);
    assert_refused(second(), password(PasswordVerdict::Wrong), PasswordRefusal::Wrong);
}

#[test]
fn paused_password_is_refused() {
    assert_refused(
        State::Password,
        password(PasswordVerdict::Paused(AT)),
        PasswordRefusal::Paused(AT),
    );
}

#[test]
fn right_password_opens_challenge() {
    let after = step(State::Password, password(PasswordVerdict::Right(first())), &facts());
    assert_eq!((after.state, after.refusal), (waiting_for(9), None));
    assert!(
        matches!(after.effects[..], [Effect::Deliver(Delivery::Open(f, c))] if f == first() && c == challenge(9))
    );
}

#[test]
fn password_before_reset_starts_over() {
    let right = || password(PasswordVerdict::Right(first()));
    assert_set_back(&step(State::Password, right(), &facts_with(Person { epoch: 5, ..person() })));
    assert_set_back(&step(
        State::Password,
        right(),
        &facts_with(Person { password_version: 3, ..person() }),
    ));
    assert_set_back(&step(State::Password, right(), &Facts { person: None, ..facts() }));
}

#[test]
fn other_accounts_password_drops_proof() {
    let other = by_password(2, 0, 0);
    let facts =
        facts_with(Person { user: user(2), epoch: 0, password_version: 0, must_change: false });
    for state in [second(), new_password()] {
        let after = step(state, password(PasswordVerdict::Right(other)), &facts);
        let waiting = AwaitedProof::Mailed(challenge(9));
        assert_eq!(after.state, State::Second(PendingSecondStep { first: other, waiting }));
    }
}

#[test]
fn code_refusals_are_passed_through() {
    for refusal in [
        Refusal::Code(CodeRefusal::Wrong(3)),
        Refusal::Code(CodeRefusal::NotSixDigits(5)),
        Refusal::Code(CodeRefusal::NotDigits),
        Refusal::Mail(MailRefusal::Superseded),
        Refusal::Code(CodeRefusal::Used),
        Refusal::Mail(MailRefusal::OtherBrowser),
        Refusal::Mail(MailRefusal::Exhausted),
        Refusal::Code(CodeRefusal::Paused(AT)),
    ] {
        assert_refused(second(), code(Verdict::Refused(refusal)), refusal);
    }
}

#[test]
fn right_code_signs_in() {
    let after = step(second(), code(Verdict::Right(CodeValidity::Valid)), &facts());
    let end = CompletedAttempt { user: user(1), session: session(9), proof: Some(proof(1)) };
    assert_eq!((after.state, after.refusal), (State::Complete(end), None));
    let [Effect::Consume(used_by, used), Effect::SignIn(complete), Effect::End(Goal::Client)] =
        &after.effects[..]
    else {
        panic!("{:?}", after.effects)
    };
    assert_eq!((*used_by, *used), (first(), proof(1)));
    let second = Some(store::sign_in::SecondMethod::EmailCode);
    assert_eq!((complete.first(), complete.second_method()), (first(), second));
    assert_eq!(complete.session(), session(9));
}

#[test]
fn right_code_of_current_challenge_completes() {
    let facts = Facts { current: Some(challenge(2)), ..facts() };
    let after = step(second(), code_of(2, Verdict::Right(CodeValidity::Valid)), &facts);
    assert!(matches!(after.state, State::Complete(done) if done.proof == Some(proof(2))));
}

#[test]
fn code_after_reset_asks_new_password() {
    let after = step(
        second(),
        code(Verdict::Right(CodeValidity::Valid)),
        &facts_with(Person { must_change: true, ..person() }),
    );
    assert_eq!((after.state, after.refusal), (new_password(), None));
    assert!(matches!(after.effects[..], [Effect::Consume(..), Effect::ChangeBrowser]));
}

#[test]
fn repeated_code_returns_to_new_password() {
    let after = step(new_password(), code(Verdict::Repeated), &facts());
    assert_eq!((after.state, after.refusal), (new_password(), None));
    assert!(matches!(after.effects[..], [Effect::ChangeBrowser]));
    let other = code_of(2, Verdict::Repeated);
    assert_refused(new_password(), other, Refusal::OutOfTurn);
    assert_refused(new_password(), code(Verdict::Right(CodeValidity::Valid)), Refusal::OutOfTurn);
}

#[test]
fn late_code_is_sent_again() {
    let after = step(second(), code(Verdict::Right(CodeValidity::Late)), &facts());
    assert_eq!((after.state, after.refusal), (second(), Some(Refusal::Mail(MailRefusal::Late))));
    assert!(
        matches!(after.effects[..], [Effect::Deliver(Delivery::SendAgain(c))] if c == challenge(1))
    );
}

#[test]
fn expired_code_is_replaced() {
    for verdict in [Verdict::Right(CodeValidity::Expired), Verdict::Expired] {
        let after = step(second(), code(verdict), &facts());
        assert_eq!(
            (after.state, after.refusal),
            (waiting_for(9), Some(Refusal::Mail(MailRefusal::Expired)))
        );
        assert!(matches!(after.effects[..], [Effect::Deliver(Delivery::Replace { old, new, .. })]
            if (old, new) == (challenge(1), challenge(9))));
    }
}

#[test]
fn foreign_code_is_out_of_turn() {
    let right = Verdict::Right(CodeValidity::Valid);
    assert_refused(second(), code_of(3, right), Refusal::OutOfTurn);
    let of = |who, epoch| {
        let owner = ProofOwner { user: user(who), epoch };
        Input::Second(SecondChecked::assume(proof(1), owner, right))
    };
    assert_refused(second(), of(2, 4), Refusal::OutOfTurn);
    assert_refused(second(), of(1, 3), Refusal::OutOfTurn);
    assert_refused(State::Password, code(right), Refusal::OutOfTurn);
    assert_refused(new_password(), code(right), Refusal::OutOfTurn);
    assert_refused(State::Cancelled, code(right), Refusal::OutOfTurn);
}

#[test]
fn proof_before_reset_starts_over() {
    let right = || code(Verdict::Right(CodeValidity::Valid));
    for facts in [
        facts_with(Person { epoch: 5, must_change: true, ..person() }),
        facts_with(Person { password_version: 3, ..person() }),
        Facts { person: None, ..facts() },
    ] {
        assert_set_back(&step(second(), right(), &facts));
        assert_set_back(&step(second(), resend(ResendVerdict::Same), &facts));
        assert_set_back(&step(new_password(), chosen(None), &facts));
    }
}

#[test]
fn resend_repeats_or_replaces_challenge() {
    let after = step(second(), resend(ResendVerdict::Same), &facts());
    assert_eq!((after.state, after.refusal), (second(), None));
    assert!(
        matches!(after.effects[..], [Effect::Deliver(Delivery::SendAgain(c))] if c == challenge(1))
    );
    let after = step(second(), resend(ResendVerdict::New), &facts());
    assert_eq!((after.state, after.refusal), (waiting_for(9), None));
    assert_refused(second(), resend(ResendVerdict::Later(AT)), MailRefusal::SendLater(AT));
    assert_refused(State::Password, resend(ResendVerdict::Same), Refusal::OutOfTurn);
    assert_refused(
        waiting_for(3),
        Input::Resend(ResendChecked::assume(challenge(4), ResendVerdict::New)),
        Refusal::OutOfTurn,
    );
}

#[test]
fn challenge_never_replaces_itself() {
    let facts = Facts { challenge: challenge(1).id, ..facts() };
    let after = step(second(), resend(ResendVerdict::New), &facts);
    assert_eq!(after.state, second());
    assert!(
        matches!(after.effects[..], [Effect::Deliver(Delivery::SendAgain(c))] if c == challenge(1))
    );
}

#[test]
fn new_password_signs_in() {
    let after =
        step(new_password(), chosen(None), &facts_with(Person { must_change: true, ..person() }));
    let end = CompletedAttempt { user: user(1), session: session(9), proof: None };
    assert_eq!((after.state, after.refusal), (State::Complete(end), None));
    assert!(matches!(
        after.effects[..],
        [Effect::ChangePassword(_), Effect::SignIn(_), Effect::End(_)]
    ));

    let bad = Some(BadPassword::Common);
    assert_refused(new_password(), chosen(bad), BadPassword::Common);
    assert_refused(second(), chosen(None), Refusal::OutOfTurn);
    let other = Input::NewPassword(NewPasswordChecked::assume(user(2), None));
    assert_refused(new_password(), other, Refusal::OutOfTurn);
}

#[test]
fn other_tabs_session_is_followed() {
    for state in [second(), new_password()] {
        let after = step(state.clone(), follow(1, 4), &facts());
        assert_eq!((after.state, after.refusal), (complete(None), None));
        assert!(
            matches!(after.effects[..], [Effect::FollowSession(s), Effect::End(_)] if s == session(5))
        );
        assert_refused(state.clone(), follow(2, 4), Refusal::OutOfTurn);
        assert_refused(state, follow(1, 3), Refusal::OutOfTurn);
    }
    assert_refused(State::Password, follow(1, 4), Refusal::OutOfTurn);
}

#[test]
fn every_state_restarts_and_cancels() {
    for state in [State::Password, second(), new_password()] {
        let after = step(state.clone(), Input::Restart, &facts());
        assert_eq!((after.state, after.refusal), (State::Password, None));
        let after = step(state, Input::Cancel, &facts());
        assert_eq!((after.state, after.refusal), (State::Cancelled, None));
    }
}

#[test]
fn repeated_code_reissues_session() {
    let after = step(complete(Some(1)), code(Verdict::Repeated), &facts());
    assert_eq!((after.state, after.refusal), (complete(Some(1)), None));
    assert!(matches!(after.effects[..], [Effect::Reissue(s), Effect::End(_)] if s == session(5)));
    // From another browser or too late, of another challenge, or if no code completed the attempt.
    assert_refused(
        complete(Some(1)),
        code(Verdict::Refused(Refusal::Code(CodeRefusal::Used))),
        CodeRefusal::Used,
    );
    assert_refused(complete(Some(1)), code_of(2, Verdict::Repeated), CodeRefusal::Used);
    assert_refused(complete(None), code(Verdict::Repeated), CodeRefusal::Used);
    assert_refused(second(), code(Verdict::Repeated), CodeRefusal::Used);
}

#[test]
fn ended_attempt_refuses_all_input() {
    for state in [complete(Some(1)), State::Cancelled] {
        for input in [
            password(PasswordVerdict::Right(first())),
            password(PasswordVerdict::Wrong),
            resend(ResendVerdict::New),
            follow(1, 4),
            chosen(None),
            Input::Restart,
            Input::Cancel,
        ] {
            assert_refused(state.clone(), input, Refusal::OutOfTurn);
        }
    }
}
