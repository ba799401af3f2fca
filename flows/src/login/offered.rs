//! Which methods of the second step a person is offered, and which one first.

use store::user::UserWithPassword;

use super::{
    goal::Goal,
    method::{HeldMethod, MailedMethod, Method},
};

const EMAIL_CODE: Method = Method::Mailed(MailedMethod::EMAIL_CODE);
const TOTP: Method = Method::Held(HeldMethod::TOTP);
const RECOVERY_CODE: Method = Method::Held(HeldMethod::RECOVERY_CODE);
const PASSKEY: Method = Method::Held(HeldMethod::PASSKEY);
const PASSKEY_UV: Method = Method::Held(HeldMethod::PASSKEY_UV);

/// The methods that a person may answer with on the way to a goal, the default first: the one that was used last, but never a
/// recovery code. A passkey alone is the last one: it is offered beside the password, and never asked for after it.
pub(super) fn offered_methods(person: &UserWithPassword, goal: Goal) -> Vec<Method> {
    let steps = &person.second_steps;
    let (has_passkey, has_app) = (steps.passkeys > 0, steps.totp_apps > 0);
    let needs_strongest = person.user.password_change_required_since.is_some() || goal.is_guarded();
    let mut offered = Vec::with_capacity(5);
    if has_passkey {
        offered.push(PASSKEY);
    }
    if has_app && !(needs_strongest && has_passkey) {
        offered.push(TOTP);
    }
    if accepts_email_codes(person, needs_strongest) {
        offered.push(EMAIL_CODE);
    }
    if let Some(last) = steps.last_second.as_deref()
        && let Some(at) = offered.iter().position(|method| method.name() == last)
    {
        let method = offered.remove(at);
        offered.insert(0, method);
    }
    if (has_passkey || has_app) && steps.recovery_codes > 0 {
        offered.push(RECOVERY_CODE);
    }
    if has_passkey {
        offered.push(PASSKEY_UV);
    }
    offered
}

/// The methods among which a person chooses after the first step.
pub(super) fn second_methods(person: &UserWithPassword, goal: Goal) -> Vec<Method> {
    let mut offered = offered_methods(person, goal);
    offered.retain(|method| !method.proves_both());
    offered
}

/// Whether a code by e-mail is a second step for a person. After a forced reset, and before methods are changed, the strongest
/// method is asked for; and a person with another method may want no codes by e-mail. Without one there is nothing else.
fn accepts_email_codes(person: &UserWithPassword, needs_strongest: bool) -> bool {
    let steps = &person.second_steps;
    steps.totp_apps == 0 && steps.passkeys == 0
        || !needs_strongest && steps.email_codes_off_since.is_none()
}

#[cfg(test)]
mod tests {
    use store::{Timestamp, second_steps::SecondSteps, user::User};

    use super::{super::goal::Page, *};

    fn person(second_steps: SecondSteps, is_reset: bool) -> UserWithPassword {
        let at = Timestamp::from_millis(0);
        let user = User {
            id: uuid::Uuid::nil().into(),
            subject: String::new(),
            pairwise_seed: String::new(),
            user_handle: uuid::Uuid::nil(),
            status: store::user::STATUS_ACTIVE.to_owned(),
            email: None,
            email_canonical: None,
            email_verified: false,
            name: String::new(),
            claims: String::new(),
            epoch: 0,
            tokens_invalid_before: None,
            password_change_required_since: is_reset.then_some(at),
            updated_at: at,
            created_at: at,
            language: None,
        };
        UserWithPassword { user, phc: None, password_version: None, second_steps }
    }

    fn offered(person: &UserWithPassword) -> Vec<Method> {
        offered_methods(person, Goal::Client)
    }

    fn steps(totp_apps: i64, recovery_codes: i64, last: Option<&str>) -> SecondSteps {
        let last_second = last.map(str::to_owned);
        SecondSteps { totp_apps, recovery_codes, last_second, ..SecondSteps::default() }
    }

    #[test]
    fn last_method_is_offered_first() {
        for (apps, codes, last, expected) in [
            (0, 0, None, &[EMAIL_CODE][..]),
            (0, 3, None, &[EMAIL_CODE]),
            (0, 0, Some("totp"), &[EMAIL_CODE]),
            (1, 0, None, &[TOTP, EMAIL_CODE]),
            (1, 10, Some("totp"), &[TOTP, EMAIL_CODE, RECOVERY_CODE]),
            (2, 1, Some("email_code"), &[EMAIL_CODE, TOTP, RECOVERY_CODE]),
            (1, 9, Some("recovery_code"), &[TOTP, EMAIL_CODE, RECOVERY_CODE]),
        ] {
            let found = offered(&person(steps(apps, codes, last), false));
            assert_eq!(found, expected, "{apps} {codes} {last:?}");
        }
    }

    /// With a passkey: it comes first where no other method was used last, and where the strongest is asked for it comes alone.
    #[test]
    fn passkey_is_strongest_method() {
        let with = |apps, codes, last| SecondSteps { passkeys: 1, ..steps(apps, codes, last) };
        for (apps, codes, last, expected) in [
            (0, 0, None, &[PASSKEY, EMAIL_CODE, PASSKEY_UV][..]),
            (1, 1, None, &[PASSKEY, TOTP, EMAIL_CODE, RECOVERY_CODE, PASSKEY_UV]),
            (1, 0, Some("email_code"), &[EMAIL_CODE, PASSKEY, TOTP, PASSKEY_UV]),
        ] {
            let found = offered(&person(with(apps, codes, last), false));
            assert_eq!(found, expected, "{apps} {codes} {last:?}");
        }
        let reset = person(with(1, 3, Some("totp")), true);
        assert_eq!(offered(&reset), [PASSKEY, RECOVERY_CODE, PASSKEY_UV]);
        let guarded = Goal::Page(Page::PASSKEYS);
        let found = second_methods(&person(with(1, 0, Some("totp")), false), guarded);
        assert_eq!(found, [PASSKEY]);
    }

    #[test]
    fn email_codes_can_be_left_out() {
        let off = SecondSteps {
            email_codes_off_since: Some(Timestamp::from_millis(1)),
            ..steps(1, 0, Some("email_code"))
        };
        assert_eq!(offered(&person(off.clone(), false)), [TOTP]);
        let without_app = SecondSteps { totp_apps: 0, ..off };
        assert_eq!(offered(&person(without_app, false)), [EMAIL_CODE]);
    }

    #[test]
    fn reset_asks_for_strongest_method() {
        let used = Some("email_code");
        assert_eq!(offered(&person(steps(1, 4, used), true)), [TOTP, RECOVERY_CODE]);
        assert_eq!(offered(&person(steps(0, 0, used), true)), [EMAIL_CODE]);
    }

    #[test]
    fn guarded_page_needs_strongest_method() {
        let with_app = person(steps(1, 0, Some("email_code")), false);
        let guarded = Goal::Page(Page::AUTHENTICATOR_APPS);
        assert_eq!(offered_methods(&with_app, guarded), [TOTP]);
        assert_eq!(offered_methods(&with_app, Goal::Page(Page::ACCOUNT)), [EMAIL_CODE, TOTP]);
        let without_app = person(steps(0, 0, None), false);
        assert_eq!(offered_methods(&without_app, guarded), [EMAIL_CODE]);
    }
}
